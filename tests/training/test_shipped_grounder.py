"""The scene-grounder that is shipped with gritmill, on scenes that are not in its training data."""

import json
from io import BytesIO

import pytest
import torch
from PIL import Image
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

from pipeline.configuration import Configuration
from pipeline.threshold import default_threshold
from training.scene_grounder.evaluate import figures, query_model
from training.scene_grounder.tars import read_tars
from transforms import bundled
from transforms.detectors.settings import DetectorSettings

FOLDER = bundled.folder("models") / "scene-grounder"
SCENES = bundled.folder("examples") / "scenes"


def test_it_is_small_and_holds_nothing_but_a_model():
    files = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert files["model.safetensors"] <= 8_000_000
    assert set(files) == {
        *("MODEL_CARD.md", "config.json", "gritmill.json", "model.safetensors", "processor_config.json"),
        *("report.json", "tokenizer.json", "tokenizer_config.json"),
    }


def test_it_loads_with_the_stock_classes_in_the_precision_that_is_right_on_a_cpu():
    model = AutoModelForZeroShotObjectDetection.from_pretrained(FOLDER).eval()
    processor = AutoProcessor.from_pretrained(FOLDER)
    example = next(read_tars(SCENES))
    text = " . ".join(truth.text.lower() for truth in example.truths) + " ."
    inputs = processor(images=Image.open(BytesIO(example.data)), text=text, return_tensors="pt")
    with torch.inference_mode():
        output = model(**inputs)
    assert model.dtype == torch.float32
    assert torch.isfinite(output.pred_boxes).all()
    assert output.logits.sigmoid().max() > 0.3


def test_the_threshold_is_measured_and_the_report_is_of_it():
    threshold = default_threshold(Configuration(detector=DetectorSettings(model="scene-grounder")))
    assert threshold.measured
    report = json.loads((FOLDER / "report.json").read_text())
    assert {one["threshold"] for one in report.values()} == {threshold.score}
    for name in ("fresh", "scenes"):
        assert report[name]["recall_at_1"] >= 0.985
        assert report[name]["plural_ranked"] >= 0.95
        assert report[name]["absent"] <= 0.05
        assert report[name]["present"] >= 0.95
    assert report["unseen combinations"]["recall_at_1"] >= 0.97


@pytest.fixture(scope="module")
def found():
    threshold = default_threshold(Configuration(detector=DetectorSettings(model="scene-grounder"))).score
    return figures(query_model(FOLDER, list(read_tars(SCENES))[:50]), threshold)


def test_the_best_box_of_a_phrase_is_right(found):
    assert found.recall_at_1 >= 0.96


def test_present_phrases_keep_a_right_box_and_absent_ones_get_few(found):
    assert found.present >= 0.94
    assert found.absent <= 0.1
