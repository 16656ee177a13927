"""Settings that fail each pair, or name no column: refused before a new run, and a run that has begun goes on."""

import pytest

import gritmill
from pipeline.faults import CallError
from pipeline.ground import driver
from pipeline.plan import plan_sources
from tests import sample_pairs

ROWS = [{"caption": "a dog and a cat", "uid": 7}]


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"detector": {"short_side": 24, "canvas_step": 24}}, "detector.short_side: 24: an input of 24 x 24 "),
        ({"source": {"columns": {"phrases": "caption"}}}, "source.columns.phrases: .* has the captions in the column "),
    ],
)
def test_only_a_new_run_is_refused(tmp_path, monkeypatch, parser, grounding_dino, sections, told):
    inputs = sample_pairs.write_rows(ROWS, tmp_path / "in")
    detector = {"model": str(grounding_dino), "device": "cpu", "threads": 1, **sections.get("detector", {})}
    settings = {"phrases": {"model": str(parser)}, **sections, "detector": detector}
    call = {"inputs": [inputs], "output": tmp_path / "out"}
    with pytest.raises(CallError, match=told):
        gritmill.ground(settings, **call)
    assert not (tmp_path / "out" / "detections").exists()
    with monkeypatch.context() as earlier_release:
        earlier_release.setattr(driver, "check_new_run", lambda configuration: None)
        earlier_release.setattr(plan_sources, "_check_named", lambda *_: None)
        gritmill.ground(settings, **call)
    [done] = (tmp_path / "out" / "detections").glob("0*/*.done.json")
    done.unlink()
    gritmill.ground(settings, **call)
    assert done.exists()
