import pytest

from tests.transforms.claims.boxes import box
from transforms.claims.check_ranks import RANKS, check_rank

S, C, U = "supported", "contradicted", "undecided"

ROW = tuple(box(4 * at, 0, 2, 2) for at in range(4))


def others(*numbers):
    return tuple(ROW[number] for number in numbers)


@pytest.mark.parametrize(
    ("predicate", "number", "subject", "rest", "expected"),
    [
        ("from_left", 1, others(0), others(1, 2, 3), S),
        ("from_left", 2, others(1), others(0, 2, 3), S),
        ("from_left", 1, others(1), others(0, 2, 3), C),
        ("from_left", 3, others(1), others(0, 2, 3), U),  # the detector may have missed one
        ("from_right", 2, others(2), others(0, 1, 3), S),
        ("from_right", 1, others(2), others(0, 1, 3), C),
        ("from_left", 1, (box(0, 0, 2, 2),), (box(0.5, 0, 2, 2),), S),
        ("from_left", 1, (box(0, 0, 2, 2),), (box(0.48, 0, 2, 2),), U),
        ("from_left", 1, (box(0.5, 0, 2, 2),), (box(0, 0, 2, 2),), C),
        ("from_left", 1, (box(0.48, 0, 2, 2),), (box(0, 0, 2, 2),), U),
        ("from_top", 1, (box(9, 0, 2, 2),), (box(0, 0.5, 2, 2),), S),
        ("from_top", 1, (box(9, 0.5, 2, 2),), (box(0, 0, 2, 2),), C),
        ("from_bottom", 1, (box(9, 0.5, 2, 2),), (box(0, 0, 2, 2),), S),
        ("from_bottom", 1, (box(9, 0, 2, 2),), (box(0, 0.5, 2, 2),), C),
        ("largest", 1, (box(0, 0, 2.2, 2),), (box(9, 0, 2, 2),), S),
        ("largest", 1, (box(0, 0, 2.19, 2),), (box(9, 0, 2, 2),), U),
        ("largest", 1, (box(9, 0, 2, 2),), (box(0, 0, 2.2, 2),), U),
        ("largest", 2, (box(9, 0, 2, 2),), (box(0, 0, 2.2, 2), box(5, 0, 1, 1)), S),
        ("smallest", 1, (box(9, 0, 2, 2),), (box(0, 0, 2.2, 2),), S),
        ("smallest", 1, (box(0, 0, 2.2, 2),), (box(9, 0, 2, 2),), U),
        ("tallest", 1, (box(0, 0, 1, 2.2),), (box(9, 0, 4, 2),), S),
        ("tallest", 1, (box(9, 0, 4, 2),), (box(0, 0, 1, 2.2),), U),
        ("shortest", 1, (box(9, 0, 4, 2),), (box(0, 0, 1, 2.2),), S),
        ("shortest", 1, (box(0, 0, 1, 2.2),), (box(9, 0, 4, 2),), U),
        ("widest", 1, (box(0, 0, 2.2, 1),), (box(9, 0, 2, 4),), S),
        ("widest", 1, (box(9, 0, 2, 4),), (box(0, 0, 2.2, 1),), U),
    ],
)
def test_each_side_of_each_margin(predicate, number, subject, rest, expected):
    assert check_rank(predicate, number, subject, rest).verdict == expected


def test_of_several_boxes_of_the_phrase_one_must_be_possible():
    assert check_rank("from_left", 2, others(3, 1), others(0)).verdict == U
    assert check_rank("from_left", 1, others(3, 1), others(0)).verdict == C
    assert check_rank("from_left", 1, ROW, ()).verdict == U


def test_the_numbers_are_those_of_the_box_that_fits_best():
    assert check_rank("from_left", 2, others(3, 1), others(0)).measured == {"before": 1, "unclear": 0, "rivals": 2}
    overlapping = check_rank("from_left", 1, others(0), (box(0.2, 0, 2, 2), *others(1)))
    assert overlapping.measured == {"before": 0, "unclear": 1, "rivals": 2}


def test_without_anything_to_compare_nothing_is_decided():
    for predicate in RANKS:
        assert check_rank(predicate, 1, others(0), ()).verdict == U
        assert check_rank(predicate, 1, (), others(0, 1)).verdict == U
    assert check_rank("nicest", 1, others(0), others(1)).verdict == U
    assert check_rank("from_left", 0, others(0), others(1)).verdict == U
