"""Behaviour that all stages share, tested with boxes and with stages defined here."""

from dataclasses import replace

import pytest

from pipeline.engines import heartbeat
from pipeline.ground.commit_chunk import commit_chunk
from pipeline.ids import ChunkId
from pipeline.stages.boxes import Boxes
from pipeline.stages.hashes import Hashes
from pipeline.stages.runner import StageRunner
from pipeline.tables.detections import open_detections
from tests.pipeline.builders import PROVENANCE
from tests.transforms.detectors.test_candidates import pair, png
from transforms.detectors.base import Found
from transforms.detectors.settings import DetectorSettings
from transforms.images import ImageLimits
from transforms.isolation import isolated_model
from transforms.isolation.bisect import UnhealthyDevice
from transforms.isolation.child_process import ChildProcess
from transforms.isolation.isolated_model import ModelProcess
from transforms.records import Box, Chunk, FailureStage, Fault, Pair, Reason

HALF = Box(0, 0.25, 0.25, 0.75, 0.75, 0.5)


class Steady:
    """Finds the same box for every phrase, unless a phrase says what to do instead."""

    def __init__(self, settings):
        self.calls = []

    def detect(self, requests):
        self.calls.append(len(requests))
        return [self.answer(request) for request in requests]

    def answer(self, request):
        if "boom" in request.phrases:
            raise RuntimeError("boom")
        if "outside" in request.phrases:
            return [Box(0, 0.5, 0.5, 1.5, 0.7, 0.5)]
        if "thin" in request.phrases:  # its area is 0 in float32
            return [Box(0, 0.5, 0.5, 0.5 + 1e-9, 1, 0.5)]
        if "flat" in request.phrases:
            return [Box(0, 0.5, 0.5, 0.5, 0.7, 0.5)]
        if "nan" in request.phrases:
            return [Box(0, 0.1, 0.1, 0.5, 0.7, float("nan"))]
        if "unknown" in request.phrases:
            return [Box(7, 0.1, 0.1, 0.5, 0.7, 0.5)]
        if "list" in request.phrases:
            return [Box(0, 0, 0, 1, 1, 0.25), Box(0, 0, 0, 1, 1, 0.875)]
        request.image.load()
        return Found(tuple(Box(n, *HALF.corners, 0.5) for n in range(len(request.phrases))))


class Forgetful(Steady):
    def detect(self, requests):
        return super().detect(requests)[:-1]


class Dead(Steady):
    def detect(self, requests):
        raise RuntimeError("no more")


def runner(model=f"{__name__}:Steady", max_pixels=10_000, **settings):
    return StageRunner(Boxes(DetectorSettings(model=str(model), **settings), ImageLimits(max_pixels)))


def calls_of(used):
    return used._model.detector._detector.calls


def test_pairs_lose_their_images_and_gain_boxes():
    done = runner().process([pair(0, "a dog", "a dog"), pair(1, "a cat a dog", "a cat", "a dog")])
    assert [p.data for p in done] == [b"", b""]
    assert [[box.phrase for box in p.boxes] for p in done] == [[0], [0, 1]]


def test_a_picture_that_is_cut_never_reaches_a_detector_of_ones_own():
    used = runner()
    cut = pair(1, "a dog", "a dog", data=png()[:-30])
    whole, failed, other = used.process([pair(0, "a dog", "a dog"), cut, pair(2, "a cat", "a cat")])
    assert (failed.error.stage, failed.error.reason) == (FailureStage.IMAGE, Reason.TRUNCATED)
    assert [box.phrase for one in (whole, other) for box in one.boxes]
    assert calls_of(used) == [2]


def test_pairs_without_a_phrase_or_with_a_fault_never_reach_the_detector():
    used = runner()
    fault = Fault(FailureStage.READ, Reason.BROKEN_ROW)
    pairs = [pair(0, "so"), pair(1, "a dog", "a dog", error=fault), pair(2, "a dog", "a dog")]
    done = used.process(pairs)
    assert calls_of(used) == [1]
    assert [p.error for p in done] == [None, fault, None]
    assert [len(p.boxes) for p in done] == [0, 0, 1]
    assert all(p.data == b"" for p in done)


def test_no_detector_is_loaded_where_there_is_nothing_to_do():
    used = runner("no_such_package:make")
    assert used.process([pair(0, "so")])[0].data == b""
    assert used.process([]) == []


