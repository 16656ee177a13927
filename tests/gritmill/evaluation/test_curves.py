"""Curves, thresholds, reliability and intervals on cases whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gritmill.evaluation import curves
from gritmill.evaluation.curves import (
    BoxArrays,
    PhraseArrays,
    bootstrap,
    build_curve,
    lowest_threshold,
    reliability_bins,
    threshold_grid,
)
from gritmill.evaluation.metrics import match_boxes
from tests.gritmill.evaluation.test_metrics import corners
from transforms.records import Box, Pair, Phrase
from transforms.selection.select_boxes import select
from transforms.settings import SelectionSettings

LEFT, RIGHT, FAR = (0.0, 0.0, 0.4, 0.4), (0.6, 0.0, 1.0, 0.4), (0.3, 0.6, 0.7, 1.0)


def made(rows, things, kinds=None):
    """Builds boxes from (score, right, phrase, picture), and phrases from their numbers of things."""
    score, right, phrase, picture = zip(*rows, strict=True)
    boxes = BoxArrays(np.array(score), np.array(right, bool), np.array(phrase), np.array(picture))
    return boxes, PhraseArrays(np.array(things), kinds or [()] * len(things))


def everything(phrases):
    return np.ones(len(phrases.kinds), bool)


def test_a_second_box_on_one_thing_is_wrong():
    assert match_boxes([LEFT, LEFT, RIGHT, FAR], [LEFT, RIGHT]) == [True, False, True, False]
    assert match_boxes([LEFT], []) == [False]
    assert match_boxes([], [LEFT]) == []


def test_a_box_takes_the_thing_that_it_overlaps_most():
    near = (0.05, 0.0, 0.45, 0.4)
    assert match_boxes([near, LEFT], [LEFT, near]) == [True, True]


@given(
    st.lists(st.tuples(corners, st.integers(0, 2), st.integers(1, 99)), max_size=12, unique_by=lambda b: b[2]),
    st.integers(0, 100),
    st.sampled_from([None, 1, 3]),
)
def test_cutting_at_a_threshold_is_selecting_at_it(boxes, percent, most):
    phrases = tuple(Phrase(i, i + 1, i, i + 1, i, i + 1) for i in range(3))
    pair = Pair("k", "s", 0, "abc", phrases=phrases, boxes=tuple(Box(p, *c, s / 100) for c, p, s in boxes))
    settings = SelectionSettings(boxes_per_phrase=most, boxes_per_pair=most and most + 1)
    cut = [one for one in select(pair, settings, 0.0) if one.box.score >= percent / 100]
    assert cut == select(pair, settings, percent / 100)


def test_a_curve():
    rows = [(0.9, True, 0, 0), (0.8, False, 0, 0), (0.7, True, 1, 1), (0.6, True, 1, 1), (0.5, False, 2, 1)]
    boxes, phrases = made(rows, [1, 3, 0])
    whole = build_curve(boxes, phrases, everything(phrases), threshold_grid(0.05))
    assert whole.figures_at(0.05) == {
        "threshold": 0.05,
        "boxes": 5,
        "right": 3,
        "precision": 3 / 5,
        "recall": 3 / 4,
        "phrases_with_right_box": 1.0,
        "absent_with_box": 1.0,
    }
    at = whole.figures_at(0.7)
    assert (at["boxes"], at["right"], at["recall"], at["absent_with_box"]) == (3, 2, 2 / 4, 0.0)
    assert whole.figures_at(0.95)["precision"] is None
    assert whole.figures_at(0.7001)["threshold"] == 0.701


def test_a_curve_of_a_kind():
    rows = [(0.9, True, 0, 0), (0.8, False, 1, 0), (0.7, False, 2, 0)]
    boxes, phrases = made(rows, [1, 1, 0], [("present", "plural"), ("present",), ("absent", "plural")])
    plural = build_curve(boxes, phrases, phrases.of_kind("plural"), threshold_grid(0.0)).figures_at(0.0)
    assert (plural["boxes"], plural["precision"], plural["recall"], plural["absent_with_box"]) == (2, 0.5, 1.0, 1.0)
    absent = build_curve(boxes, phrases, phrases.of_kind("absent"), threshold_grid(0.0)).figures_at(0.0)
    assert (absent["precision"], absent["recall"], absent["phrases_with_right_box"]) == (0.0, None, None)


def test_the_lowest_threshold_that_gives_the_precision():
    rows = [(0.9, True, 0, 0), (0.8, True, 0, 0), (0.7, False, 0, 0), (0.6, True, 0, 0), (0.5, False, 0, 0)]
    boxes, phrases = made(rows, [3])
    whole = build_curve(boxes, phrases, everything(phrases), threshold_grid(0.05))
    assert lowest_threshold(whole.thresholds, whole.precision, 1.0) == 0.701
    assert lowest_threshold(whole.thresholds, whole.precision, 0.75) == 0.501
    assert lowest_threshold(whole.thresholds, whole.precision, 0.6) == 0.05
    boxes, phrases = made([(0.9, False, 0, 0)], [1])
    assert (
        lowest_threshold(
            threshold_grid(0.0), build_curve(boxes, phrases, everything(phrases), threshold_grid(0.0)).precision, 0.5
        )
        is None
    )


def test_a_score_that_equals_a_threshold_is_kept():
    score = float(np.float32(0.184))  # 0.18400000035762787, as stored in detections
    boxes, phrases = made([(score, True, 0, 0)], [1])
    whole = build_curve(boxes, phrases, everything(phrases), threshold_grid(0.0))
    assert (whole.figures_at(0.184)["boxes"], whole.figures_at(0.185)["boxes"]) == (1, 0)


def test_the_grid_begins_at_the_floor():
    assert threshold_grid(0.05)[0] == 0.05
    assert threshold_grid(0.0505)[0] == 0.051
    assert (threshold_grid(0.0)[0], threshold_grid(0.0)[-1], len(threshold_grid(0.0))) == (0.0, 1.0, 1001)


def drawn(pictures, seed=0, wished=0.9, repeat=1):
    """Every picture has a right box with score 0.8, and one in five has a wrong one with 0.3."""
    rows = [(0.8, True, i, i) for i in range(pictures)] + [(0.3, False, i, i) for i in range(0, pictures, 5)]
    boxes, _ = made(rows * repeat, [1] * pictures)
    return bootstrap(boxes, pictures, threshold_grid(0.05), wished, 0.05, seed, resamples=400)


def test_the_interval_is_as_wide_as_theory_says():
    """A share q = 0.2 of n pictures has a wrong box: precision 1 / (1 + q), deviation sqrt(q (1 - q) / n) / 1.2²."""
    for pictures in (50, 2000):
        low, high = drawn(pictures)["precision"]
        assert low < 1 / 1.2 < high
        assert high - low == pytest.approx(2 * 1.96 * (0.16 / pictures) ** 0.5 / 1.44, rel=0.15)
    assert drawn(50) == drawn(50) != drawn(50, seed=1)


def test_pictures_are_drawn_and_not_boxes():
    """The boxes of a picture are drawn together: ten copies of each box add no information."""
    once, often = drawn(50)["precision"], drawn(50, repeat=10)["precision"]
    assert once == pytest.approx(often)


def test_a_precision_that_cannot_always_be_had():
    boxes, _ = made([(0.8, True, 0, 0), (0.5, False, 1, 1)], [1, 1])
    found = bootstrap(boxes, 2, threshold_grid(0.05), 0.9, 0.501, 0, resamples=400)
    assert found["reached"] == pytest.approx(0.75, abs=0.08)  # a quarter of the draws has the second picture twice


def test_reliability():
    rows = [(0.91, True, 0, 0), (0.93, False, 0, 0), (1.0, True, 0, 0), (0.12, False, 0, 0)]
    bins = reliability_bins(made(rows, [4])[0])
    assert [(one["from"], one["boxes"], one["precision"]) for one in bins] == [
        (0.1, 1, 0.0),
        (0.9, 2, 0.5),
        (0.95, 1, 1.0),
    ]
    assert bins[1]["mean_score"] == pytest.approx(0.92)
    assert curves.calibration_error(bins) == pytest.approx((0.12 + 2 * 0.42 + 0.0) / 4)
    assert curves.calibration_error([]) is None
