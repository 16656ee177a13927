import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForZeroShotObjectDetection

from pipeline.configuration import validate
from pipeline.faults import CallError
from pipeline.model_identity.identify import check_new_run
from tests.tiny_models import make_grounding_dino
from tests.transforms.detectors.grounding_dino.test_model import loaded, request
from transforms import bundled
from transforms.detectors.grounding_dino.input_size import check_input, count_places, explain_small, least_side
from transforms.detectors.settings import DetectorSettings
from transforms.records import Reason

SCENE_GROUNDER = Path(bundled.model_path("scene-grounder"))
TINY = {"backbone_config": {"model_type": "swin", "out_features": ["stage2", "stage3", "stage4"]}}
"""What the config.json of Grounding DINO tiny has in addition to the defaults: 900 queries, 4 levels."""


def config_of(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text())


def settings(folder: Path, **values: int) -> DetectorSettings:
    return DetectorSettings(model=str(folder), **values)


@pytest.fixture(scope="module")
def four_levels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_grounding_dino(tmp_path_factory.mktemp("model"), levels=4)


@pytest.mark.parametrize(("width", "height"), [(72, 65), (96, 33), (100, 36), (8, 200)])
def test_the_places_are_those_of_the_model(grounding_dino, mm_grounding_dino, four_levels, width, height):
    for folder in (grounding_dino, mm_grounding_dino, four_levels):
        model = AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
        ids = torch.tensor([[101, 200, 1012, 102]])
        with torch.inference_mode():
            output = model(pixel_values=torch.zeros(1, 3, height, width), input_ids=ids)
        assert output.encoder_last_hidden_state_vision.shape[1] == count_places(config_of(folder), width, height)


def test_tiny_needs_224_pixels_and_more_than_32_of_a_banner():
    assert least_side(TINY, 32) == 224
    assert least_side(TINY, 1) == 201
    assert not explain_small(TINY, 1056, 800)
    told = "an input of 1312 x 32 pixels has 882 places, fewer than the 900 queries of the model"
    assert explain_small(TINY, 1312, 32) == told
    assert count_places({"backbone_config": {"model_type": "resnet"}}, 8, 8) is None
    assert not explain_small({}, 1, 1)


@pytest.mark.parametrize("step", [1, 8, 32])
def test_the_least_side_works_and_one_step_less_does_not(step):
    least = least_side(config_of(SCENE_GROUNDER), step)
    [found] = loaded(SCENE_GROUNDER, canvas_step=step, short_side=least, long_side=96).detect([request(1, width=64)])
    assert found.error is None
    assert len(found.boxes) > 0
    less = loaded(SCENE_GROUNDER, canvas_step=step, short_side=least - step, long_side=96)
    [found] = less.detect([request(1, width=64)])
    assert found.error.detail.startswith(f"ValueError: an input of {least - step} x {least - step} pixels has ")


def test_a_banner_fails_alone():
    """The probe, which shows that the device works, is large enough also if the step is small."""
    detector = loaded(SCENE_GROUNDER, canvas_step=1, short_side=48, long_side=80)
    requests = [request(1), replace(request(2, width=800, height=8), phrases=("a dog",)), request(3)]
    first, banner, last = detector.detect(requests)
    assert (first.error, last.error) == (None, None)
    assert banner.error.reason == Reason.EXCEPTION
    assert banner.error.detail == (
        "ValueError: an input of 80 x 1 pixels has 18 places, fewer than the 40 queries of the model"
    )


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"short_side": 1}, "detector.short_side: 1: an input of 32 x 32 pixels has 21 places"),
        ({"short_side": 10, "canvas_step": 1}, "detector.short_side: 10: an input of 10 x 10 pixels has 6 places"),
        ({"short_side": 31, "long_side": 31, "canvas_step": 20}, "detector.short_side: 31: an input of 20 x 20 pixels"),
        ({"long_side": 63}, "detector.long_side: 63 is less than the short side, 64"),
    ],
)
def test_a_new_run_with_too_small_an_input_is_refused(tmp_path, grounding_dino, values, told):
    config = config_of(grounding_dino) | {"num_queries": 22}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "processor_config.json").write_bytes((grounding_dino / "processor_config.json").read_bytes())
    with pytest.raises(CallError) as refused:
        check_new_run(validate({"detector": {"model": str(tmp_path), **values}}))
    assert str(refused.value).startswith(told)
    assert "\n" not in str(refused.value)


def test_sizes_that_work_are_taken(tmp_path, grounding_dino):
    for values in (
        {},
        {"short_side": 48},
        {"canvas_step": 1},
        {"long_side": 10**9},
        {"canvas_step": 96},
        {"canvas_step": 97},
    ):
        check_input(settings(grounding_dino, **values), grounding_dino)
    (tmp_path / "config.json").write_text(json.dumps(TINY))
    check_input(settings(tmp_path), tmp_path)  # of the hub: its processor is not on this machine yet
    check_input(settings(tmp_path, long_side=500), tmp_path)
    with pytest.raises(ValueError, match=r"^detector\.short_side: 160: .* use at least 224$"):
        check_input(settings(tmp_path, short_side=160), tmp_path)
    sizes = {"size": {"shortest_edge": 800, "longest_edge": 1333}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(sizes))
    with pytest.raises(ValueError, match=r"^detector\.long_side: 500 is less than the short side, 800$"):
        check_input(settings(tmp_path, long_side=500), tmp_path)


@pytest.mark.parametrize("text", ['{"size": 800, "max_size": 1333}', '{"size": 8', "[1]", '{"size": null}'])
def test_a_processor_without_sizes_refuses_nothing(tmp_path, text):
    """Early releases of transformers wrote one number. Whoever loads the file says what is wrong with it."""
    (tmp_path / "config.json").write_text(json.dumps(TINY))
    (tmp_path / "preprocessor_config.json").write_text(text)
    check_input(settings(tmp_path, long_side=500), tmp_path)
