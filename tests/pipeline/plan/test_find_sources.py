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


@pytest.mark.parametrize(
    ("name", "reason"),
    [("*.tar", "matches no file"), ("nowhere.tar", "no such file"), ("nowhere/*.tar", "matches no file")],
)
def test_an_input_that_names_nothing_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    stored(tmp_path / "a.jsonl", TABLE)
    with pytest.raises(CallError, match=rf"^--input: .*: {reason}$"):
        find_sources([str(tmp_path / "a.jsonl"), str(tmp_path / name)])
