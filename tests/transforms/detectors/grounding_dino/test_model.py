import io
import json
import math
import shutil
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor, BertConfig

from tests.shared import DATA, GROUNDER, needs_shared
from transforms.detectors.base import Request
from transforms.detectors.grounding_dino import model as module
from transforms.detectors.grounding_dino import precision as cpu_precision
from transforms.detectors.grounding_dino.model import GroundingDino, resize_rule
from transforms.detectors.grounding_dino.prompts import BORDERS
from transforms.detectors.load import load_detector
from transforms.detectors.settings import DetectorSettings
from transforms.isolation.bisect import NotFiniteError, UnhealthyDevice
from transforms.records import Drop, FailureStage, Fault, Reason
from transforms.selection.select_boxes import ious


def png(seed, width=96, height=64):
    """Returns a picture of coloured tiles, different for each seed."""
    tiles = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    target = io.BytesIO()
    Image.fromarray(tiles).resize((width, height), Image.Resampling.NEAREST).save(target, "PNG")
    return target.getvalue()


def request(seed, *phrases, width=96, height=64):
    return Request(png(seed, width, height), width, height, phrases or ("a dog", "the red car"))


def loaded(folder, **settings):
    return GroundingDino.load(DetectorSettings(**{"model": str(folder), "device": "cpu", "floor": 0.0, **settings}))


shared = cache(loaded)
"""The same, loaded once: for tests that change nothing in it."""


@pytest.fixture(scope="module", params=["grounding-dino", "mm-grounding-dino"])
def folder(request, grounding_dino, mm_grounding_dino):
    return grounding_dino if request.param == "grounding-dino" else mm_grounding_dino


def assert_same(found, others, tolerance=1e-4):
    """The rule of sameness: boxes match one to one per phrase, corners and score within the tolerance."""
    assert len(found) == len(others)
    for one, other in zip(found, others, strict=True):
        assert one.error is other.error is None
        assert one.boxes
        assert (one.cut, one.dropped) == (other.cut, other.dropped)
        assert [box.phrase for box in one.boxes] == [box.phrase for box in other.boxes]
        rows = np.array([(box.phrase, *box.corners, box.score) for box in one.boxes])
        partners = np.array([(box.phrase, *box.corners, box.score) for box in other.boxes])
        far = np.abs(rows[:, None] - partners[None]).max(axis=2)
        assert far.min(axis=1).max() <= tolerance
        assert len(set(far.argmin(axis=1))) == len(rows)


def mixed_requests():
    """Pictures of three canvases and captions of different lengths."""
    return [
        request(1, "a dog"),
        request(2, "a dog", "the red car", "a yellow bird near the old house"),
        request(3, "flowers", width=64, height=64),
        request(4, "a cat on the table", "a hat"),
        request(5, "two horses", width=64, height=96),
        request(6, "the man", "the woman", "the boy", "the girl"),
        request(7, "a boat", "the street", width=64, height=64),
    ]


def test_scores_are_those_of_the_stock_processor_and_model_pooled_over_the_span(folder):
    single = request(1, "a dog", "the red car")
    (found,) = shared(folder, candidates=1000).detect([single])
    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    inputs = processor(images=single.image, text="a dog . the red car .", return_tensors="pt")
    with torch.inference_mode():
        output = model(**inputs)
    scores = output.logits.sigmoid()[0, :, 1:3].mean(-1), output.logits.sigmoid()[0, :, 4:7].mean(-1)
    x, y, w, h = output.pred_boxes[0].unbind(-1)
    corners = torch.stack((x - w / 2, y - h / 2, x + w / 2, y + h / 2), -1).clip(0, 1)
    for phrase in (0, 1):
        boxes = [box for box in found.boxes if box.phrase == phrase]
        order = scores[phrase].argsort(descending=True)
        np.testing.assert_allclose([box.score for box in boxes], scores[phrase][order], atol=1e-5)
        np.testing.assert_allclose([box.corners for box in boxes], corners[order], atol=1e-5)


