from pathlib import Path

import pytest

from pipeline import files
from pipeline.faults import CallError
from pipeline.plan.find_sources import find_sources
from tests import fake_object_store
from tests.pipeline.builders import stored
from tests.pipeline.plan.test_plan import TABLE


def test_sources_are_sorted_and_each_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b/x.jsonl", "a/x.jsonl", "c.jsonl"):
        stored(tmp_path / name, TABLE)
    monkeypatch.chdir(tmp_path)
    inputs = [str(tmp_path / "c.jsonl"), "b/x.jsonl", f"{tmp_path}/*/x.jsonl", "file://" + str(tmp_path / "c.jsonl")]
    found = find_sources(inputs)
    assert [info.uri for info in found] == [str(tmp_path / name) for name in ("a/x.jsonl", "b/x.jsonl", "c.jsonl")]


def test_a_folder_gives_the_sources_that_lie_in_it(tmp_path: Path) -> None:
    for name in ("b.tar", "a.jsonl", "notes.txt", "deeper/c.tar"):
        stored(tmp_path / "in" / name, "")
    found = find_sources([str(tmp_path / "in")])
    assert [files.name(info.uri) for info in found] == ["a.jsonl", "b.tar"]


def test_a_prefix_of_an_object_store_gives_the_sources_that_lie_in_it(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path)
    for name in ("in/b.tar", "in/a.jsonl", "in/notes.txt", "in/deeper/c.tar"):
        fake_object_store.put(f"shelf://data/{name}", b"")
    assert [info.uri for info in find_sources(["shelf://data/in"])] == [
        "shelf://data/in/a.jsonl",
        "shelf://data/in/b.tar",
    ]


def test_what_a_run_writes_into_its_folder_is_no_source_of_it(tmp_path: Path) -> None:
    """After the first call, patterns match shards and JSON that it wrote."""
    own = ["out/shards/00000.tar", "out/manifest.json", "out/detections/00000/00000.done.json"]
    own += ["out/detections/plan.json", "out/detections/working/00000-00000-00000.json"]
    users = ["00000.tar", "out/a.tar", "out/shards/b.tar", "out/00000.tar", "out/deep/shards/00000.tar", "out2/c.tar"]
    users += ["out/deep/er/plan.json"]
    for name in own + users:
        stored(tmp_path / name, "")
    lines: list[str] = []
    patterns = [f"{tmp_path}/**/*.tar", f"{tmp_path}/**/*.json"]
    found = find_sources(patterns, tell=lines.append, run=f"{tmp_path}/out")
    assert {info.uri for info in found} == {f"{tmp_path}/{name}" for name in users}
    assert lines == [f"left out: 5 files that this run wrote, first {tmp_path}/out/detections/00000/00000.done.json"]
    planned = {f"{tmp_path}/{own[0]}"}
    assert planned < {info.uri for info in find_sources(patterns, planned=planned, run=f"{tmp_path}/out")}
    with pytest.raises(CallError, match=r"^--input: matches only files that this run wrote, first .*/00000\.tar$"):
        find_sources([f"{tmp_path}/out/shards/0*.tar"], run=f"{tmp_path}/out")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("*.tar", "matches no file"), ("nowhere.tar", "no such file"), ("nowhere/*.tar", "matches no file")],
)
def test_an_input_that_names_nothing_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    stored(tmp_path / "a.jsonl", TABLE)
    with pytest.raises(CallError, match=rf"^--input: .*: {reason}$"):
        find_sources([str(tmp_path / "a.jsonl"), str(tmp_path / name)])


def test_a_brace_pattern_gives_its_files_here_and_on_an_object_store(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path / "shelf")
    names = ["a/000.tar", "a/001.tar", "b/x.jsonl", "b/y.jsonl"]
    for name in names:
        stored(tmp_path / name, "")
        fake_object_store.put(f"shelf://data/{name}", b"")
    for root in (str(tmp_path), "shelf://data"):
        found = find_sources([f"{root}/{{b/*.jsonl,a/{{000..001}}.tar}}"])
        assert [info.uri for info in found] == [f"{root}/{name}" for name in names]
        assert len(find_sources([f"{root}/{{a,b}}"])) == 4


def test_what_exists_with_braces_in_its_name_is_taken_as_it_is(tmp_path: Path) -> None:
    for name in ("{a,b}.tar", "a.tar", "{c,d}/1.tar", "c/1.tar"):
        stored(tmp_path / name, "")
    found = find_sources([f"{tmp_path}/{{a,b}}.tar", f"{tmp_path}/{{c,d}}/*.tar"])
    assert [info.uri for info in found] == [f"{tmp_path}/{{a,b}}.tar", f"{tmp_path}/{{c,d}}/1.tar"]


@pytest.mark.parametrize("root", ["", "shelf://data"])
def test_a_shard_that_is_missing_from_a_range_is_named(tmp_path: Path, root: str) -> None:
    fake_object_store.use(tmp_path / "shelf")
    for number in (0, 1, 3, 5):
        stored(tmp_path / f"{number:02}.tar", "")
        fake_object_store.put(f"shelf://data/{number:02}.tar", b"")
    root = root or str(tmp_path)
    with pytest.raises(CallError) as one:
        find_sources([f"{root}/{{00..03}}.tar"])
    assert str(one.value) == f"--input: {root}/02.tar: no such file; it is part of {root}/{{00..03}}.tar"
    with pytest.raises(CallError, match=r"02\.tar: no such file \(and 1 more of its 6 paths\); it is part of "):
        find_sources([f"{root}/{{00..05}}.tar"])
    with pytest.raises(CallError, match=r"/9\*\.tar: matches no file; it is part of "):
        find_sources([f"{root}/{{0,9}}*.tar"])
