import io
import pickle

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from PIL import Image

from transforms.detectors.base import Found, Request
from transforms.detectors.candidates import make_request, with_boxes
from transforms.detectors.grounding_dino.prompts import normalize
from transforms.detectors.lazy import LazyDetector
from transforms.detectors.localize_phrases import GroundingHandler, LocalizePhrases
from transforms.detectors.settings import DetectorSettings
from transforms.isolation.bisect import UnhealthyDevice
from transforms.records import Box, Chunk, Drop, Dropped, FailureStage, Fault, Pair, Phrase, Reason


def png(colour=(255, 0, 0)):
    target = io.BytesIO()
    Image.new("RGB", (96, 64), colour).save(target, "PNG")
    return target.getvalue()


def phrases_of(caption, *texts):
    """A phrase for each text, found from left to right."""
    phrases, done = [], 0
    for text in texts:
        start = caption.index(text, done)
        done = start + len(text)
        phrases.append(Phrase(start, done, start, done, start, done))
    return tuple(phrases)


def pair(index, caption, *texts, **fields):
    fields = {"data": png(), "width": 96, "height": 64, **fields}
    return Pair(f"k{index}", "s", index, caption, phrases=phrases_of(caption, *texts), **fields)


def test_a_request_asks_for_each_distinct_phrase_once():
    request = make_request(pair(0, "A dog, a cat, a dog. a  dog", "A dog", "a cat", "a dog", "a  dog"), 1000, normalize)
    assert sorted(request.phrases) == ["A dog", "a cat"]
    assert (request.width, request.height, request.max_pixels) == (96, 64, 1000)


TWICE = pair(0, "A dog, a cat, ..., a dog", "A dog", "a cat", "...", "a dog", dropped=(Dropped(20, 23, Drop.PICTURE),))


def test_boxes_go_to_every_phrase_of_that_wording():
    request = make_request(TWICE, 1000, normalize)
    dog, cat = request.phrases.index("A dog"), request.phrases.index("a cat")
    found = Found((Box(dog, 0, 0, 1, 1, 0.9), Box(dog, 0, 0, 0.5, 0.5, 0.8), Box(cat, 0, 0, 0.2, 0.2, 0.7)), cut=4)
    done = with_boxes(TWICE, request, found, normalize)
    assert [(box.phrase, box.score) for box in done.boxes] == [(0, 0.9), (0, 0.8), (1, 0.7), (3, 0.9), (3, 0.8)]
    assert done.boxes_cut == 4
    assert done.phrases == TWICE.phrases


def test_phrases_that_could_not_be_asked_for_are_dropped_with_their_reason_and_the_rest_renumbered():
    request = make_request(TWICE, 1000, normalize)
    dots, dog = request.phrases.index("..."), request.phrases.index("A dog")
    found = Found((Box(dog, 0, 0, 1, 1, 0.9),), dropped={dots: Drop.NO_TOKEN})
    done = with_boxes(TWICE, request, found, normalize)
    assert [done.text(phrase) for phrase in done.phrases] == ["A dog", "a cat", "a dog"]
    assert [box.phrase for box in done.boxes] == [0, 2]
    assert done.dropped == (Dropped(14, 17, Drop.NO_TOKEN), Dropped(20, 23, Drop.PICTURE))


def test_a_fault_makes_the_pair_an_error_row():
    fault = Fault(FailureStage.BOXES, Reason.EXCEPTION, "boom")
    done = with_boxes(TWICE, make_request(TWICE, 1000, normalize), Found(error=fault), normalize)
    assert (done.error, done.boxes) == (fault, ())


# Detectors of one's own.

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
        if "thin" in request.phrases:  # no area is left of it in float32
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


def shared(name="Steady"):
    return LazyDetector(DetectorSettings(model=f"{__name__}:{name}"), ())


def test_pairs_lose_their_images_and_gain_boxes():
    done = shared().localize([pair(0, "a dog", "a dog"), pair(1, "a cat a dog", "a cat", "a dog")], 10_000)
    assert [p.data for p in done] == [b"", b""]
    assert [[box.phrase for box in p.boxes] for p in done] == [[0], [0, 1]]


def test_a_picture_that_is_cut_never_reaches_a_detector_of_ones_own():
    detector = shared()
    cut = pair(1, "a dog", "a dog", data=png()[:-30])
    whole, failed, other = detector.localize([pair(0, "a dog", "a dog"), cut, pair(2, "a cat", "a cat")], 10_000)
    assert (failed.error.stage, failed.error.reason) == (FailureStage.IMAGE, Reason.TRUNCATED)
    assert [box.phrase for one in (whole, other) for box in one.boxes]
    assert detector._detector._detector.calls == [2]


