"""Real photos and captions, and scenes with true boxes, from `../shared`, which is not part of the repository."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

import gritmill
from gritmill.evaluation.quality import find_phrase
from pipeline.tables.detections import read_all
from tests import sample_pairs
from tests.sameness import same
from tests.shared import GROUNDER, PARSER, SHARED, needs_shared
from transforms.detectors.grounding_dino.prompts import normalize
from transforms.records import Box
from transforms.selection.select_boxes import ious

pytestmark = [needs_shared, pytest.mark.slow]


def rows(out):
    return list(read_all(str(out / "detections")))


@pytest.fixture(scope="module")
def photo_runs(tmp_path_factory):
    """The 120 photos with five captions each, as four kinds of sources, each in a complete run."""
    folder = tmp_path_factory.mktemp("photos")
    config = {
        "phrases": {"model": str(PARSER)},
        "detector": {"model": str(GROUNDER), "threads": 1},
        "selection": {"score": 0.15},  # the detector was not trained on photos: low enough that most pairs pass
    }
    pictures, runs = sample_pairs.photos(), {}
    for kind in (sample_pairs.as_tars, sample_pairs.as_jsonl, sample_pairs.as_parquet, sample_pairs.as_coco):
        out = folder / f"out-{kind.__name__}"
        manifest = gritmill.run(config, inputs=[kind(pictures, folder / kind.__name__)], output=str(out))
        runs[kind.__name__] = (manifest, {(p.id, p.caption): p for p in rows(out)}, out)
    return runs


def test_four_kinds_of_sources_give_the_same_600_pairs(photo_runs):
    ledgers = [manifest["ledger"] for manifest, _, _ in photo_runs.values()]
    assert ledgers[0]["read"] == 600
    assert ledgers[0]["written"] >= 300
    assert all(ledger == ledgers[0] for ledger in ledgers)


def test_four_kinds_of_sources_give_the_same_phrases_and_boxes(photo_runs):
    _, first, _ = photo_runs["as_tars"]
    for _, other, _ in photo_runs.values():
        assert other.keys() == first.keys()
        flipped = [key for key in first if not same(first[key], other[key], floor=0.05, candidates=30)]
        assert len(flipped) <= 0.001 * len(first), flipped


def test_the_shards_of_photos_are_sound(photo_runs):
    for manifest, _, out in photo_runs.values():
        findings = list(gritmill.validate(str(out)))
        assert [f for f in findings if f.text] == []
        assert len(findings) == manifest["ledger"]["written"]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """The 300 grounded scenes: pair, true phrases, picture."""
    out = tmp_path_factory.mktemp("scenes")
    config = {
        "phrases": {"model": str(PARSER)},
        "detector": {"model": str(GROUNDER), "threads": 1},
        "selection": {"score": 0.37},
    }
    tars = SHARED / "data" / "scenes" / "*.tar"
    gritmill.run(config, inputs=[str(tars)], output=str(out))
    return [(pair, json.loads(pair.meta)["truth"], _picture(pair)) for pair in rows(out)]


def _picture(pair):
    with open(pair.image.uri, "rb") as file:
        file.seek(pair.image.offset)
        return Image.open(io.BytesIO(file.read(pair.image.length))).convert("RGB")


def test_phrases_and_boxes_of_scenes_are_as_good_as_the_bare_model(scenes, record_property):
    true = found = right = bare_right = 0
    bare = BareModel()
    for pair, truths, picture in scenes:
        best = bare.best_boxes(picture, [pair.text(phrase) for phrase in pair.phrases])
        for truth in truths:
            true += 1
            number = find_phrase(pair, truth)
            if number is not None:
                found += 1
                own = [box for box in pair.boxes if box.phrase == number]
                right += bool(own) and _hits(max(own, key=lambda box: box.score), truth)
                bare_right += _hits(best[number], truth)
    print(f"heads {found}/{true} = {found / true:.4f}; IoU >= 0.5: {right / found:.4f}, bare {bare_right / found:.4f}")
    assert found / true >= 0.95
    assert right / found >= bare_right / found - 0.01


def _hits(box, truth):
    return (ious([box.corners], truth["boxes"]) >= 0.5).any()


class BareModel:
    """Runs the stock processor and model, one picture at a time, with spans from the tokenizer's offsets."""

    def __init__(self):
        from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

        self.processor = AutoProcessor.from_pretrained(GROUNDER)
        self.model = AutoModelForZeroShotObjectDetection.from_pretrained(GROUNDER).eval()

    def best_boxes(self, picture, phrases):
        texts = [normalize(phrase) for phrase in phrases]
        prompt = " . ".join(texts) + " ."
        inputs = self.processor(images=picture, text=prompt, return_tensors="pt")
        offsets = self.processor.tokenizer(prompt, return_offsets_mapping=True)["offset_mapping"]
        with torch.inference_mode():
            output = self.model(**inputs)
        scores = output.logits[0].sigmoid().numpy()
        boxes = output.pred_boxes[0].numpy()
        best, start = [], 0
        for text in texts:
            tokens = [i for i, (a, b) in enumerate(offsets) if start <= a < b <= start + len(text)]
            cx, cy, w, h = map(float, boxes[np.argmax(scores[:, tokens].mean(axis=1))])
            best.append(Box(0, cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, 1.0))
            start += len(text) + len(" . ")
        return best
