import json
from pathlib import Path

import pytest

from pipeline.faults import CallError
from pipeline.threshold import SIDECAR, Threshold, active_threshold, default_threshold
from tests.pipeline.builders import NOT_OURS
from transforms.detectors.settings import DetectorSettings
from transforms.settings import SelectionSettings


def settings(model: str, span_score: str = "mean") -> DetectorSettings:
    return DetectorSettings.model_validate({"model": model, "span_score": span_score})


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "config.json").write_text('{"model_type": "grounding-dino"}')
    (tmp_path / SIDECAR).write_text(json.dumps({"score": {"mean": 0.4}, "measured": "on a hundred pairs"}))
    return str(tmp_path)


def test_a_model_brings_its_own_threshold(model: str) -> None:
    assert default_threshold(settings(model)) == Threshold(0.4, True, "on a hundred pairs")


@pytest.mark.parametrize("model_type", ["grounding-dino", "mm-grounding-dino", None])
def test_nobody_has_measured_the_others_and_that_is_said(tmp_path: Path, model_type: str | None) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    threshold = default_threshold(settings(str(tmp_path) if model_type else "my.module:make"))
    assert (threshold.score, threshold.measured) == (0.25, False)
    assert "not measured for this detector" in threshold.source


def test_a_measured_value_holds_for_its_span_score_only(model: str) -> None:
    assert not default_threshold(settings(model, "max")).measured


def test_what_is_set_goes_first_even_zero(model: str) -> None:
    default = default_threshold(settings(model))
    assert active_threshold(SelectionSettings(), default, 0.05) == default
    assert active_threshold(SelectionSettings(score=0.0), default, 0.0) == Threshold(
        0.0, False, "as set in the configuration"
    )
    assert "no box below 0.05" in active_threshold(SelectionSettings(score=0.0), default, 0.05).source


def test_the_embedded_detector_brings_its_own_too() -> None:
    assert default_threshold(settings("scene-grounder")).measured


@pytest.mark.parametrize(
    "content", [*NOT_OURS, b'{"score": {"mean": 7}, "measured": ""}', b'{"score": {"mean": NaN}, "measured": ""}']
)
def test_a_sidecar_of_another_shape_is_one_line_with_the_cure(model: str, content: bytes) -> None:
    (Path(model) / SIDECAR).write_bytes(content)
    with pytest.raises(CallError, match=rf"^{model}/{SIDECAR}: not a score threshold: .+; correct it or remove it$"):
        default_threshold(settings(model))
