"""What a truth sheet says in words, and that its number-F1 is that of the definition."""

import numpy as np
import pytest

from gritmill import truth_sheet
from gritmill.evaluation.number_f1 import AT_LEAST_ONE, BETWEEN, EXACTLY_ONE
from pipeline.pack.claim_counts import ClaimCount
from pipeline.pack.truth_sheet import TruthSheet, add_up
from tests.gritmill.evaluation.test_number_f1 import made
from transforms.records import Claim, ClaimKind
from transforms.stated_numbers import Stated, numbers_in_words

SHEET = TruthSheet(
    **{"counted_phrases": 200, "exact_phrases": 100, "stated": 300, "phrases_found": 180, "phrase_boxes": 290},
    **{"agreed": 250, "extra": 30, "decoys": 400, "decoy_pairs": 100, "decoys_found": 40, "decoy_boxes": 60},
    **{"absent": 200, "group_boxes": 5},
)


def test_number_f1_is_that_of_the_definition():
    phrases = [(1, 0, n) for n in range(100)] + [(2, 1, 100 + n) for n in range(100)]
    found = [(0.9, n) for n in range(180)] + [(0.8, n) for n in range(30)] + [(0.7, 100 + n) for n in range(70)]
    found += [(0.6, 100 + n) for n in range(10)]
    decoy_boxes = [(0.9, n) for n in range(40)] + [(0.8, n) for n in range(20)]
    counted = made(phrases, found, [n // 4 for n in range(400)], decoy_boxes)
    curve = counted.curve(np.array([0.5]))
    assert (curve.boxes[0], curve.agreed[0], curve.extra[0], curve.found[0]) == (290, 250, 30, 180)
    readings = truth_sheet.number_f1(SHEET)
    assert readings == {one: pytest.approx(curve.f1(one)[0]) for one in (EXACTLY_ONE, BETWEEN, AT_LEAST_ONE)}
    assert readings[EXACTLY_ONE] < readings[AT_LEAST_ONE]


def test_what_is_not_known_is_said():
    assert {text for _, text in truth_sheet.lines(None, 1, 1)} == {truth_sheet._OTHER_VERSION}
    lines = dict(truth_sheet.lines(TruthSheet(), 0, 0))
    assert lines["number-F1"] == "not known: no caption states a number"
    assert lines["decoys"] == "not known: none were asked for (`decoys.number`)"
    assert lines["group boxes"].startswith("0 of 0 boxes cover")


def test_the_lines_of_a_sheet():
    lines = dict(truth_sheet.lines(SHEET, 500, 150))
    assert lines["decoys"].startswith(
        "40 of 400 (10.0%) have a box, 60 in all; the detector has no candidate of 200 (50.0%)"
    )
    assert lines["decoys"].endswith("asked for 100 of 150 pairs")
    assert lines["group boxes"].startswith("5 of 500 boxes (1.0%)")
    assert "indicative" not in lines["number-F1"]
    assert "; no decoys, so boxes" in dict(truth_sheet.lines(TruthSheet(counted_phrases=1), 1, 1))["number-F1"]


def test_claims_are_added_up_by_kind():
    counts = [ClaimCount("relation", "on", 0, 0, 1, 5), ClaimCount("count", "exactly", 2, 3, 1, 2)]
    counts.append(ClaimCount("count", "exactly", 3, 0, 0, 2))
    assert list(truth_sheet.claim_rows(counts)) == [("count", 3, 1, 4), ("relation", 0, 1, 5)]


def test_a_sum_with_an_unknown_part_is_unknown():
    assert add_up([TruthSheet(agreed=1, absent=2), TruthSheet(agreed=3)]) == TruthSheet(agreed=4, absent=2)
    assert add_up([TruthSheet(), None]) is None
    assert add_up([]) is None


def test_only_words_for_numbers_count():
    caption = "two dogs and a cat on a street, dogs, no hat"

    def count(words, predicate, number):
        start = caption.index(words)
        return Claim(ClaimKind.COUNT, start, start + 1, start, start + len(words), predicate, number)

    claims = [count("two dogs", "exactly", 2), count("two dogs", "at_least", 1), count("a cat", "at_least", 1)]
    claims += [count("a street", "at_least", 1), count("dogs", "at_least", 2), count("hat", "none", 0)]
    assert numbers_in_words(caption, claims) == {(0, 8): Stated(2, True), (13, 18): Stated(1, False)}
    assert numbers_in_words("  ", [Claim(ClaimKind.COUNT, 0, 0, 0, 2, "exactly", 2)]) == {(0, 2): Stated(2, True)}