def test_pairs_without_a_phrase_or_with_a_fault_never_reach_the_detector():
    detector = shared()
    fault = Fault(FailureStage.READ, Reason.BROKEN_ROW)
    pairs = [pair(0, "so"), pair(1, "a dog", "a dog", error=fault), pair(2, "a dog", "a dog")]
    done = detector.localize(pairs, 10_000)
    assert detector._detector._detector.calls == [1]
    assert [p.error for p in done] == [None, fault, None]
    assert [len(p.boxes) for p in done] == [0, 0, 1]
    assert all(p.data == b"" for p in done)


def test_no_detector_is_loaded_where_there_is_nothing_to_do():
    detector = LazyDetector(DetectorSettings(model="no_such_package:make"), ())
    assert detector.localize([pair(0, "so")], 10_000)[0].data == b""
    assert detector.localize([], 10_000) == ()


def test_the_detector_is_loaded_once():
    detector = shared()
    detector.localize([pair(0, "a dog", "a dog")], 10_000)
    first = detector._detector
    detector.localize([pair(1, "a dog", "a dog")], 10_000)
    assert detector._detector is first


@pytest.mark.parametrize("word", ["boom", "outside", "flat", "thin", "nan", "unknown"])
def test_only_the_pair_that_a_detector_of_ones_own_fails_on_is_blamed(word):
    pairs = [pair(0, "a dog", "a dog"), pair(1, word, word), pair(2, "a cat", "a cat")]
    done = shared().localize(pairs, 10_000)
    assert [p.error and (p.error.stage, p.error.reason) for p in done] == [
        None,
        (FailureStage.BOXES, Reason.EXCEPTION),
        None,
    ]
    assert [len(p.boxes) for p in done] == [1, 0, 1]


def test_plain_boxes_are_an_answer_and_get_sorted():
    (done,) = shared().localize([pair(0, "list", "list")], 10_000)
    assert [box.score for box in done.boxes] == [0.875, 0.25]


def test_too_few_answers_are_no_answer():
    with pytest.raises(UnhealthyDevice, match="0 answers to 1 requests"):
        shared("Forgetful").localize([pair(0, "a dog", "a dog"), pair(1, "a cat", "a cat")], 10_000)


def test_a_detector_that_fails_on_everything_is_nobodys_fault():
    with pytest.raises(UnhealthyDevice, match="no more"):
        shared("Dead").localize([pair(0, "a dog", "a dog")], 10_000)


def test_a_grounding_dino_is_told_whom_to_tell_its_progress(grounding_dino):
    progress_calls = []
    detector = LazyDetector(DetectorSettings(model=str(grounding_dino), device="cpu", batch=1), ())
    done = detector.localize([pair(n, "a dog", "a dog") for n in range(3)], 10_000, progress_calls.append)
    assert progress_calls == [1, 2, 3]
    assert all(p.boxes for p in done)


def test_a_picture_over_the_pixel_limit_is_an_image_fault(grounding_dino):
    detector = LazyDetector(DetectorSettings(model=str(grounding_dino), device="cpu"), ())
    (done,) = detector.localize([pair(0, "a dog", "a dog")], 96 * 64 - 1)
    assert (done.error.stage, done.error.reason) == (FailureStage.IMAGE, Reason.TOO_MANY_PIXELS)


# Beam's side of it.


def handler(**options):
    return GroundingHandler(DetectorSettings(model=f"{__name__}:Steady"), **options)


def test_the_transform_gives_each_chunk_back_with_boxes():
    chunks = [Chunk(0, 0, n, (pair(n, "a dog", "a dog"), pair(9, "so"))) for n in range(3)]
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        done = pipeline | beam.Create([*chunks, Chunk(0, 0, 3, closes_range=True)]) | LocalizePhrases(handler())
        rows = done | beam.Map(
            lambda chunk: (chunk.number, [len(p.boxes) for p in chunk.pairs], "boxes" in chunk.seconds)
        )
        assert_that(rows, equal_to([(0, [1, 0], True), (1, [1, 0], True), (2, [1, 0], True), (3, [], True)]))


def test_a_batch_is_one_chunk():
    assert handler().batch_elements_kwargs()["min_batch_size"] == 1
    assert handler().batch_elements_kwargs()["max_batch_size"] == 1


def test_a_handler_travels_to_its_worker_and_loads_nothing():
    again = pickle.loads(pickle.dumps(handler(max_pixels=5, search_path=["folder"])))
    model = again.load_model()
    assert (again.max_pixels, model.search_path, model._detector) == (5, ("folder",), None)


def test_bytes_are_those_of_the_images():
    chunk = Chunk(0, 0, 0, (pair(0, "so", data=b"123"), pair(1, "so", data=b"45")))
    assert handler().get_num_bytes([chunk, chunk]) == 10


def test_inference_arguments_are_refused():
    handler().validate_inference_args(None)
    with pytest.raises(ValueError, match="no inference arguments"):
        handler().validate_inference_args({"threshold": 1})


def test_a_request_for_a_probe_is_like_any_other():
    request = make_request(pair(0, "a dog", "a dog"), 10_000, normalize)
    assert isinstance(request, Request)
    assert request.image.size == (96, 64)