def test_answers_depend_on_picture_and_phrase(folder):
    detector = shared(folder)
    one, other_picture, other_phrase = (
        detector.detect([single])[0].boxes[0].score
        for single in (request(1, "a dog"), request(2, "a dog"), request(1, "a bird"))
    )
    assert abs(one - other_picture) > 1e-4
    assert abs(one - other_phrase) > 1e-4


@pytest.mark.parametrize("batch", [4, *(pytest.param(batch, marks=pytest.mark.slow) for batch in (2, 7))])
def test_the_batch_does_not_change_the_results(folder, batch):
    detector = shared(folder, batch=1)
    alone = [detector.detect([single])[0] for single in mixed_requests()]
    assert_same(shared(folder, batch=batch).detect(mixed_requests()), alone)


def test_neighbours_do_not_change_a_result(folder):
    detector = shared(folder, batch=4)
    requests = mixed_requests()
    forward = detector.detect(requests)
    assert_same(detector.detect(requests[::-1])[::-1], forward)
    assert_same(detector.detect([requests[0], request(99, "a house"), request(98, "a ball")])[:1], forward[:1])


def test_the_same_call_twice_gives_the_same_bits(folder):
    found = loaded(folder).detect(mixed_requests())
    assert all(answer.boxes for answer in found)
    assert loaded(folder).detect(mixed_requests()) == found


def test_several_captions_of_one_image_are_answered_each_for_itself(folder):
    data = png(1)
    captions = [("a dog",), ("the red car", "a dog"), ("a hat",)]
    together = shared(folder).detect([Request(data, 96, 64, phrases) for phrases in captions])
    assert_same(together, [shared(folder).detect([request(1, *phrases)])[0] for phrases in captions])


def test_an_image_of_several_captions_is_decoded_once(folder, monkeypatch):
    opened = []
    known = Image.open
    monkeypatch.setattr(Image, "open", lambda *args, **options: opened.append(args) or known(*args, **options))
    data = png(1)
    shared(folder, batch=1).detect([Request(data, 96, 64, (phrase,)) for phrase in ("a dog", "a cat", "a hat")])
    assert len(opened) == 1


def test_boxes_are_sorted_numbered_and_inside_the_picture(folder):
    for single, found in zip(mixed_requests(), shared(folder).detect(mixed_requests()), strict=True):
        assert found.error is None
        assert {box.phrase for box in found.boxes} == set(range(len(single.phrases)))
        assert list(found.boxes) == sorted(found.boxes, key=lambda box: (box.phrase, -box.score))
        for box in found.boxes:
            assert 0 <= box.x1 < box.x2 <= 1
            assert 0 <= box.y1 < box.y2 <= 1
            assert 0 <= box.score <= 1
            assert all(type(value) is float for value in (*box.corners, box.score))


@pytest.mark.parametrize("forward", ["fast", "stock"])
def test_a_model_whose_queries_are_no_boxes_is_refused(grounding_dino, tmp_path, forward):
    shutil.copytree(grounding_dino, tmp_path / "model")
    config = json.loads((tmp_path / "model/config.json").read_text())
    (tmp_path / "model/config.json").write_text(json.dumps(config | {"two_stage": False}))
    with pytest.raises(ValueError, match=r"^detector\.model: .*/model has two_stage off in its config\.json"):
        load_detector(DetectorSettings(model=str(tmp_path / "model"), forward=forward))


def test_what_the_cap_cuts_off_is_counted(folder):
    (everything,) = shared(folder, candidates=1000).detect([request(1)])
    (capped,) = shared(folder, candidates=3).detect([request(1)])
    assert everything.cut == 0
    assert capped.cut == len(everything.boxes) - 6
    for phrase in (0, 1):
        all_boxes = [box for box in everything.boxes if box.phrase == phrase]
        assert [box for box in capped.boxes if box.phrase == phrase] == all_boxes[:3]


