"""The curves that answers leave."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gritmill.clicks.curve import fit
from gritmill.clicks.result import Estimates

ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)
THRESHOLDS = np.arange(5, 101) / 100


def estimates(answers, boxes):
    score, right = zip(*answers, strict=True)
    return Estimates(np.array(score), np.array(right), THRESHOLDS, np.array(boxes))


@settings(max_examples=20)
@given(ANSWERS)
def test_chances_are_shares_that_rise_with_the_score(answers):
    score, right = zip(*answers, strict=True)
    curves = fit(np.array(score), np.array(right), np.linspace(0, 1, 30))
    assert curves.probability.sum() == pytest.approx(1)
    assert ((curves.chance >= 0) & (curves.chance <= 1)).all()
    assert (np.diff(curves.chance, axis=1) >= -1e-12).all()
    low, high = curves.interval(curves.chance)
    mean = curves.mean(curves.chance)
    assert (low <= high).all()
    assert (curves.chance.min(axis=0) - 1e-12 <= mean).all()
    assert (mean <= curves.chance.max(axis=0) + 1e-12).all()


@settings(max_examples=20)
@given(ANSWERS, st.lists(st.integers(0, 1000), min_size=len(THRESHOLDS), max_size=len(THRESHOLDS)))
def test_figures_are_shares_whatever_the_numbers_of_boxes(answers, boxes):
    rows = estimates(answers, boxes).figures()
    for row in rows:
        assert all(0 <= row[name] <= 1 + 1e-9 for name in ("recall", "f1"))
        if row["boxes"]:
            assert 0 <= row["low"] <= row["high"] <= 1
            assert 0 <= row["precision"] <= 1 + 1e-9
        else:
            assert row["precision"] is row["low"] is row["high"] is None
    assert [row["boxes"] for row in rows] == sorted((row["boxes"] for row in rows), reverse=True)


def test_boxes_count_as_often_as_the_run_has_them():
    """Half of the answers are about scores that a tenth of the boxes have."""
    rng = np.random.default_rng(0)
    answers = [(score, bool(rng.random() < (0.2 if score < 0.5 else 0.9))) for score in rng.random(400)]
    bins = np.where(THRESHOLDS < 0.5, 900 / 45, 100 / 51)
    made = estimates(answers, np.cumsum(bins[::-1])[::-1].round().astype(int))
    whole, upper = (made.mean(made.precision)[made.at(threshold)] for threshold in (0.05, 0.5))
    assert whole == pytest.approx(0.9 * 0.2 + 0.1 * 0.9, abs=0.05)
    assert upper == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("scale", [1, 0.1])
def test_the_middle_of_a_sharp_rise_is_found_on_any_scale(scale):
    answers = [(scale * place, place > 0.6) for place in np.linspace(0.05, 0.95, 100)]
    score, right = zip(*answers, strict=True)
    curves = fit(np.array(score), np.array(right), scale * np.array([0.5, 0.7]))
    below, above = curves.mean(curves.chance)
    assert below < 0.1
    assert above > 0.9


def test_more_answers_make_the_interval_narrower():
    widths = []
    for number in (20, 80, 320):
        rng = np.random.default_rng(1)
        answers = [(score, bool(rng.random() < score)) for score in rng.random(number)]
        low, high = estimates(answers, np.arange(960, 0, -10)).precision_interval
        widths.append((high - low)[45])
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 2 * widths[2]


def test_where_no_answer_is_no_the_interval_reaches_one():
    answers = [(0.2, False), (0.3, True), (0.6, True), (0.9, True)]
    made = estimates(answers, np.arange(960, 0, -10))
    low, high = made.precision_interval
    assert high[made.at(0.2)] < 1 == high[made.at(0.21)]
    answers = [(score, not right) for score, right in answers]
    low, high = estimates(answers, np.arange(960, 0, -10)).precision_interval
    assert low[made.at(0.2)] > 0 == low[made.at(0.21)] == low[made.at(0.9)]
    assert low[made.at(0.91)] > 0  # nothing was asked there


def test_the_intervals_contain_the_truth_as_often_as_they_say():
    """The truth is not of the form of the curves: the chance rises linearly with the score, up to 0.9."""
    rng = np.random.default_rng(2)
    boxes = np.arange(960, 0, -10)
    scores = (THRESHOLDS + np.append(THRESHOLDS[1:], 1.0)) / 2
    truth = np.cumsum(0.9 * scores[::-1])[::-1] / np.arange(96, 0, -1)
    covered = []
    for _ in range(40):
        answers = [(score, bool(rng.random() < 0.9 * score)) for score in rng.uniform(0.05, 1, 100)]
        low, high = estimates(answers, boxes).precision_interval
        covered.append((low <= truth) & (truth <= high))
    assert 0.9 < np.mean(np.array(covered)[:, :70]) < 1
