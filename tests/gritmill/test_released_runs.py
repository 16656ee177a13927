"""Runs of released versions stay usable. `tests/data/released/README.md` says how they were written."""

import fcntl
import json
import os
import re
import shutil
import tarfile
from pathlib import Path

import pytest

import gritmill
from gritmill.exports import formats
from pipeline.configuration import Configuration
from pipeline.tables.pair_rows import SCHEMA
from pipeline.tables.row_files import decode
from tests.data.released.write import ABSENT, PLACE, STAMP
from transforms import bundled

RELEASED = Path(__file__).resolve().parents[1] / "data" / "released"
CONFIG = {
    "chunk": {"pairs": 4},
    "phrases": {"model": "caption-parser"},
    "detector": {"model": "scene-grounder", "threads": 1},
    "shards": {"pairs": 16},
}
CHUNKS = "detections/0*/*"
WRITTEN = 19

pytestmark = pytest.mark.filterwarnings("ignore:scene-grounder works only")


@pytest.fixture(scope="session")
def inputs():
    """Puts the inputs at the paths and with the times in the plans. All processes of the suite share them."""
    PLACE.parent.mkdir(mode=0o700, exist_ok=True)
    if PLACE.parent.is_symlink() or PLACE.parent.stat().st_uid != os.getuid():
        pytest.skip(f"{PLACE.parent} is somebody else's")
    PLACE.mkdir(exist_ok=True)
    with (PLACE.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for path in (RELEASED / "inputs").iterdir():
            target = PLACE / path.name
            if target.exists() and target.read_bytes() == path.read_bytes() and target.stat().st_mtime == STAMP:
                continue
            shutil.copyfile(path, target.with_suffix(".new"))
            os.utime(target.with_suffix(".new"), (STAMP, STAMP))
            target.with_suffix(".new").replace(target)
    return [PLACE]


@pytest.fixture
def copy(inputs, tmp_path):
    """Makes a copy of a released run."""

    def made(name):
        shutil.copytree(RELEASED / name, tmp_path / name)
        return tmp_path / name

    return made


def content(run, pattern=CHUNKS):
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.glob(pattern)) if path.is_file()}


def rows(run, pattern=CHUNKS):
    """Returns the pairs of a detections table, in order. Columns that are newer than the release have the default."""
    chunks = [path for path in sorted(run.glob(pattern)) if path.suffix == ".parquet" and path.name[0] != "."]
    return [row for path in chunks for row in decode(path.read_bytes(), SCHEMA).to_pylist()]


def without_boxes(row):
    return {name: value for name, value in row.items() if name != "boxes"}


def assert_same_but_for_rounding(some, others):
    """Another processor may round the detector's sums differently."""
    assert [without_boxes(row) for row in some] == [without_boxes(row) for row in others]
    for one, other in zip(some, others, strict=True):
        assert [box["phrase"] for box in one["boxes"]] == [box["phrase"] for box in other["boxes"]]
        for mine, theirs in zip(one["boxes"], other["boxes"], strict=True):
            assert mine == pytest.approx(theirs, abs=1e-4)


def test_a_finished_run_is_found_done(copy, inputs):
    run = copy("finished")
    before = content(run, "**/*")
    gritmill.run(CONFIG, inputs=inputs, output=run)
    after = content(run, "**/*")
    assert {name for name in before if before[name] != after.get(name)} <= {"detections/.gritmill.models.json"}
    assert set(after) - set(before) == {"run.log"}


def test_a_finished_run_is_not_continued_with_a_limit_that_it_did_not_have(copy, inputs):
    with pytest.raises(gritmill.CallError, match=r"\(source\.max_scans changed\)"):
        gritmill.ground({**CONFIG, "source": {"max_scans": 500}}, inputs=inputs, output=copy("finished"))


def without_checksums(files):
    """JSON files as release 0.1 wrote them: without the checksum."""
    return {name: re.sub(rb'\n  "checksum": "[0-9a-f]{32}",', b"", data) for name, data in files.items()}


def test_a_finished_run_is_packed_to_the_same_shards(copy):
    run = copy("finished")
    manifest = gritmill.pack(CONFIG, output=run, fresh=True)
    released = json.loads((RELEASED / "finished" / "manifest.json").read_text())
    newer_keys = {"configuration": Configuration.complete(released["configuration"])}
    newer_keys["warnings"] = [bundled.SCENE_GROUNDER_WARNING]
    assert {**manifest, "versions": {}} == {**released, **newer_keys, "versions": {}}
    for names in ("shards/*", "statistics.json"):
        assert without_checksums(content(run, names)) == content(RELEASED / "finished", names)


def test_a_finished_run_is_packed_with_other_settings(copy, tmp_path):
    run = copy("finished")
    other = {
        **CONFIG,
        "selection": {"score": 0.5, "ambiguous_phrases": "drop"},
        "text": {"dialect": ["shikra", "qwen-vl"]},
    }
    manifest = gritmill.pack(other, output=tmp_path / "other", detections=run)
    assert manifest["ledger"]["read"] == 27
    assert 0 < manifest["ledger"]["written"] <= WRITTEN
    assert manifest["configuration"]["selection"]["ambiguous_phrases"] == "drop"
    del other["selection"]["ambiguous_phrases"]
    manifest = gritmill.pack(other, output=tmp_path / "another", detections=run)
    assert manifest["configuration"]["selection"]["ambiguous_phrases"] == "first"  # as in its release


