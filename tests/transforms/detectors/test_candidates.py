"""The request for a pair, and the pair with the boxes of the answer."""

import io

import pytest
from PIL import Image

from transforms.detectors.base import Found, Request
from transforms.detectors.candidates import make_request, with_boxes
from transforms.detectors.grounding_dino.prompts import normalize
from transforms.images import ImageLimits
from transforms.records import Box, Drop, Dropped, FailureStage, Fault, Pair, Phrase, Reason


def png(colour=(255, 0, 0)):
    target = io.BytesIO()
    Image.new("RGB", (96, 64), colour).save(target, "PNG")
    return target.getvalue()


def phrases_of(caption, *texts):
    """Returns a phrase for each text, found from left to right."""
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
    request = make_request(
        pair(0, "A dog, a cat, a dog. a  dog", "A dog", "a cat", "a dog", "a  dog"), ImageLimits(1000, 7), normalize
    )
    assert sorted(request.phrases) == ["A dog", "a cat"]
    assert (request.width, request.height, request.max_pixels, request.max_scans) == (96, 64, 1000, 7)


TWICE = pair(0, "A dog, a cat, ..., a dog", "A dog", "a cat", "...", "a dog", dropped=(Dropped(20, 23, Drop.PICTURE),))


def test_boxes_go_to_every_phrase_of_that_wording():
    request = make_request(TWICE, ImageLimits(1000), normalize)
    dog, cat = request.phrases.index("A dog"), request.phrases.index("a cat")
    found = Found((Box(dog, 0, 0, 1, 1, 0.9), Box(dog, 0, 0, 0.5, 0.5, 0.8), Box(cat, 0, 0, 0.2, 0.2, 0.7)), cut=4)
    done = with_boxes(TWICE, request, found, normalize)
    assert [(box.phrase, box.score) for box in done.boxes] == [(0, 0.9), (0, 0.8), (1, 0.7), (3, 0.9), (3, 0.8)]
    assert done.boxes_cut == 4
    assert done.phrases == TWICE.phrases


def test_phrases_that_could_not_be_asked_for_are_dropped_with_their_reason_and_the_rest_renumbered():
    request = make_request(TWICE, ImageLimits(1000), normalize)
    dots, dog = request.phrases.index("..."), request.phrases.index("A dog")
    found = Found((Box(dog, 0, 0, 1, 1, 0.9),), dropped={dots: Drop.NO_TOKEN})
    done = with_boxes(TWICE, request, found, normalize)
    assert [done.text(phrase) for phrase in done.phrases] == ["A dog", "a cat", "a dog"]
    assert [box.phrase for box in done.boxes] == [0, 2]
    assert done.dropped == (Dropped(14, 17, Drop.NO_TOKEN), Dropped(20, 23, Drop.PICTURE))


def test_a_fault_makes_the_pair_an_error_row():
    fault = Fault(FailureStage.BOXES, Reason.EXCEPTION, "boom")
    done = with_boxes(TWICE, make_request(TWICE, ImageLimits(1000), normalize), Found(error=fault), normalize)
    assert (done.error, done.boxes) == (fault, ())


def test_a_request_for_a_probe_is_like_any_other():
    request = make_request(pair(0, "a dog", "a dog"), ImageLimits(10_000), normalize)
    assert isinstance(request, Request)
    assert request.image.size == (96, 64)


@pytest.mark.parametrize(
    ("ask", "phrases", "heads"),
    [
        ("chunk", ("a dog", "two dogs"), (("dog", 2, 5), ("dogs", 4, 8))),
        ("expression", ("a dog on grass", "two dogs"), (("dog", 2, 5), ("dogs", 4, 8))),
        ("head", ("dog", "dogs"), (("dog", 0, 3), ("dogs", 0, 4))),
    ],
)
def test_the_words_that_the_detector_looks_for(ask, phrases, heads):
    caption = "a dog on grass, two dogs, a dog"
    spans = (Phrase(0, 5, 2, 5, 0, 14), Phrase(16, 24, 20, 24, 16, 24), Phrase(26, 31, 28, 31, 26, 31))
    both = Pair("0", "s", 0, caption, phrases=spans if ask != "expression" else spans[:2])
    request = make_request(both, ImageLimits(1000), str.lower, ask)
    assert (request.phrases, tuple((head.text, head.start, head.end) for head in request.heads)) == (phrases, heads)
    done = with_boxes(both, request, Found((Box(0, 0, 0, 1, 1, 0.5),)), str.lower, ask)
    assert [box.phrase for box in done.boxes] == ([0] if ask == "expression" else [0, 2])