def test_boxes_at_or_below_the_floor_are_not_kept(folder):
    (everything,) = shared(folder).detect([request(1)])
    floor = sorted(box.score for box in everything.boxes)[len(everything.boxes) // 2]
    (kept,) = shared(folder, floor=floor).detect([request(1)])
    assert list(kept.boxes) == [box for box in everything.boxes if box.score > floor]
    assert kept.cut == 0


def test_more_phrases_than_one_prompt_holds_are_merged(folder):
    phrases = tuple(
        f"the {colour} {thing}" for colour in ("red", "blue", "green") for thing in ("dog", "cat", "car", "hat", "boat")
    )
    (found,) = shared(folder).detect([request(1, *phrases, "a " * 70, "...")])
    assert {box.phrase for box in found.boxes} == set(range(15))
    assert list(found.boxes) == sorted(found.boxes, key=lambda box: (box.phrase, -box.score))
    assert found.dropped == {15: Drop.TOO_LONG, 16: Drop.NO_TOKEN}


def test_a_request_without_a_phrase_that_can_be_asked_is_answered(folder):
    none, some = shared(folder).detect([request(1, "..."), request(2, "a dog")])
    assert (none.boxes, none.error, none.dropped) == ((), None, {0: Drop.NO_TOKEN})
    assert some.boxes


def test_nothing_asked_nothing_answered(folder):
    assert shared(folder).detect([]) == []


# Faults. The model is wrapped, so that "bird" in a prompt triggers a fault.


class Wrapped:
    """A model whose outputs are changed, or whose calls fail, by `spoil(input_ids, output)`."""

    def __init__(self, detector, spoil):
        self.model, self.spoil, self.config = detector.model, spoil, detector.model.config
        self.bird = detector.tokenizer("bird", add_special_tokens=False)["input_ids"][0]
        self.sizes = []
        detector.model = self

    def __call__(self, **inputs):
        rows = (inputs["input_ids"] == self.bird).any(dim=1)
        self.sizes.append(len(rows))
        if "before" in self.spoil:
            self.spoil["before"](rows)
        output = self.model(**inputs)
        fields = SimpleNamespace(logits=output.logits.clone(), pred_boxes=output.pred_boxes.clone())
        if "after" in self.spoil:
            self.spoil["after"](rows, fields)
        return fields


def spoilt(folder, batch=4, threads=1, **spoil):
    detector = loaded(folder, batch=batch, threads=threads)
    wrapped = Wrapped(detector, spoil)
    return detector, wrapped


def birds():
    return [request(1, "a dog"), request(2, "a bird"), request(3, "a cat"), request(4, "the car"), request(5, "a hat")]


def assert_only_the_bird_fails(folder, found, fault):
    sound = shared(folder).detect(birds())
    assert (found[1].error, found[1].boxes) == (fault, ())
    assert_same([*found[:1], *found[2:]], [*sound[:1], *sound[2:]])


@pytest.mark.parametrize("field", ["logits", "pred_boxes"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_output_that_is_not_finite_is_a_fault_of_its_pair_and_no_boxes(grounding_dino, field, value):
    def spoil(rows, output):
        getattr(output, field)[rows, 3, 1] = value

    detector, _ = spoilt(grounding_dino, after=spoil)
    fault = Fault(FailureStage.BOXES, Reason.NOT_FINITE, "logits or boxes are not finite")
    assert_only_the_bird_fails(grounding_dino, detector.detect(birds()), fault)


def test_one_bad_prompt_of_several_fails_the_whole_pair(grounding_dino):
    def spoil(rows, output):
        output.logits[rows] = math.nan

    detector, wrapped = spoilt(grounding_dino, after=spoil)
    found = detector.detect([request(1, *["the big red dog"] * 15, "a bird"), request(2, "a dog")])
    assert sum(wrapped.sizes) > 2
    assert (found[0].error.reason, found[0].boxes) == (Reason.NOT_FINITE, ())
    assert found[1].boxes


def test_a_model_that_gives_nothing_finite_is_nobodys_fault(grounding_dino):
    def spoil(rows, output):
        output.logits[:] = math.nan

    detector, _ = spoilt(grounding_dino, after=spoil)
    with pytest.raises(UnhealthyDevice, match="not finite"):
        detector.detect([request(1, "a dog"), request(2, "a cat")])


def test_an_exception_in_a_batch_is_traced_to_its_culprit(grounding_dino):
    def spoil(rows):
        if rows.any():
            raise RuntimeError("a bird\nin the engine")

    detector, _ = spoilt(grounding_dino, before=spoil)
    line = spoil.__code__.co_firstlineno + 2
    fault = Fault(FailureStage.BOXES, Reason.EXCEPTION, f"RuntimeError: a bird (test_model.py:{line})")
    assert_only_the_bird_fails(grounding_dino, detector.detect(birds()), fault)


def test_out_of_memory_halves_the_batch(grounding_dino):
    def spoil(rows):
        if len(rows) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    detector, wrapped = spoilt(grounding_dino, before=spoil)
    assert_same(detector.detect(birds()), loaded(grounding_dino).detect(birds()))
    assert wrapped.sizes == [4, 2, 2, 1]


def test_a_fault_of_every_pair_is_nobodys_fault(grounding_dino):
    def spoil(rows):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    detector, _ = spoilt(grounding_dino, before=spoil)
    with pytest.raises(UnhealthyDevice, match="illegal memory access"):
        detector.detect(birds())


def test_the_probe_fails_where_the_model_gives_nothing_finite(grounding_dino):
    def fail_or_spoil(rows):
        if rows.any():
            raise RuntimeError("a bird")

    def spoil(rows, output):
        output.logits[:] = math.nan

    detector, _ = spoilt(grounding_dino, before=fail_or_spoil, after=spoil)
    with pytest.raises(UnhealthyDevice):
        detector.detect([request(1, "a bird")])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (png(1)[:120], {Reason.TRUNCATED, Reason.UNDECODABLE}),
        (b"<html>", {Reason.NOT_AN_IMAGE}),
        (b"", {Reason.NOT_AN_IMAGE}),
    ],
)
def test_a_picture_that_does_not_decode_is_a_fault_of_its_pair(grounding_dino, data, reason):
    requests = birds()
    requests[1] = Request(data, 96, 64, ("a bird",))
    found = loaded(grounding_dino).detect(requests)
    assert found[1].error.stage == FailureStage.IMAGE
    assert found[1].error.reason in reason
    assert_only_the_bird_fails(grounding_dino, found, found[1].error)


def test_pictures_none_of_which_decodes_run_no_model(grounding_dino):
    detector, wrapped = spoilt(grounding_dino)
    found = detector.detect([Request(b"", 96, 64, ("a dog",)), Request(b"{}", 96, 64, ("a cat",))])
    assert [answer.error.reason for answer in found] == [Reason.NOT_AN_IMAGE] * 2
    assert wrapped.sizes == []


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_is_not_taken_for_a_fault(grounding_dino, threads):
    def spoil(rows):
        raise KeyboardInterrupt

    detector, _ = spoilt(grounding_dino, threads=threads, before=spoil)
    with pytest.raises(KeyboardInterrupt):
        detector.detect(birds())


def test_batches_hold_equal_canvases_only_and_no_more_than_the_setting(grounding_dino):
    detector, wrapped = spoilt(grounding_dino, batch=3)
    detector.detect(mixed_requests())
    assert wrapped.sizes == [3, 1, 2, 1]  # four of 96 x 64, two of 64 x 64, one of 64 x 96


def test_prompts_reach_the_model_without_a_border_inside_a_phrase(grounding_dino):
    seen = []
    detector = loaded(grounding_dino)
    forward = detector._forward
    detector._forward = lambda batch: seen.extend(batch) or forward(batch)
    detector.detect([request(1, "St. Louis?", "a [SEP] dog")])
    prompt = seen[0][0].prompt
    assert not BORDERS & {token for first, last in prompt.spans for token in prompt.ids[first:last]}


def test_progress_grows_to_the_number_of_requests(grounding_dino):
    progress_calls = []
    detector = loaded(grounding_dino, batch=2)
    detector.progress = progress_calls.append
    detector.detect([*mixed_requests(), request(9, *["the big red dog"] * 30)])
    assert progress_calls == sorted(progress_calls)
    assert progress_calls[-1] == 8


@pytest.fixture
def one_by_one(monkeypatch):
    monkeypatch.setattr(module, "_LARGE", 0)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_answer_for_a_large_image_is_the_same_to_the_bit_in_any_batch(
    grounding_dino, one_by_one, monkeypatch, precision, threads
):
    monkeypatch.setattr(cpu_precision, "has_bfloat16", lambda: True)
    same_canvas = [one for one in mixed_requests() if (one.width, one.height) == (96, 64)]
    alone, of_four = (loaded(grounding_dino, precision=precision, batch=batch, threads=threads) for batch in (1, 4))
    expected = [alone.detect([one])[0] for one in same_canvas]
    assert len(expected) == 4
    assert of_four.detect(same_canvas) == expected
    assert of_four.detect(same_canvas[::-1]) == expected[::-1]
    monkeypatch.setattr(module, "_LARGE", 10**9)
    assert of_four.detect(same_canvas) != expected  # the padding of their texts


def test_captions_of_a_large_image_share_the_backbone(grounding_dino, one_by_one):
    phrases = ("a dog", "the red car", "a hat near the old house", "it")
    requests = [request(seed, phrase) for seed in (1, 2, 1) for phrase in phrases]
    detector = loaded(grounding_dino, batch=6)
    backbone, calls = detector.model.model.backbone.conv_encoder.model, []
    backbone.backbone.register_forward_pre_hook(lambda _, inputs: calls.append(len(inputs[0])))
    expected = [detector.detect([one])[0] for one in requests]
    assert calls == [1] * 12
    calls.clear()
    assert detector.detect(requests) == expected
    assert calls == [1] * 4  # two images in each of two batches
    with torch.inference_mode():  # nothing is kept for a call from elsewhere
        backbone(torch.zeros(1, 3, 64, 96, dtype=torch.uint8), return_dict=True)
        backbone(torch.zeros(1, 3, 64, 96, dtype=torch.uint8), return_dict=True)
    assert calls == [1] * 6


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("fault", [torch.OutOfMemoryError, NotFiniteError])
def test_a_large_image_that_fails_costs_the_others_of_its_batch_nothing(grounding_dino, one_by_one, fault, threads):
    def spoil(rows, output=None):
        if rows.any():
            raise fault("a bird")

    asked = ((2, "a hat"), (2, "a bird"), (2, "a cat"), (1, "a dog"), (2, "a car"))
    captions = [request(seed, phrase) for seed, phrase in asked]
    detector, wrapped = spoilt(grounding_dino, threads=threads, after=spoil)
    backbone, calls = wrapped.model.model.backbone.conv_encoder.model.backbone, []
    backbone.register_forward_pre_hook(lambda _, inputs: calls.append(len(inputs[0])))
    found = detector.detect(captions)
    assert [one.error is None for one in found] == [True, False, True, True, True]
    assert wrapped.sizes == [1] * 6  # and the probe
    assert calls == [1] * 5  # image 2, the probe, image 2, image 1, and image 2 of the next batch
    sound = shared(grounding_dino).detect(captions)
    assert [found[0], *found[2:]] == [sound[0], *sound[2:]]


def test_a_model_that_fails_for_every_large_image_is_nobodys_fault(grounding_dino, one_by_one):
    def spoil(rows):
        raise RuntimeError("no kernel")

    detector, wrapped = spoilt(grounding_dino, before=spoil)
    with pytest.raises(UnhealthyDevice, match="no kernel"):
        detector.detect(birds())
    assert wrapped.sizes == [1, 1]  # an image, and the probe


@pytest.mark.parametrize(
    ("device", "forward", "sides", "expected"),
    [
        ("cpu", "fast", (800, 1056), True),
        ("cpu", "fast", (1056, 800), True),
        ("cpu", "fast", (384, 512), False),
        ("cpu", "stock", (800, 1056), False),
        ("cuda:0", "fast", (800, 1056), False),
    ],
)
def test_which_images_pass_tiny_one_by_one(grounding_dino, device, forward, sides, expected):
    detector = copy(shared(grounding_dino))
    detector.model = SimpleNamespace(config=SimpleNamespace(d_model=256))
    detector.device, detector.settings = device, detector.settings.model_copy(update={"forward": forward})
    assert detector._one_by_one(*sides) is expected


def test_two_threads_get_what_one_gets(grounding_dino):
    detector = loaded(grounding_dino)
    expected = detector.detect(mixed_requests())
    answers = {}
    threads = [
        threading.Thread(target=lambda n=n: answers.update({n: detector.detect(mixed_requests())})) for n in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 3
    for answer in answers.values():
        assert_same(answer, expected, 1e-6)


# Loading.


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_float16_on_a_cpu_is_refused(grounding_dino, monkeypatch, device):
    monkeypatch.setattr(module, "pick_device", lambda wish: "cpu")
    with pytest.raises(ValueError, match=r"precision:? float16"):
        loaded(grounding_dino, precision="float16", device=device)


def test_a_model_of_another_family_is_refused(tmp_path):
    BertConfig().save_pretrained(tmp_path)
    with pytest.raises(
        ValueError, match=r"detector\.model: .* is a bert; it must be one of grounding-dino, mm-grounding-dino"
    ):
        load_detector(DetectorSettings(model=str(tmp_path)))


def test_a_model_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        loaded(tmp_path / "nowhere")


def test_weights_that_are_no_safetensors_are_not_loaded(grounding_dino, tmp_path):
    for file in grounding_dino.iterdir():
        if file.suffix == ".json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    model = AutoModelForZeroShotObjectDetection.from_pretrained(grounding_dino)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        loaded(tmp_path)


@pytest.mark.parametrize("kind", ["grounding-dino", "their-own"])
def test_code_that_comes_with_a_checkpoint_is_not_run(grounding_dino, tmp_path, kind):
    folder = tmp_path / "model"
    shutil.copytree(grounding_dino, folder)
    config = json.loads((folder / "config.json").read_text())
    names = {"AutoConfig": "theirs.Config", "AutoModelForZeroShotObjectDetection": "theirs.Model"}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": kind, "auto_map": names}))
    (folder / "theirs.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: pass\nclass Model: pass\n")
    settings = DetectorSettings(model=str(folder), device="cpu")
    if kind == "grounding-dino":
        assert load_detector(settings).detect([request(1)])
    else:
        with pytest.raises(ValueError, match="is a their-own; it must be one of grounding-dino"):
            load_detector(settings)
    assert not (tmp_path / "ran").exists()


def test_the_model_says_how_long_a_prompt_may_be(grounding_dino):
    assert loaded(grounding_dino).limit == 64


@pytest.fixture
def torch_with_three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("settings", "small", "threads", "streams"),
    [
        ({"threads": 2}, 10**7, 1, 2),
        ({"threads": 20}, 10**7, 1, 8),
        ({"threads": 2}, 1000, 2, 1),
        ({"threads": 2, "forward": "stock"}, 10**7, 2, 1),
        ({}, 10**7, 1, 3),
    ],
)
def test_threads_divide_the_batches_of_a_small_model_and_the_products_of_a_large_one(
    grounding_dino, monkeypatch, torch_with_three_threads, settings, small, threads, streams
):
    monkeypatch.setattr(module, "_SMALL", small)
    detector = loaded(grounding_dino, **settings)
    assert (detector.threads, detector.streams, detector.made["threads"]) == (threads, streams, threads * streams)


@pytest.mark.parametrize("small", [0, 10**7])
def test_the_threads_of_torch_are_those_of_the_detector_only_while_it_works(grounding_dino, monkeypatch, small):
    monkeypatch.setattr(module, "_SMALL", small)
    before, seen, known = torch.get_num_threads(), [], module.optimize
    monkeypatch.setattr(module, "optimize", lambda *given: seen.append(torch.get_num_threads()) or known(*given))
    detector, _ = spoilt(grounding_dino, threads=3, before=lambda rows: seen.append(torch.get_num_threads()))
    assert (seen.pop(), torch.get_num_threads()) == (3, before)
    detector.detect(birds())
    assert {*seen} == {1 if small else 3}
    detector.run_batch(birds(), detector.batches(birds())[0])
    assert ({*seen}, torch.get_num_threads()) == ({1 if small else 3}, before)


@pytest.mark.parametrize("small", [0, 10**7])
def test_calls_at_the_same_time_leave_torch_its_threads(grounding_dino, monkeypatch, torch_with_three_threads, small):
    monkeypatch.setattr(module, "_SMALL", small)
    inside, over = threading.Event(), threading.Event()
    first, _ = spoilt(grounding_dino, threads=2, before=lambda rows: inside.set() or over.wait(0.2))
    other = loaded(grounding_dino, threads=4)

    def second():
        inside.wait(20)
        other.detect([request(1)])
        over.set()
        return torch.get_num_threads()

    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(second)
        first.detect([request(2)])
        after = seen.result(), torch.get_num_threads()
    with ThreadPoolExecutor(1) as pool:  # its thread has not used torch before
        assert (*after, pool.submit(torch.get_num_threads).result()) == (3, 3, 3)


# Several batches at a time.


def varied_requests():
    """Prompts of different lengths for images of three sizes."""
    return [replace(one, phrases=one.phrases * (1 + i % 3)) for i, one in enumerate(mixed_requests() * 4)]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_small_model_answers_the_same_with_any_number_of_threads(folder, monkeypatch, precision):
    monkeypatch.setattr(module, "check_cpu", lambda settings: None)  # elsewhere, bfloat16 is emulated
    expected, *others = (
        loaded(folder, batch=2, threads=n, precision=precision).detect(varied_requests()) for n in (1, 2, 5)
    )
    assert others == [expected] * 2
    assert any(found.boxes for found in expected)


def test_two_batches_are_in_the_model_at_the_same_time(grounding_dino):
    both = threading.Barrier(2, timeout=20)
    detector, wrapped = spoilt(grounding_dino, batch=1, threads=2, before=lambda rows: both.wait())
    assert detector.detect(birds()[:4]) == loaded(grounding_dino, batch=1, threads=1).detect(birds()[:4])
    assert wrapped.sizes == [1] * 4


def test_a_batch_that_fails_spares_those_beside_it(grounding_dino):
    def spoil(rows):
        if rows.any():
            raise RuntimeError("an operator failed")

    detector, _ = spoilt(grounding_dino, batch=2, threads=2, before=spoil)
    line = spoil.__code__.co_firstlineno + 2
    fault = Fault(FailureStage.BOXES, Reason.EXCEPTION, f"RuntimeError: an operator failed (test_model.py:{line})")
    assert_only_the_bird_fails(grounding_dino, detector.detect(birds()), fault)


@pytest.mark.parametrize(("small", "streams"), [(0, 1), (10**7, 2)])
def test_a_model_that_fails_on_every_batch_ends_all_threads(grounding_dino, monkeypatch, small, streams):
    monkeypatch.setattr(module, "_SMALL", small)

    def spoil(rows):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    detector, _ = spoilt(grounding_dino, batch=1, threads=2, before=spoil)
    with pytest.raises(UnhealthyDevice, match="illegal memory access") as _held:  # with the frames of the call
        detector.detect(birds())
    assert detector._free.qsize() == streams
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("forward", "decode"))]


