"""`gritmill audit` of the folders that `gritmill export` writes: each pair is read once."""

import pytest

import gritmill
from gritmill.auditing.find_files import find_files
from gritmill.exports.options import ExportOptions, RelationForm
from pipeline.faults import CallError


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
    assert find_files([str(tmp_path / "out")], print) == [f"{tmp_path}/out/{to}.jsonl"]


@pytest.mark.parametrize("dialect", ["kosmos2", "qwen2.5-vl", "florence2", "paligemma"])
def test_no_answer_of_the_instructions_is_broken(finished, tmp_path, dialect):
    figures = gritmill.export(finished, "instructions", tmp_path / "out", ExportOptions(dialect=dialect))["figures"]
    result = gritmill.audit(tmp_path / "out", dialect=dialect, no_claims=True)
    assert result["checks"]["broken_row"]["found"] == result["checks"]["left_markup"]["found"] == 0
    without_boxes = figures["pointing"] + figures.get("generation", 0)
    assert result["checks"]["no_boxes"]["found"] == without_boxes > 0


@pytest.mark.parametrize("to", ["grit", "odvg", "hf"])
@pytest.mark.parametrize("below", ["", "ours"], ids=["itself", "in a tree"])
@pytest.mark.parametrize("damage", ["killed", "damaged"])
def test_an_export_that_is_not_finished_is_refused(finished, tmp_path, to, below, damage):
    """Its rows may be in its parts, in their table and in the file over all parts."""
    gritmill.export(finished, to, tmp_path / below / "out")
    summary = tmp_path / below / "out" / "export.json"
    if damage == "killed":
        summary.unlink()
    else:
        summary.write_text(summary.read_text().replace("figures", "figure"))
    with pytest.raises(CallError, match="out: this export is not finished; run gritmill export again"):
        gritmill.audit(tmp_path if below else tmp_path / "out", no_claims=True)
