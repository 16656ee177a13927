"""Decoys in a run: detections do not change, only the new table is computed, a retry gives what no fault gives."""

import pyarrow.parquet as pq
import pytest

import gritmill
from tests import plugin_detectors, sample_pairs

DETECTIONS, DECOYS = "detections/0*/*", "decoys/0*/*"


@pytest.fixture
def call(tmp_path, parser):
    plugin_detectors.Passing.sick = True
    config = sample_pairs.settings(parser, "tests.plugin_detectors:counting") | {"chunk": {"pairs": 4}}
    inputs = [sample_pairs.as_tars(sample_pairs.drawn(12), tmp_path / "in")]
    return {"config": config, "inputs": inputs, "output": str(tmp_path / "out")}


def with_decoys(call, number=2, **changes):
    return {**call, **changes, "config": {**call["config"], "decoys": {"number": number}}}


def rows(folder, table="decoys"):
    paths = sorted(folder.glob(f"{table}/0*/*.parquet"))
    return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]


def test_on_a_finished_run_only_the_decoys_are_asked_for(tmp_path, call, monkeypatch):
    gritmill.run(**call)
    kept = (DETECTIONS, "detections/plan.json", "shards/*", "manifest.json")
    before = sample_pairs.files_of(tmp_path / "out", *kept)
    monkeypatch.setattr(plugin_detectors.Counting, "asked", 0)
    gritmill.run(**with_decoys(call))
    assert sample_pairs.files_of(tmp_path / "out", *kept) == before
    found = rows(tmp_path / "out")
    assert plugin_detectors.Counting.asked == sum(bool(row["phrases"]) for row in found) > 6
    assert [row["key"] for row in found] == [row["key"] for row in rows(tmp_path / "out", "detections")]
    assert all(row["boxes"] for row in found if row["phrases"])
    assert "decoys: 12 rows" in (tmp_path / "out/report.html").read_text()
    gritmill.ground(**with_decoys(call, output=str(tmp_path / "at_once")))
    both = (DETECTIONS, DECOYS)
    assert sample_pairs.files_of(tmp_path / "out", *both) == sample_pairs.files_of(tmp_path / "at_once", *both)


def test_another_number_is_refused_and_names_the_table(call):
    gritmill.ground(**with_decoys(call))
    with pytest.raises(
        gritmill.CallError, match=r"decoys contains rows from other settings or code of decoys; .*remove"
    ):
        gritmill.ground(**with_decoys(call, 3))


def test_a_retry_gives_the_decoys_of_a_run_without_the_fault(tmp_path, call):
    call["config"]["detector"]["model"] = "tests.plugin_detectors:passing"
    gritmill.ground(**with_decoys(call))
    failed = [bool(row["error"]) for row in rows(tmp_path / "out", "detections")]
    assert sum(failed) == 4
    assert not any(row["phrases"] for row, bad in zip(rows(tmp_path / "out"), failed, strict=True) if bad)
    plugin_detectors.Passing.sick = False
    gritmill.ground(**with_decoys(call), retry_failed=True)
    gritmill.ground(**with_decoys(call, output=str(tmp_path / "whole")))
    both = (DETECTIONS, DECOYS)
    assert sample_pairs.files_of(tmp_path / "out", *both) == sample_pairs.files_of(tmp_path / "whole", *both)