def processor(**size):
    return SimpleNamespace(size=size, image_mean=[0.5] * 3, image_std=[0.25] * 3, resample=2)


@pytest.mark.parametrize(
    ("size", "settings", "sides"),
    [
        ({"shortest_edge": 64, "longest_edge": 96}, {}, (64, 96)),
        ({"shortest_edge": 64, "longest_edge": 96}, {"short_side": 48, "long_side": 480}, (48, 480)),
        ({"shortest_edge": 640}, {}, (640, 1333)),
        ({"shortest_edge": 1600}, {}, (1600, 1600)),
        ({}, {}, (800, 1333)),
    ],
)
def test_sides_come_from_the_settings_then_from_the_models_processor(size, settings, sides):
    rule = resize_rule(processor(**size), DetectorSettings(**settings))
    assert (rule.short_side, rule.long_side) == sides
    assert (rule.mean, rule.std, rule.step) == ((0.5,) * 3, (0.25,) * 3, 32)


def test_a_long_side_below_the_short_one_is_refused():
    with pytest.raises(ValueError, match=r"detector\.long_side: 100 is less than the short side, 800"):
        resize_rule(processor(), DetectorSettings(long_side=100))


# The reference model, if available.


def scenes(count):
    """Returns pictures of the synthetic set with their records."""
    with tarfile.open(DATA / "scenes" / "00000.tar") as tar:
        for number in range(count):
            read = [tar.extractfile(f"{number:09}.{ending}").read() for ending in ("jpg", "json")]
            yield read[0], json.loads(read[1])


