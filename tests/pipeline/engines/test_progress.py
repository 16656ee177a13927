import json
import threading
from pathlib import Path

import pytest

from pipeline.engines import progress
from pipeline.engines.progress import State, WorkerProgress, delete_progress_files, pairs_in_progress, show_progress
from tests.pipeline.builders import NOT_OURS


def test_a_worker_says_how_many_pairs_it_has_done(tmp_path: Path) -> None:
    WorkerProgress(str(tmp_path))(7)
    [file] = tmp_path.iterdir()
    assert json.loads(file.read_text()) == {"pairs": 7}
    assert pairs_in_progress(str(tmp_path)) == 7


def test_a_worker_does_not_write_all_the_time(tmp_path: Path) -> None:
    worker = WorkerProgress(str(tmp_path), _last=float("inf"))
    worker(7)
    assert list(tmp_path.iterdir()) == []


def test_a_chunk_that_is_about_to_be_committed_counts_no_longer(tmp_path: Path) -> None:
    worker = WorkerProgress(str(tmp_path))
    worker(7)
    worker(0)
    assert pairs_in_progress(str(tmp_path)) == 0


def test_workers_add_up_and_broken_files_count_nothing(tmp_path: Path) -> None:
    (tmp_path / ".progress-1-1.json").write_text('{"pairs": 3}')
    (tmp_path / ".progress-1-2.json").write_text('{"pairs": 4}')
    for number, content in enumerate(NOT_OURS, 3):
        (tmp_path / f".progress-1-{number}.json").write_bytes(content)
    (tmp_path / ".progress-1-2.json~").write_text('{"pairs": 100}')
    (tmp_path / "other.json").write_text('{"pairs": 100}')
    assert pairs_in_progress(str(tmp_path)) == 7
    delete_progress_files(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["other.json"]
    assert pairs_in_progress(str(tmp_path)) == 0


@pytest.mark.parametrize("name", ["[1]", "a*b"])
def test_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    WorkerProgress(str(tmp_path / name))(7)
    assert pairs_in_progress(str(tmp_path / name)) == 7
    delete_progress_files(str(tmp_path / name))
    assert list((tmp_path / name).iterdir()) == []


def test_lines_on_standard_error_say_share_and_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.001)
    asked, states = threading.Event(), iter([State(0, 0.0), State(50, 0.25)])

    def state() -> State:
        now = next(states, None)
        if now is None:
            asked.set()
        return now or State(60, 0.3)

    with show_progress("ground", "pairs", state):
        assert asked.wait(20)
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert lines[0].startswith("ground: 25%, 50 pairs, ")
    assert lines[0].endswith(" left")


def test_a_quiet_run_says_nothing_and_asks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def state() -> State:
        raise AssertionError("asked")

    with show_progress("ground", "pairs", state, quiet=True):
        pass
    assert capsys.readouterr() == ("", "")


def test_the_thread_ends_with_the_block_also_after_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.001)
    with pytest.raises(ValueError, match="stop"), show_progress("ground", "pairs", lambda: State(0, 0.0)):
        raise ValueError("stop")
    assert "progress" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 00 s"), (61, "1 min 01 s"), (3600, "1 h 00 min"), (100_000, "27 h 46 min")],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert progress._duration(seconds) == text


def test_without_standard_error_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    with show_progress("ground", "pairs", lambda: State(0, 0.0)):
        assert "progress" not in [thread.name for thread in threading.enumerate()]
