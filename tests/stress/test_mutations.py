"""The trial of mutated files: its bases are sound, and it notices what it is for."""

import random
import time
from pathlib import Path

import pytest

from pipeline.ground.load_images import ImageLoader
from pipeline.sources import base as sources
from stress import mutations
from stress.mutations import Base, Tally, read, write_bases


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutated")


@pytest.fixture(scope="module")
def bases(folder: Path) -> dict[str, Base]:
    return {base.name: base for base in write_bases(folder)}


def tally_of(base: Base, folder: Path, changed: dict[str, bytes] | None = None, seams: int = 0) -> Tally:
    tally = Tally(base.name)
    read(base.write(folder, changed or {}, 0), base, seams, tally, "a mutation", random.Random(0))
    return tally


def test_every_base_is_sound(folder: Path, bases: dict[str, Base]) -> None:
    two_captions = {"a.jsonl", "utf16.jsonl", "large.jsonl.gz", "a.json", "large.json.gz", "abouts"}
    for name, base in bases.items():
        assert tally_of(base, folder) == Tally(name, 1, good=24 if name in two_captions else 12)


def test_a_cut_costs_a_packed_file_only_what_follows(folder: Path, bases: dict[str, Base]) -> None:
    for name in ("large.tar.gz", "large.tar.zst", "large.csv.gz", "large.csv.zst", "embedded-large.jsonl.zst"):
        data = bases[name].files[name]
        tally = tally_of(bases[name], folder, {name: data[: len(data) * 9 // 10]})
        assert (tally.faults, tally.wrong) == (1, [])
        assert 3 <= tally.good < 12


def test_another_picture_is_noticed(folder: Path, bases: dict[str, Base], monkeypatch: pytest.MonkeyPatch) -> None:
    real, first = sources.image_reference, min(path.name for path in folder.glob("0-*.jpg"))
    for module in ("table", "coco"):
        monkeypatch.setattr(f"pipeline.sources.{module}.image_reference", lambda _, root: real(first, root))
    wrong = {name: tally_of(bases[name], folder).wrong for name in ("a.csv", "coco.json", "paths.parquet", "a.jsonl")}
    text = "a mutation: AssertionError: {} captions with the picture of another one"
    assert {name: [line.split(",")[0] for line in lines] for name, lines in wrong.items()} == {
        "a.csv": [text.format(11)],
        "coco.json": [text.format(11)],
        "paths.parquet": [text.format(11)],
        "a.jsonl": [text.format(22)],
    }


def test_a_seam_may_join_two_records(folder: Path, bases: dict[str, Base]) -> None:
    """Three of the records are joined, and one seam may give another picture to two captions at most."""
    lines = bases["delimiter.csv"].files["delimiter.csv"].splitlines(keepends=True)
    joined = [lines[n].split(b"^")[0] + b"^" + lines[n + 1].split(b"^")[1] for n in (1, 3, 5)]
    changed = {"delimiter.csv": lines[0] + b"".join(joined)}
    assert tally_of(bases["delimiter.csv"], folder, changed, seams=3).wrong == []
    assert len(tally_of(bases["delimiter.csv"], folder, changed, seams=1).wrong) == 1
    assert len(tally_of(bases["delimiter.csv"], folder, changed, seams=0).wrong) == 1


def test_a_mutation_of_every_base_finds_nothing_wrong() -> None:
    tallies = list(mutations.trial(70, seed=7))
    assert [tally.files for tally in tallies] == [2] * 35
    assert [line for tally in tallies for line in tally.wrong] == []


def test_no_reader_can_catch_the_end_of_the_time(
    folder: Path, bases: dict[str, Base], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object) -> None:
        try:
            time.sleep(5)
        except Exception:
            pytest.fail("a reader would take it for damage")

    monkeypatch.setattr(mutations, "_MAX_SECONDS", 0.05)
    monkeypatch.setattr(ImageLoader, "load", slow)
    assert tally_of(bases["a.csv"], folder).wrong == ["a mutation: _TooLong: more than 0.05 s"]