def test_the_detector_is_loaded_once():
    used = runner()
    used.process([pair(0, "a dog", "a dog")])
    first = used._model
    used.process([pair(1, "a dog", "a dog")])
    assert used._model is first


@pytest.mark.parametrize("word", ["boom", "outside", "flat", "thin", "nan", "unknown"])
def test_only_the_pair_that_a_detector_of_ones_own_fails_on_is_blamed(word):
    pairs = [pair(0, "a dog", "a dog"), pair(1, word, word), pair(2, "a cat", "a cat")]
    done = runner().process(pairs)
    assert [p.error and (p.error.stage, p.error.reason) for p in done] == [
        None,
        (FailureStage.BOXES, Reason.EXCEPTION),
        None,
    ]
    assert [len(p.boxes) for p in done] == [1, 0, 1]


def test_plain_boxes_are_an_answer_and_get_sorted():
    (done,) = runner().process([pair(0, "list", "list")])
    assert [box.score for box in done.boxes] == [0.875, 0.25]


def test_too_few_answers_are_no_answer():
    with pytest.raises(UnhealthyDevice, match="0 answers for 1 request"):
        runner(f"{__name__}:Forgetful").process([pair(0, "a dog", "a dog"), pair(1, "a cat", "a cat")])


def test_a_detector_that_fails_on_everything_is_nobodys_fault():
    with pytest.raises(UnhealthyDevice, match="no more"):
        runner(f"{__name__}:Dead").process([pair(0, "a dog", "a dog")])


def test_a_grounding_dino_is_told_whom_to_tell_its_progress(grounding_dino):
    progress_calls = []
    used = runner(grounding_dino, device="cpu", batch=1)
    done = used.process([pair(n, "a dog", "a dog") for n in range(3)], progress_calls.append)
    assert progress_calls == [1, 2, 3]
    assert all(p.boxes for p in done)


def test_a_picture_over_the_pixel_limit_is_an_image_fault(grounding_dino):
    used = runner(grounding_dino, 96 * 64 - 1, device="cpu")
    (done,) = used.process([pair(0, "a dog", "a dog")])
    assert (done.error.stage, done.error.reason) == (FailureStage.IMAGE, Reason.TOO_MANY_PIXELS)


def test_what_another_attempt_has_committed_first_is_what_later_stages_see(tmp_path):
    table, stage = open_detections(str(tmp_path / "detections")), Boxes(DetectorSettings())
    first, late = (Pair("k", "s", 0, "a dog", boxes=(Box(0, 0, 0, 0.5, 0.5, score),)) for score in (0.5, 0.25))
    for boxes in (first, late):
        chunk = Chunk(0, 0, 0, (replace(boxes, data=b"jpeg"),), rows=(boxes,))
        done = commit_chunk(table, stage, chunk, PROVENANCE)
        assert done.pairs == (replace(first, data=b"jpeg"),)
        assert done.digests == {"detections": table.open(ChunkId(0, 0, 0)).digest}


class FakeChild(ChildProcess):
    """Calls functions in this process. images: by stage, whether its pairs came with images."""

    alive = True

    def __init__(self):
        self.images = {}

    def call(self, function, stage, *arguments, notes=None):
        if function is isolated_model._child_process:
            self.images[stage] = all(one.data for one in arguments[0])
        return function(stage, *arguments)


def test_with_a_child_process_rows_and_records_are_the_same_and_only_stages_that_need_images_get_them(monkeypatch):
    child, pairs = FakeChild(), tuple(pair(n, "a dog", "a dog") for n in range(3))
    for one in (runner(), StageRunner(Hashes())):
        here = one.run(Chunk(0, 0, 0, pairs))
        before = heartbeat.counter()
        apart = StageRunner(one.stage, child=ModelProcess(child), in_child=True).run(Chunk(0, 0, 0, pairs))
        assert heartbeat.counter() > before  # the model was loaded
        assert apart == here
        assert apart.recorded == here.recorded
    light = runner().stage
    monkeypatch.setattr(Boxes, "reads_images", False)
    StageRunner(light, child=ModelProcess(child), in_child=True).run(Chunk(0, 0, 0, pairs))
    assert child.images == {"boxes": False, "hashes": True}
