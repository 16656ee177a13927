"""Rates and their intervals."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gritmill.auditing.grounded_row import NearName
from gritmill.auditing.rates import Sums, Tally


def sums(pictures):
    total = Sums()
    for found, of in pictures:
        total.add(found, of)
    return total


def test_of_nothing_there_is_no_rate():
    assert sums([]).interval() is None
    assert sums([(0, 0)] * 5).interval() is None


def test_with_one_case_a_picture_it_is_wilsons_interval():
    """The values are those of the example in Wilson's interval for 10 of 50: 0.1124 to 0.3304."""
    rate, low, high = sums([(1, 1)] * 10 + [(0, 1)] * 40).interval()
    # The variance over pictures has 49 instead of 50 in its denominator.
    assert (rate, low, high) == (pytest.approx(0.2), pytest.approx(0.1124, abs=2e-3), pytest.approx(0.3304, abs=2e-3))


def test_the_variance_is_that_of_a_sample_of_pictures():
    """Two pictures of two boxes: the rate is 1/4, its variance 1/16, so that 3 boxes would have it."""
    assert sums([(1, 2), (0, 2)])._independent(0.25) == pytest.approx(3)


def test_boxes_of_one_picture_count_as_one_if_they_are_alike():
    alike = sums([(10, 10)] * 10 + [(0, 10)] * 40).interval()
    assert alike == pytest.approx(sums([(1, 1)] * 10 + [(0, 1)] * 40).interval())
    mixed = sums([(2, 10)] * 50).interval()
    assert mixed.high - mixed.low < (alike.high - alike.low) / 2


def test_without_a_fault_the_number_of_pictures_counts():
    assert sums([(0, 10)] * 50).interval() == sums([(0, 1)] * 50).interval()
    rate, low, high = sums([(0, 10)] * 50).interval()
    assert (rate, low) == (0, 0)
    assert 0.05 < high < 0.08  # 3 / 50 is the rule of three
    assert sums([(10, 10)] * 50).interval()[2] == 1


def test_the_interval_covers_the_truth():
    """Boxes with a fault are together in few pictures. Of 300 sets of 200 pictures, 94 % have the true rate in their
    interval. If the boxes were taken for independent ones, it would be 74 %."""
    draw, truth = random.Random(3), 0.1 * 0.8 + 0.9 * 0.05
    covered = naive = 0
    for _ in range(300):
        total = Sums()
        for _ in range(200):
            of, rate = draw.choice((1, 2, 3, 8)), 0.8 if draw.random() < 0.1 else 0.05
            total.add(sum(draw.random() < rate for _ in range(of)), of)
        rate, low, high = total.interval()
        covered += low <= truth <= high
        independent = sums([(1, 1)] * total.found + [(0, 1)] * (total.of - total.found)).interval()
        naive += independent.low <= truth <= independent.high
    assert covered >= 0.91 * 300
    assert naive <= 0.8 * 300


@given(st.lists(st.integers(0, 6).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))), max_size=20))
def test_the_rate_is_in_its_interval(pictures):
    interval = sums(pictures).interval()
    if interval:
        assert 0 <= interval.low <= interval.rate <= interval.high <= 1


def test_rows_of_a_picture_are_joined_and_examples_are_limited():
    for name, pictures in ((str, 2), (NearName, 3)):
        tally = tally_of_four(name)
        total = tally.sums["bad"]
        assert (total.found, total.of, total.pictures, tally.pictures) == (4, 8, 3, pictures)
        assert total.found_squared == 3 * 3 + 1
        assert tally.examples == {"bad": ["file:1: 1", "file:1: 2"]}


def tally_of_four(name: type[str]) -> Tally:
    tally = Tally({"bad": "boxes"}, most=2)
    for picture, found in (("a", ["1", "2"]), ("a", ["3"]), ("b", []), ("a", [""])):
        tally.add(name(picture), "file:1", {"boxes": 2}, {"bad": found})
    tally.close()
    return tally
