import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.claims.boxes import box, grid_boxes
from transforms.claims.group_boxes import group_boxes, without_groups

SMALL, OTHER = box(0, 0, 2, 2), box(6, 0, 2, 2)


def find(*boxes, score=None):
    corners = np.array(boxes, float).T.reshape(4, -1)
    found = group_boxes(np.zeros(len(boxes), int), corners, score if score is None else np.array(score))
    return found.tolist()


@pytest.mark.parametrize(
    ("large", "group"),
    [
        (box(0, 0, 8, 2), True),
        (box(0.4, 0, 7.2, 2), True),  # 80 % of each
        (box(0.42, 0, 7.2, 2), False),
        (box(0, 0, 3, 3), False),  # covers one of them
        (box(0, 0, 8, 1), False),
    ],
)
def test_a_box_around_two_smaller_ones_is_a_group_box(large, group):
    assert find(SMALL, large, OTHER) == [False, group, False]
    assert without_groups((SMALL, large, OTHER)) == ((SMALL, OTHER) if group else (SMALL, large, OTHER))


def test_equal_boxes_are_no_group():
    assert find(SMALL, SMALL, SMALL) == [False] * 3


def test_boxes_of_other_phrases_do_not_count():
    phrase = np.array([1, 0, 1, 0, 1])
    corners = np.array([box(0, 0, 8, 2), SMALL, SMALL, box(0, 0, 8, 2), OTHER], float).T
    assert group_boxes(phrase, corners).tolist() == [True, False, False, False, False]


def test_members_with_much_lower_scores_do_not_count():
    boxes = (box(0, 0, 8, 2), SMALL, OTHER)
    assert find(*boxes, score=[0.5, 0.375, 0.9]) == [True, False, False]
    assert find(*boxes, score=[0.5, 0.37, 0.9]) == [False, False, False]


def test_no_boxes():
    assert group_boxes(np.zeros(0, int), np.zeros((4, 0))).tolist() == []
    assert without_groups(()) == ()


@given(st.lists(st.tuples(st.integers(0, 2), grid_boxes()), max_size=12))
def test_arrays_give_what_one_phrase_after_the_other_gives(boxes):
    owner = np.array([number for number, _ in boxes], int)
    corners = np.array([corners for _, corners in boxes], float).reshape(-1, 4).T
    found = group_boxes(owner, corners).tolist()
    for number in range(3):
        own = tuple(corners for owned, corners in boxes if owned == number)
        kept = [corners for (owned, corners), group in zip(boxes, found, strict=True) if owned == number and not group]
        assert list(without_groups(own)) == kept
