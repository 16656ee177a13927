from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline import files
from pipeline.files.guards import Forbidden, ask, changing, guarded, is_changing, unguarded
from pipeline.files.publish import publish, publish_bytes


def test_each_change_below_a_folder_asks_its_guard(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    allowed, asked = True, []

    def guard() -> bool:
        asked.append(sorted(path.name for path in folder.rglob("[a-z].json")))
        return allowed

    with guarded(str(folder), guard):
        assert publish_bytes(str(folder / "d/a.json"), b"{}")
        assert publish_bytes(str(tmp_path / "outside.json"), b"{}")
        assert publish_bytes(str(tmp_path / "out2.json"), b"{}")
        files.delete([str(folder / "d/a.json")])
        assert asked == [[], ["a.json"]]  # right before a file appears or disappears
        publish_bytes(str(folder / "b.json"), b"{}")
        allowed = False
        assert not publish_bytes(str(folder / "c.json"), b"{}")
        with pytest.raises(Forbidden):
            files.delete([str(folder / "b.json")])
        with pytest.raises(Forbidden):
            files.move_folder(str(folder), str(tmp_path / "moved"))
        with pytest.raises(Forbidden), publish(str(folder / "c.json")) as file:
            file.write(b"{}")
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["b.json"]
    files.delete([str(folder / "b.json")])


def test_no_guard_is_left_out_while_another_thread_removes_one() -> None:
    with ExitStack() as others:

        def ends() -> bool:
            others.close()  # the list of guards gets shorter while it is asked
            return True

        others.enter_context(guarded("s3://b/run", ends))
        with guarded("s3://b/run", lambda: False), pytest.raises(Forbidden):
            ask("s3://b/run/plan.json")


def test_a_change_is_known_from_the_question_until_it_is_done(tmp_path: Path) -> None:
    seen = []
    with guarded(str(tmp_path), lambda: not seen.append(is_changing())):
        assert publish_bytes(str(tmp_path / "a"), b"")
        files.delete([str(tmp_path / "a")])
        with unguarded(), changing():
            assert not is_changing()
    assert seen == [True, True]
    assert not is_changing()


def test_the_guards_of_all_folders_around_a_file_are_asked() -> None:
    with guarded("s3://b/run/", lambda: True), guarded("s3://b/run/detections", lambda: False):
        ask("s3://b/run/plan.json")
        ask("s3://b/run/detections.1/plan.json")
        with pytest.raises(Forbidden):
            ask("s3://b/run/detections/plan.json")
