"""`gritmill audit` of the folders that `gritmill export` writes: each pair is read once."""

import pytest

import gritmill
from gritmill.auditing.find_files import find_files
from gritmill.exports.options import ExportOptions, RelationForm


@pytest.mark.parametrize("to", ["grit", "odvg", "mdetr", "hf", "tsv"])
def test_each_pair_of_an_export_is_counted_once(finished, tmp_path, to):
    summary = gritmill.export(finished, to, tmp_path / "out")
    result = gritmill.audit(tmp_path / "out", no_claims=True)
    assert result["counts"]["pairs"] == summary["figures"]["samples"] > 0
    assert result["checks"]["broken_row"]["found"] == 0


@pytest.mark.parametrize(
    ("to", "options"),
    [("instructions", {}), ("relations", {"form": RelationForm.AS_V2, "allow_blind": True})],
)
def test_conversations_are_read_from_the_lines_alone(finished, tmp_path, to, options):
    gritmill.export(finished, to, tmp_path / "out", options=ExportOptions(**options))
    assert (tmp_path / "out" / f"{to}.json").exists()
    assert find_files([str(tmp_path / "out")]) == [f"{tmp_path}/out/{to}.jsonl"]