@pytest.mark.parametrize("to", formats())
def test_a_finished_run_is_exported_in_every_format(copy, tmp_path, to):
    figures = gritmill.export(copy("finished"), to, tmp_path / "out")["figures"]
    without_fact = "captions without a fact that boxes decide, left out"
    assert figures["samples"] + figures.get(without_fact, 0) == WRITTEN
    left_out = {kind for kind, number in figures.items() if number and "left out" in kind}
    assert left_out <= {
        without_fact,
        "facts without a picture that shows the opposite, left out",
        "boxes of phrases that overlap others, left out",
        "expressions with several boxes, left out",
        "images without a ref, left out",
        "generation, left out: every expression names several things",
        "pointing, left out: no point lies in one thing alone",
    }


def test_a_finished_run_is_read_validated_viewed_and_exported(copy, tmp_path):
    run = copy("finished")
    assert [finding.text for finding in gritmill.validate(run)] == [""] * WRITTEN
    assert len(list(gritmill.read(run))) == WRITTEN
    shown = gritmill.view(run, tmp_path / "page")
    assert (shown["kept"], shown["rejected"], shown["failed"]) == (WRITTEN, 3, 5)
    gritmill.export(run, "coco", tmp_path / "coco")
    exported = json.loads((tmp_path / "coco" / "instances.json").read_text())
    assert len(exported["annotations"]) == 72
    assert all(category["name"] == category["name"].lower() for category in exported["categories"])
    for to in ("yolo", "refcoco", "flickr30k-entities"):
        counts = gritmill.export(run, to, tmp_path / to)["figures"]
        assert counts["samples"] == WRITTEN


@pytest.mark.slow
def test_failed_pairs_of_a_finished_run_are_done_again(copy, inputs):
    run = copy("finished")
    before = content(run)
    manifest = gritmill.run(CONFIG, inputs=inputs, output=run, retry_failed="missing_file")
    assert manifest["ledger"]["failed"] == {"image": {"undecodable": 1}, "read": {"broken_row": 1}}
    after = content(run)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"detections/00001/00000-00001.parquet", "detections/00001/00000.done.json"}
    old, new = rows(RELEASED / "finished", "detections/00001/*"), rows(run, "detections/00001/*")
    mended = [n for n, row in enumerate(old) if row["error"] and row["error"]["reason"] == "missing_file"]
    assert [new[n]["image_uri"] for n in mended] == [str(PLACE / ABSENT)] * 3
    sound = [n for n, row in enumerate(old) if n not in mended]
    assert_same_but_for_rounding([old[n] for n in sound], [new[n] for n in sound])


@pytest.mark.slow
def test_a_finished_run_takes_in_another_source(copy, inputs, tmp_path):
    run = copy("finished")
    before = content(run)
    shutil.copyfile(RELEASED / "inputs" / "a.tar", tmp_path / "more.tar")
    manifest = gritmill.run(CONFIG, inputs=[*inputs, tmp_path / "more.tar"], output=run, extend=True)
    after = content(run)
    assert {name: after[name] for name in before} == before
    assert manifest["ledger"]["read"] == 27 + 10
    moved = ("source", "image_uri")
    first, last = rows(run, "detections/00000/*"), rows(run, "detections/00003/*")
    assert_same_but_for_rounding(
        [{**row, **dict.fromkeys(moved)} for row in first], [{**row, **dict.fromkeys(moved)} for row in last]
    )


def test_a_run_that_was_killed_goes_on(copy, inputs):
    run = copy("half-done")
    committed = content(run, "detections/0*/[0-9]*.parquet")
    assert len(committed) == 1
    gritmill.ground(CONFIG, inputs=[PLACE], output=run)
    after = content(run)
    assert {name: after[name] for name in committed} == committed
    names = {name for name in content(RELEASED / "finished") if name.endswith((".parquet", ".done.json"))}
    assert set(after) == names
    mine, theirs = rows(run), rows(RELEASED / "finished")
    there = [n for n, row in enumerate(theirs) if row["error"] is None or row["error"]["reason"] != "missing_file"]
    assert_same_but_for_rounding([mine[n] for n in there], [theirs[n] for n in there])
    assert not content(run, "detections/working/*")


def test_a_run_that_was_killed_is_packed_in_part(copy):
    run = copy("half-done")
    with pytest.raises(gritmill.CallError, match="3 of 3 ranges are not done"):
        gritmill.pack(CONFIG, output=run)
    manifest = gritmill.pack(CONFIG, output=run, partial=True)
    assert manifest["partial"]
    assert manifest["ledger"]["read"] == 4
    with (
        tarfile.open(run / "shards" / "00000.tar") as mine,
        tarfile.open(RELEASED / "finished/shards/00000.tar") as full,
    ):
        for member in mine.getmembers()[:12]:
            assert mine.extractfile(member).read() == full.extractfile(member.name).read()
