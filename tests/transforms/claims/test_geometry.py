import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.claims.boxes import box, grid_boxes
from transforms.claims import geometry

A = box(0, 0, 2, 2)


@pytest.mark.parametrize(
    ("other", "dx", "dy", "gap", "shared"),
    [
        (box(0, 0, 2, 2), 0, 0, 0, 4),
        (box(2, 0, 2, 2), 1, 0, 0, 0),
        (box(1, 1, 2, 2), 0.5, 0.5, 0, 1),
        (box(5, 6, 2, 2), 2.5, 3, 5, 0),
        (box(-4, 0.5, 2, 1), -2, 0, 2, 0),
        (box(0.5, 0.5, 1, 1), 0, 0, 0, 1),
        (box(-1, 3, 4, 1), 0, 1.6667, 1, 0),
    ],
)
def test_the_numbers_of_two_boxes(other, dx, dy, gap, shared):
    assert (geometry.offset(A, other, 0), geometry.offset(A, other, 1)) == (dx, dy)
    assert geometry.gap(A, other) == geometry.gap(other, A) == gap
    assert geometry.shared(A, other) == geometry.shared(other, A) == shared


def test_a_box_spans_what_lies_between_its_edges_on_that_axis():
    wide = box(-1, 5, 4, 1)
    assert geometry.spans(A, wide, 0)
    assert geometry.spans(wide, A, 0)
    assert not geometry.spans(A, wide, 1)
    assert not geometry.spans(A, box(1, 0, 2, 2), 0)


@given(grid_boxes(), grid_boxes())
def test_boxes_share_an_area_if_they_overlap_on_both_axes(a, b):
    overlap = all(geometry.distance(a, b, axis) < 0 for axis in (0, 1))
    assert (geometry.shared(a, b) > 0) == overlap
    assert geometry.gap(a, b) == 0 or not overlap
    assert geometry.shared(a, b) <= min(geometry.area(a), geometry.area(b))


def test_both_axes_get_the_unit_of_the_width():
    (found,) = geometry.square((box(0.25, 0.25, 0.5, 0.5),), 640, 320)
    assert found == (0.25, 0.125, 0.75, 0.375)
    unknown = (box(0.25, 0.25, 0.5, 0.5),)
    assert geometry.square(unknown, 0, 0) == unknown


@given(st.floats(-1e300, 1e300), st.floats(0, 1e300))
def test_ratios_are_finite_and_rounded(value, unit):
    found = geometry.ratio(value, unit)
    assert math.isfinite(found)
    assert abs(found) <= geometry.LARGEST
    assert found == round(found, geometry.DIGITS)
    assert math.copysign(1, found) == 1 or found < 0


def test_the_ratio_to_nothing():
    assert geometry.ratio(1, 0) == geometry.LARGEST
    assert geometry.ratio(-1, 0) == -geometry.LARGEST
    assert geometry.ratio(0, 0) == 0


def test_the_box_around_boxes():
    assert geometry.hull((box(1, 5, 2, 2), box(4, 0, 1, 1))) == (1, 0, 5, 7)
