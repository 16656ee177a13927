import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.claims.boxes import box, grid_boxes, phrase
from transforms.claims.check_counts import check_count, needs_floor
from transforms.claims.verdicts import UNDECIDED, PhraseBoxes

S, C, U = "supported", "contradicted", "undecided"


def row(*widths):
    """Boxes of height 1 side by side, so that their areas are their widths."""
    return tuple(box(20 * at, 0, width, 1) for at, width in enumerate(widths))


@pytest.mark.parametrize(
    ("number", "found", "expected"),
    [
        (2, phrase(*row(4, 4)), S),
        (2, phrase(*row(4, 4), at_floor=9), S),
        (2, phrase(*row(4), at_floor=1), C),
        (2, phrase(*row(4), at_floor=2), U),  # a candidate with a low score
        (2, phrase(at_floor=2), U),
        (2, phrase(), C),
        (2, phrase(*row(4, 4, 2)), C),  # half the area of the second one
        (2, phrase(*row(2, 4, 4)), C),
        (2, phrase(*row(4, 4, 1.99)), U),
        (2, phrase(*row(4, 4, 1.99, 1.99, 1.99)), U),
        (1, phrase(*row(4, 1)), U),
        (1, phrase(*row(4, 2)), C),
    ],
)
def test_exactly(number, found, expected):
    assert check_count("exactly", number, found).verdict == expected


@pytest.mark.parametrize(
    ("number", "found", "expected"),
    [
        (2, phrase(*row(4, 4)), S),
        (2, phrase(*row(4, 4, 4, 0.1)), S),
        (2, phrase(*row(4), at_floor=2), U),
        (2, phrase(*row(4)), C),
        (1, phrase(), C),
        (1, phrase(at_floor=1), U),
    ],
)
def test_at_least(number, found, expected):
    assert check_count("at_least", number, found).verdict == expected


def test_a_bare_plural_is_never_contradicted():
    assert check_count("at_least", 2, phrase(*row(4)), may_be_fewer=True).verdict == U
    assert check_count("at_least", 2, phrase(), may_be_fewer=True).verdict == U
    assert check_count("at_least", 2, phrase(*row(4, 4)), may_be_fewer=True).verdict == S


@pytest.mark.parametrize("found", [None, phrase(), phrase(at_floor=1), phrase(*row(4))])
def test_boxes_do_not_decide_none(found):
    assert check_count("none", 0, found) == UNDECIDED
    assert not needs_floor("none", 0, ())


def test_what_the_detector_was_not_asked_for_is_undecided():
    for predicate in ("exactly", "at_least", "none"):
        checked = check_count(predicate, 2, None)
        assert (checked.verdict, checked.measured) == (U, {})


def test_unknown_counts_are_undecided():
    assert check_count("about", 2, phrase(*row(1, 1))).verdict == U
    assert check_count("exactly", 0, phrase()).verdict == U


def test_a_limit_on_candidates_may_hide_things():
    few = phrase(*row(4), floor_cut=True)
    assert check_count("exactly", 2, few).verdict == U
    assert check_count("at_least", 2, few).verdict == U


def test_a_limit_on_kept_boxes_hides_further_things_only():
    assert check_count("exactly", 2, phrase(*row(4, 4), cut=True)).verdict == U
    assert check_count("at_least", 2, phrase(*row(4, 4), cut=True)).verdict == S
    assert check_count("exactly", 2, phrase(*row(4, 4, 4), cut=True)).verdict == C
    assert check_count("exactly", 2, phrase(*row(4), cut=True)).verdict == C


GROUP = box(0, 0, 24, 1)


def test_a_group_box_has_no_vote():
    checked = check_count("exactly", 2, phrase(GROUP, *row(4, 4)))
    assert (checked.verdict, checked.measured) == (S, {"boxes": 2, "groups": 1})


def test_a_group_box_alone_stands_for_one_thing():
    assert check_count("exactly", 2, phrase(GROUP, at_floor=3)).verdict == U


def test_the_numbers():
    more = check_count("exactly", 2, phrase(*row(4, 3, 2), at_floor=7))
    assert more.measured == {"boxes": 3, "groups": 0, "next_area": 0.6667}
    fewer = check_count("exactly", 4, phrase(*row(4, 3, 2), at_floor=7))
    assert fewer.measured == {"boxes": 3, "groups": 0, "at_floor": 7}


@pytest.mark.parametrize("predicate", ["exactly", "at_least"])
@pytest.mark.parametrize("kept", [(), row(4), (GROUP, *row(4, 4)), row(4, 4, 4), row(4, 4, 4, 4)])
def test_the_floor_is_known_to_be_needed(predicate, kept):
    with_floor, without = (check_count(predicate, 3, PhraseBoxes(kept, floor)) for floor in (0, None))
    assert needs_floor(predicate, 3, kept) == ("at_floor" in with_floor.measured) == (without != with_floor)
    assert "at_floor" not in without.measured


def test_fewer_things_at_the_floor_than_boxes_are_read_as_that_many():
    assert check_count("at_least", 3, PhraseBoxes((GROUP, *row(4)), 0)).measured["at_floor"] == 2


@given(st.lists(grid_boxes(), max_size=6), st.lists(grid_boxes(), max_size=3), st.integers(1, 6), st.integers(0, 3))
def test_more_boxes_never_contradict_what_was_supported(boxes, more, number, below):
    before = check_count("at_least", number, phrase(*boxes, at_floor=len(boxes) + below)).verdict
    both = [*boxes, *more]
    after = check_count("at_least", number, phrase(*both, at_floor=len(both) + below)).verdict
    assert (before, after) not in {(S, C), (U, C)}


def test_further_boxes_may_be_those_of_another_phrase():
    assert check_count("exactly", 2, phrase(*row(4, 4, 4)), may_be_more=True).verdict == U
    assert check_count("exactly", 2, phrase(*row(4, 4)), may_be_more=True).verdict == S
    assert check_count("exactly", 2, phrase(*row(4)), may_be_more=True).verdict == C
