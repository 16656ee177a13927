"""Number-F1 on cases whose answer is known, and against its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gritmill.evaluation.number_f1 import AT_LEAST_ONE, BETWEEN, EXACTLY_ONE, Boxes, Counted, intervals

THRESHOLDS = np.arange(5, 101) / 100


def boxes(rows):
    score, owner = np.array(rows, float).reshape(-1, 2).T
    return Boxes(score, owner.astype(int))


def made(phrases, found, decoys=(), decoy_boxes=(), pictures=None):
    """phrases: (number, exact, picture). found, decoy_boxes: (score, owner). decoys: pictures."""
    number, exact, picture = np.array(phrases, int).reshape(-1, 3).T
    most = max([*picture.tolist(), *decoys], default=0) + 1
    return Counted(
        number, exact.astype(bool), picture, boxes(found), np.array(decoys, int), boxes(decoy_boxes), pictures or most
    )


def at(values, threshold):
    return values[np.searchsorted(THRESHOLDS, threshold - 1e-9)]


def test_boxes_beyond_the_stated_number_and_missing_ones_lower_it():
    two = made([(2, 1, 0)], [(0.9, 0), (0.6, 0), (0.3, 0)]).curve(THRESHOLDS)
    assert at(two.f1(EXACTLY_ONE), 0.9) == pytest.approx(2 * 1 / (1 + 2))
    assert at(two.f1(EXACTLY_ONE), 0.6) == 1
    assert at(two.f1(EXACTLY_ONE), 0.3) == pytest.approx(2 * 2 / (3 + 2))
    assert two.thresholds[two.best(EXACTLY_ONE)] == 0.31


def test_a_further_box_of_a_singular_is_wrong_or_right():
    one = made([(1, 0, 0)], [(0.9, 0), (0.5, 0)]).curve(THRESHOLDS)
    assert at(one.f1(EXACTLY_ONE), 0.5) == pytest.approx(2 / 3)
    assert at(one.f1(AT_LEAST_ONE), 0.5) == 1
    assert at(one.f1(AT_LEAST_ONE), 0.95) == 0
    exact = made([(1, 1, 0)], [(0.9, 0), (0.5, 0)]).curve(THRESHOLDS)  # "one dog only"
    assert at(exact.f1(AT_LEAST_ONE), 0.5) == pytest.approx(2 / 3)


def _several_men(exact):
    """A hundred singulars: all have a wrong box at 0.3, and half of them a second man at 0.6. Exact counts have the
    same wrong boxes."""
    phrases = [(1, 0, n) for n in range(100)] + [(1, 1, 100 + n) for n in range(exact)]
    found = [(0.9, n) for n in range(100 + exact)] + [(0.3, n) for n in range(100 + exact)]
    return made(phrases, found + [(0.6, n) for n in range(50)]).curve(THRESHOLDS)


def test_exact_counts_tell_how_many_further_boxes_are_right():
    curve = _several_men(100)
    assert at(curve.f1(EXACTLY_ONE), 0.6) == pytest.approx(2 * 200 / (250 + 200))
    # At 0.6, 50 further boxes and none beyond an exact count: less two errors, these are right.
    more = 50 - 2 * np.sqrt(1 + 50)
    assert at(curve.f1(BETWEEN), 0.6) == pytest.approx(2 * (200 + more) / (250 + 200 + more))
    # At 0.3, 150 further ones and 100: the excess is lost in the errors, but there are not fewer than at 0.6.
    assert at(curve.f1(BETWEEN), 0.3) == pytest.approx(2 * (200 + more) / (450 + 200 + more))


@pytest.mark.parametrize(("exact", "same"), [(0, True), (4, True), (20, False)])
def test_with_few_exact_counts_between_is_exactly_one(exact, same):
    curve = _several_men(exact)
    assert (curve.f1(BETWEEN) == curve.f1(EXACTLY_ONE)).all() == same


def test_a_score_that_equals_the_threshold_counts():
    curve = made([(1, 0, 0)], [(0.5, 0)]).curve(THRESHOLDS)
    assert (at(curve.boxes, 0.5), at(curve.boxes, 0.51)) == (1, 0)


def test_decoys_count_as_often_as_absent_phrases_occur():
    """Of 100 phrases, 20 are absent. They have boxes as the decoys have: the lower half of the scores."""
    present = [(1, 0, n) for n in range(80)]
    absent = [(1, 0, n) for n in range(80, 100)]
    found = [(0.8, n) for n in range(80)] + [(0.4, n) for n in range(80, 90)]
    for times in (1, 3):
        decoys = list(range(100)) * times
        decoy_boxes = [(0.4, n) for n in range(0, 100 * times, 2)]
        curve = made([*present, *absent], found, decoys, decoy_boxes).curve(THRESHOLDS)
        assert curve.absent_share == pytest.approx(0.2)
        assert at(curve.absent_boxes, 0.4) == pytest.approx(25 * 0.5)  # 25 absent phrases for 100 present ones
        assert at(curve.absent_boxes, 0.5) == 0
        assert at(curve.f1(EXACTLY_ONE), 0.4) == pytest.approx(2 * 90 / (90 + 100 + 12.5))
    without = made([*present, *absent], found).curve(THRESHOLDS)
    assert (without.absent_share, without.absent_boxes.any()) == (0.0, False)
    assert at(without.f1(EXACTLY_ONE), 0.4) == pytest.approx(2 * 90 / (90 + 100))  # boxes of absent phrases agree


def test_decoys_that_are_there_do_not_raise_the_share_of_absent_phrases():
    """Present things have a score of 0.8, and a fifth of the absent ones 0.3."""
    phrases, decoys = [(1, 0, n) for n in range(100)], list(range(100))
    found = [(0.8, n) for n in range(80)] + [(0.3, n) for n in range(80, 84)]
    curve = made(phrases, found, decoys, [(0.3, n) for n in range(20)]).curve(THRESHOLDS)
    assert (curve.absent_share, curve.decoys_there) == (pytest.approx(0.2), 0)
    there = [(0.8, n) for n in range(40)] + [(0.3, n) for n in range(40, 52)]
    curve = made(phrases, found, decoys, there).curve(THRESHOLDS)
    assert (curve.absent_share, curve.decoys_there) == (pytest.approx(0.2), pytest.approx(0.4))


def test_present_phrases_that_are_missed_count_as_absent():
    phrases, decoys = [(1, 0, n) for n in range(100)], list(range(100))
    assert made(phrases, [(0.8, n) for n in range(70)], decoys).curve(THRESHOLDS).absent_share == pytest.approx(0.3)


def test_the_share_is_not_estimated_from_a_few_decoys_without_a_box():
    phrases, decoys = [(1, 0, n) for n in range(100)], list(range(100))
    most = [(0.3, n) for n in range(85)]
    found = [(0.3, n) for n in range(99)] + [(0.8, n) for n in range(70)]
    # At 0.3, 1 % of the phrases and 15 decoys have no box; above, 30 % and all.
    assert made(phrases, found, decoys, most).curve(THRESHOLDS).absent_share == pytest.approx(0.3)


def test_nothing_at_all():
    curve = made([], []).curve(THRESHOLDS)
    assert not curve.f1(EXACTLY_ONE).any()
    assert curve.figures_at(0.5)["phrases_with_box"] is None
    assert curve.figures_at(0.5)["decoys_with_box"] is None


phrases = st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.integers(0, 5)), min_size=1, max_size=8)
scores = st.integers(5, 99).map(lambda percent: percent / 100)


def _phrase(number, exact, picture):
    return (number if exact else 1, exact, picture)


@given(st.data())
def test_the_curve_is_its_definition(data):
    stated = [_phrase(*one) for one in data.draw(phrases)]
    found = data.draw(st.lists(st.tuples(scores, st.integers(0, len(stated) - 1)), max_size=20))
    curve = made(stated, found).curve(THRESHOLDS)
    threshold = data.draw(st.sampled_from(THRESHOLDS.tolist()))
    n = [sum(score >= threshold for score, owner in found if owner == number) for number in range(len(stated))]
    for reading in (EXACTLY_ONE, AT_LEAST_ONE):
        k = [
            max(own, 1) if reading == AT_LEAST_ONE and not exact else number
            for own, (number, exact, _) in zip(n, stated, strict=True)
        ]
        expected = 2 * sum(map(min, n, k)) / (sum(n) + sum(k))
        assert at(curve.f1(reading), threshold) == pytest.approx(expected)
        assert 0 <= at(curve.f1(reading), threshold) <= 1
    low, middle, high = (at(curve.f1(one), threshold) for one in (EXACTLY_ONE, BETWEEN, AT_LEAST_ONE))
    assert low <= middle + 1e-12
    assert middle <= high + 1e-12


@given(st.data())
def test_an_image_that_is_drawn_twice_counts_twice(data):
    stated = [_phrase(*one) for one in data.draw(phrases)]
    found = data.draw(st.lists(st.tuples(scores, st.integers(0, len(stated) - 1)), max_size=20))
    counted = made(stated, found, pictures=6)
    again = made([*stated, *stated], [*found, *((score, owner + len(stated)) for score, owner in found)], pictures=6)
    once, twice = counted.curve(THRESHOLDS), again.curve(THRESHOLDS)
    for one, two in ((once.boxes, twice.boxes), (once.agreed, twice.agreed), (once.found, twice.found)):
        assert (2 * one == two).all()
    weighted = counted._sorted.curve(THRESHOLDS, np.full(6, 2.0))
    assert (weighted.f1(EXACTLY_ONE) == twice.f1(EXACTLY_ONE)).all()


def test_the_interval_has_the_best_threshold_and_the_same_seed_gives_the_same():
    rng = np.random.default_rng(1)
    found = [(float(score), n) for n in range(200) for score in rng.uniform(0.05, 0.99, rng.integers(1, 4))]
    counted = made([(1, 0, n // 2) for n in range(200)], found)
    result = intervals(counted, THRESHOLDS, 7, resamples=100)
    assert result == intervals(counted, THRESHOLDS, 7, resamples=100)
    assert result != intervals(counted, THRESHOLDS, 8, resamples=100)
    for reading in (EXACTLY_ONE, AT_LEAST_ONE):
        curve = counted.curve(THRESHOLDS)
        low, high = result[reading]["threshold"]
        assert low <= curve.thresholds[curve.best(reading)] <= high
        low, high = result[reading]["f1"]
        assert low <= curve.f1(reading).max() <= high