@pytest.mark.slow
@needs_shared
def test_a_trained_model_finds_what_the_phrases_name_whatever_the_batch():
    records = list(scenes(40))
    requests = [Request(data, 160, 160, tuple({t["text"]: 0 for t in record["truth"]})) for data, record in records]
    found = loaded(GROUNDER, floor=0.05, batch=8).detect(requests)
    assert_same(loaded(GROUNDER, floor=0.05, batch=1).detect(requests), found)
    hits = []
    for one, (_, record), answer in zip(requests, records, found, strict=True):
        for number, phrase in enumerate(one.phrases):
            best = next(box for box in answer.boxes if box.phrase == number)
            true = [corners for t in record["truth"] if t["text"] == phrase for corners in t["boxes"]]
            hits.append(ious([best.corners], true).max() >= 0.5)
    assert len(hits) > 80
    assert sum(hits) / len(hits) > 0.95


def test_fast_decoding_changes_only_jpegs_of_twice_the_canvas(grounding_dino):
    def jpeg(width, height):
        tiles = np.random.default_rng(width).integers(0, 256, (4, 6, 3), dtype=np.uint8)
        target = io.BytesIO()
        Image.fromarray(tiles).resize((width, height)).save(target, "JPEG")
        return Request(target.getvalue(), width, height, ("a dog",))

    small = [request(1, "a dog", width=400, height=240), jpeg(120, 80), jpeg(191, 128)]
    large = [jpeg(201, 133), jpeg(401, 267), jpeg(133, 201), jpeg(800, 533)]
    exact, fast = (loaded(grounding_dino, decode=name, batch=1).detect([*small, *large]) for name in ("exact", "fast"))
    assert [one == other for one, other in zip(exact, fast, strict=True)] == [True] * 3 + [False] * 4
    assert not any(found.error for found in fast)
