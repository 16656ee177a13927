import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.configuration import Configuration, validate
from pipeline.faults import CallError
from pipeline.threshold import SIDECAR, Threshold, active_threshold, default_threshold
from tests.pipeline.builders import NOT_OURS
from transforms.detectors.family import Family, FamilySettings
from transforms.detectors.settings import GROUP
from transforms.settings import SelectionSettings


def settings(model: str, ask: str = "chunk", **detector: Any) -> Configuration:
    return validate({"detector": {"model": model, **detector}, "phrases": {"ask": ask}})


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "config.json").write_text('{"model_type": "grounding-dino"}')
    return with_sidecar(tmp_path)


def with_sidecar(folder: Path, **more: Any) -> str:
    (folder / SIDECAR).write_text(json.dumps({"score": {"mean": 0.4}, "measured": "a hundred pairs", **more}))
    return str(folder)


def test_a_model_brings_its_own_threshold(model: str) -> None:
    threshold = default_threshold(settings(model))
    assert threshold == Threshold(0.4, True, "a hundred pairs")
    assert threshold.line == "0.4: the detector's default, measured on a hundred pairs"


@pytest.mark.parametrize("model_type", ["grounding-dino", "mm-grounding-dino", None])
def test_nobody_has_measured_the_others_and_that_is_said(tmp_path: Path, model_type: str | None) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    threshold = default_threshold(settings(str(tmp_path) if model_type else "my.module:make"))
    assert (threshold.score, threshold.measured) == (0.25, False)
    assert "not measured for this detector" in threshold.source


OTHERS: list[tuple[dict[str, Any], str]] = [
    ({"short_side": 320}, "detector.short_side 320 (measured with 160)"),
    ({"long_side": 640}, "detector.long_side 640 (measured with 224)"),
    ({"canvas_step": 64}, "detector.canvas_step 64 (measured with 32)"),
    ({"candidates": 2}, "detector.candidates 2 (measured with 30)"),
    ({"decode": "fast"}, "detector.decode fast (measured with exact)"),
    ({"precision": "bfloat16"}, "detector.precision bfloat16 (measured with float32)"),
    ({"ask": "head"}, "phrases.ask head (measured with chunk)"),
    (
        {"ask": "expression", "precision": "bfloat16"},
        "detector.precision bfloat16 (measured with float32), phrases.ask expression (measured with chunk)",
    ),
]


@pytest.mark.parametrize(("others", "named"), OTHERS)
def test_a_measured_value_is_called_so_only_with_the_settings_of_its_measurement(
    others: dict[str, Any], named: str
) -> None:
    threshold = default_threshold(settings("scene-grounder", **others))
    assert threshold == Threshold(0.184, False, f"the detector's default, not measured with {named}")
    assert threshold.line == f"0.184: {threshold.source}"


@pytest.mark.parametrize(
    "same",
    [
        {},
        {"short_side": 160, "long_side": 224},  # the model's own
        {"threads": 1, "batch": 16, "forward": "stock", "device": "cpu"},  # move scores by less than 1e-4
        {"floor": 0.1},
    ],
)
def test_the_embedded_detector_brings_its_own_too(same: dict[str, Any]) -> None:
    threshold = default_threshold(settings("scene-grounder", **same))
    assert (threshold.score, threshold.measured) == (0.184, True)
    assert threshold.origin == f"the detector's default, measured on {threshold.source}"


def test_a_score_of_another_span_score_is_a_guess(model: str) -> None:
    assert default_threshold(settings(model, span_score="max")) == Threshold(
        0.25, False, "a guess, not measured with detector.span_score max (measured with mean)"
    )


