"""The quality measure of the demo, on cases whose answer is known."""

import json
from dataclasses import replace

import pytest

from gritmill.evaluation.quality import Quality, find_phrase, measure_quality
from transforms.records import Box, Claim, ClaimKind, Pair, Phrase

LEFT, RIGHT, MIDDLE = (0.0, 0.0, 0.4, 0.4), (0.6, 0.0, 1.0, 0.4), (0.3, 0.5, 0.7, 0.9)


def box(corners, phrase=0):
    return Box(phrase, *corners, 0.9)


def moved(corners, share):
    """Returns the box moved right by a share of its width. Its IoU with the original is (1 - share) / (1 + share)."""
    x1, y1, x2, y2 = corners
    return (x1 + share * (x2 - x1), y1, x2 + share * (x2 - x1), y2)


def phrase(caption, text):
    """Returns the phrase `text` of a caption. The last word is the head."""
    start = caption.index(text)
    end = start + len(text)
    return Phrase(start, end, start + text.rindex(" ") + 1 if " " in text else start, end, start, end)


def true(caption, text, *boxes):
    start = caption.index(text)
    return {"start": start, "end": start + len(text), "text": text, "boxes": [list(corners) for corners in boxes]}


def pair(caption, phrases, truth, absent=()):
    meta = {"truth": [true(caption, text, *boxes) for text, boxes in truth.items()], "absent": list(absent)}
    found = tuple(phrase(caption, text) for text in phrases)
    return Pair("k", "s.tar", 0, caption, meta=json.dumps(meta), phrases=found)


def record(pair, boxes):
    """Returns the rows of a record for these boxes, by phrase."""
    spans = [(phrase(pair.caption, text), corners) for text, many in boxes.items() for corners in many]
    return {"noun_chunks": [[p.start, p.end, *corners, 0.9] for p, corners in spans]}


def test_a_right_box_a_wrong_one_and_none():
    one = pair(
        "a dog, a cat, a car", ["a dog", "a cat", "a car"], {"a dog": [LEFT], "a cat": [RIGHT], "a car": [MIDDLE]}
    )
    written = record(one, {"a dog": [moved(LEFT, 0.3)], "a cat": [moved(RIGHT, -0.4)]})
    assert measure_quality([(one, written)]) == Quality(phrases=3, extracted=3, located=1, boxes=2, boxes_right=1)


def test_a_box_on_what_another_phrase_names_is_wrong():
    one = pair("a dog, a cat", ["a dog", "a cat"], {"a dog": [LEFT], "a cat": [RIGHT]})
    assert measure_quality([(one, record(one, {"a dog": [RIGHT], "a cat": [LEFT]}))]).located == 0


def test_a_phrase_of_several_things_is_whole_only_with_a_box_for_each():
    one = pair("two dogs", ["two dogs"], {"two dogs": [LEFT, RIGHT]})
    for boxes, right, whole in (([LEFT, RIGHT], 2, 1), ([LEFT, moved(LEFT, 0.1)], 1, 0), ([MIDDLE], 0, 0)):
        written = record(one, {"two dogs": boxes})
        wanted = Quality(1, 1, int(right > 0), plural=1, fully_located=whole, boxes=len(boxes), boxes_right=right)
        assert measure_quality([(one, written)]) == wanted


def test_a_pair_that_was_not_written_counts_with_its_phrases():
    one = pair("a dog, a cat", ["a dog"], {"a dog": [LEFT], "a cat": [RIGHT]})
    assert measure_quality([(one, None)]) == Quality(phrases=2, extracted=1)


def test_absent_phrases_count_where_the_caption_says_them():
    one = pair(
        "A tree near a dog, a red car",
        ["A tree", "a dog", "a red car"],
        {"a dog": [LEFT]},
        ["a tree", "a red car", "a ship"],
    )
    written = record(one, {"a dog": [LEFT], "A tree": [MIDDLE]})
    assert measure_quality([(one, written)]) == Quality(1, 1, 1, absent=2, absent_boxed=1, boxes=2, boxes_right=1)


def test_an_absent_phrase_inside_a_true_one_or_a_longer_word_is_none():
    one = pair("a dog house, a doghouse", ["a dog house"], {"a dog house": [LEFT]}, ["a dog"])
    assert measure_quality([(one, None)]).absent == 0


TWO_DOGS = Claim(ClaimKind.COUNT, 0, 3, 0, 8, "exactly", 2)
LEFT_OF = Claim(ClaimKind.RELATION, 9, 16, 0, 8, "left_of", objects=(17, 22))


@pytest.mark.parametrize(
    ("verdicts", "counts"),
    [
        (("supported", "contradicted"), {"claims_right": 2, "contradicted": 1, "contradicted_right": 1}),
        (("contradicted", "undecided"), {"claims_right": 0, "contradicted": 1, "contradicted_right": 0}),
    ],
)
def test_claims_are_held_against_the_true_boxes(verdicts, counts):
    one = pair("two dogs left of a cat", ["two dogs", "a cat"], {"two dogs": [RIGHT, MIDDLE], "a cat": [LEFT]})
    one = replace(one, claims=(TWO_DOGS, LEFT_OF), width=100, height=100)
    written = record(one, {}) | {"claims": [{"verdict": verdict} for verdict in verdicts]}
    found = measure_quality([(one, written)])
    assert found == Quality(phrases=2, extracted=2, plural=1, claims=2, **counts)
    assert measure_quality([(one, record(one, {}))]) == Quality(phrases=2, extracted=2, plural=1)  # of release 0.1


def test_claims_about_phrases_without_a_truth_do_not_count_and_absent_ones_have_no_box():
    one = pair("two dogs left of a cat", ["two dogs", "a cat"], {"a cat": [LEFT]})
    one = replace(one, claims=(TWO_DOGS, LEFT_OF), width=100, height=100)
    written = record(one, {}) | {"claims": [{"verdict": "contradicted"}, {"verdict": "undecided"}]}
    assert measure_quality([(one, written)]).claims == 0
    absent = pair("two dogs left of a cat", ["two dogs", "a cat"], {"a cat": [LEFT]}, ["two dogs"])
    found = measure_quality([(replace(one, meta=absent.meta), written)])
    assert (found.claims, found.claims_right, found.contradicted_right) == (2, 2, 1)


def test_pairs_without_a_truth_do_not_count():
    assert measure_quality([(Pair("k", "s.tar", 0, "a dog"), None)]) == Quality()


@pytest.mark.parametrize(
    ("phrases", "number"),
    [(["a dog", "two dogs"], 1), (["dogs"], 0), (["a dog"], None), ([], None)],
)
def test_a_phrase_is_found_by_its_head_inside_the_true_span(phrases, number):
    caption = "a dog near two dogs"
    assert find_phrase(pair(caption, phrases, {}), true(caption, "two dogs")) == number


def test_the_same_head_elsewhere_is_another_phrase():
    caption = "a dog near the dog"
    assert find_phrase(pair(caption, ["a dog"], {}), true(caption, "the dog")) is None
