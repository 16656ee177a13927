"""Recall, accuracy and overlap on cases whose answer is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gritmill.evaluation.metrics import PhraseResult, enclosing_box, measure_phrase, summarize, summarize_by_kind

THING = (0.0, 0.0, 0.4, 0.4)
HALF = (0.0, 0.0, 0.4, 0.2)
FAR = (0.6, 0.6, 1.0, 1.0)
side = st.lists(st.integers(0, 100), min_size=2, max_size=2, unique=True).map(
    lambda ends: sorted(n / 100 for n in ends)
)
corners = st.tuples(side, side).map(lambda sides: (sides[0][0], sides[1][0], sides[0][1], sides[1][1]))


@given(st.lists(corners, min_size=1, max_size=5))
def test_the_box_around_all_holds_each_and_is_the_smallest(things):
    x1, y1, x2, y2 = enclosing_box(things)
    assert all(x1 <= a and y1 <= b and c <= x2 and d <= y2 for a, b, c, d in things)
    sides = zip((x1, y1, x2, y2), zip(*things, strict=True), strict=True)
    assert all(side in of_things for side, of_things in sides)


def test_an_overlap_of_a_half_is_right_and_less_is_wrong():
    assert measure_phrase([HALF], [THING]).any_rank == 1
    assert measure_phrase([(0.0, 0.0, 0.4, 0.199)], [THING]).any_rank == 0


def test_it_is_the_iou_and_not_the_giou():
    """A box with a GIoU below 0.5 and an IoU above: an evaluator that thresholds GIoU counts it as wrong."""
    box, thing = (0.0, 0.0, 0.6, 0.6), (0.1, 0.1, 0.7, 0.7)
    shared, union, hull = 0.25, 0.36 + 0.36 - 0.25, 0.49
    assert shared / union - (hull - union) / hull < 0.5 < shared / union
    assert measure_phrase([box], [thing]).any_rank == 1


def test_ranks_of_any_box_and_merged_box():
    left, right = (0.0, 0.0, 0.2, 0.2), (0.8, 0.0, 1.0, 0.2)
    both = (0.0, 0.0, 1.0, 0.2)
    assert measure_phrase([FAR, both, right], [left, right], ("people",)) == PhraseResult(("people",), 3, 2, 0.0)
    assert measure_phrase([left, both], [left, right]) == PhraseResult((), 1, 2, 1.0)


def test_no_box_is_a_miss():
    assert measure_phrase([], [THING]) == PhraseResult((), 0, 0, 0.0)


def test_figures_are_shares_of_all_phrases():
    ranks = [1, 2, 5, 6, 10, 11, 0, 0]
    found = summarize([PhraseResult((), rank, 0, 0.8 if rank == 1 else 0.5 if rank == 2 else 0.1) for rank in ranks])
    assert found["any_box"] == {"recall@1": 1 / 8, "recall@5": 3 / 8, "recall@10": 5 / 8, "upper_bound": 6 / 8}
    assert found["merged_box"] == dict.fromkeys(("recall@1", "recall@5", "recall@10", "upper_bound"), 0.0)
    assert (found["acc@0.5"], found["acc@0.75"]) == (2 / 8, 1 / 8)
    assert found["mean_iou"] == pytest.approx((0.8 + 0.5 + 6 * 0.1) / 8)
    assert summarize([])["any_box"]["recall@1"] is None


def test_a_phrase_of_two_types_counts_in_both_and_once_in_each():
    found = summarize_by_kind(
        [PhraseResult(("people", "other", "people"), 1, 1, 1.0), PhraseResult(("other",), 0, 0, 0.0)]
    )
    assert {kind: one["phrases"] for kind, one in found.items()} == {"other": 2, "people": 1}
    assert found["other"]["any_box"]["recall@1"] == 0.5