def test_a_value_that_was_measured_with_other_settings_says_so(model: str) -> None:
    with_sidecar(Path(model), settings={"detector.short_side": 800, "phrases.ask": ["head", "chunk"]})
    for ask in ("head", "chunk"):
        assert default_threshold(settings(model, ask, short_side=800)).measured
    assert default_threshold(settings(model)).source.endswith("detector.short_side none (measured with 800)")
    other = default_threshold(settings(model, "expression", short_side=800))
    assert other.source.endswith("not measured with phrases.ask expression (measured with head or chunk)")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"score": {"mean": 0.4}, "measured": "a", "score": {"mean": 0.2}}', "score"),
        ('{"score": {"mean": 0.4, "max": 0.3, "mean": 0.2}, "measured": "a"}', "mean"),
        ('{"score": {"mean": 0.4}, "measured": "a", "settings": {"phrases.ask": 1, "phrases.ask": 1}}', "phrases.ask"),
    ],
)
def test_a_name_that_is_twice_in_a_sidecar_is_refused(model: str, text: str, name: str) -> None:
    (Path(model) / SIDECAR).write_text(text)
    with pytest.raises(CallError, match=rf"{SIDECAR}: not a score threshold: ValueError: {name} is set twice; correct"):
        default_threshold(settings(model))


def test_how_a_sidecar_writes_its_values_does_not_matter(model: str) -> None:
    with_sidecar(Path(model), measured="a hundred\npairs", settings={"detector.short_side": ["160", None]})
    assert default_threshold(settings(model, short_side=160)).source == "a hundred pairs"
    assert default_threshold(settings(model)).measured
    assert "short_side 200 (measured with 160)" in default_threshold(settings(model, short_side=200)).source


class OwnSettings(FamilySettings):
    colours: tuple[str, ...] = ("red", "blue")
    tolerance: int = 10


OWN = Family("own", OwnSettings, score=0.5, load=lambda settings, path: None)  # type: ignore[arg-type,return-value]


def test_the_keys_of_a_family_of_another_package_count(tmp_path: Path, install: Callable[[str, str], None]) -> None:
    install(GROUP, f"own = {__name__}:OWN")
    (tmp_path / "config.json").write_text('{"model_type": "own"}')
    model = with_sidecar(tmp_path)
    assert default_threshold(settings(model, threads=2)).measured
    for others, named in (
        ({"tolerance": 40}, "detector.tolerance 40 (measured with 10)"),
        ({"colours": ["red"]}, "detector.colours red (measured with red, blue)"),
    ):
        assert default_threshold(settings(model, **others)).source.endswith(f"not measured with {named}")
    with_sidecar(tmp_path, settings={"detector.tolerance": [10, 40]})
    assert default_threshold(settings(model, tolerance=40)).measured


def test_what_is_set_goes_first_even_zero(model: str) -> None:
    default = default_threshold(settings(model))
    assert active_threshold(SelectionSettings(), default, 0.05) == default
    assert active_threshold(SelectionSettings(score=0.0), default, 0.0) == Threshold(
        0.0, False, "as set in the configuration"
    )
    assert "no box below 0.05" in active_threshold(SelectionSettings(score=0.0), default, 0.05).source


def test_a_default_below_the_floor_is_not_what_was_measured(model: str) -> None:
    default = default_threshold(settings(model))
    assert active_threshold(SelectionSettings(), default, 0.4) == default
    assert active_threshold(SelectionSettings(), default, 0.5) == Threshold(
        0.4, False, "the detector's default; ground kept no box below 0.5, its detector.floor"
    )


@pytest.mark.parametrize(
    "content",
    [
        *NOT_OURS,
        b'{"score": {"mean": 7}, "measured": ""}',
        b'{"score": {"mean": NaN}, "measured": ""}',
        b'{"score": {"mean": 0.2}, "measured": "", "settings": ["detector.short_side"]}',
        b'{"score": {"mean": 0.2}, "measured": "", "settings": {"detector.shortside": 800}}',
        b'{"score": {"mean": 0.2}, "measured": "", "settings": {"detector.threads": 1}}',
        b'{"score": {"mean": 0.2}, "measured": "", "settings": {"detector.precision": []}}',
        b'{"score": {}, "measured": ""}',
    ],
)
def test_a_sidecar_of_another_shape_is_one_line_with_the_cure(model: str, content: bytes) -> None:
    (Path(model) / SIDECAR).write_bytes(content)
    with pytest.raises(CallError, match=rf"^{model}/{SIDECAR}: not a score threshold: .+; correct it or remove it$"):
        default_threshold(settings(model))
