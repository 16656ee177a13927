"""Numbers of two boxes, rounded. Both axes must have the same unit: see `square`.

Only +, -, *, / and sqrt are used, which IEEE 754 rounds correctly, so every platform gives the same bytes.
"""

from math import sqrt

from transforms.claims.verdicts import Corners

DIGITS = 4
"""Digits after the point of every measured number."""

LARGEST = 1e6
"""No measured number is larger: boxes can be so thin that their extent, on another scale, is 0."""


def square(boxes: tuple[Corners, ...], width: int, height: int) -> tuple[Corners, ...]:
    """Boxes in fractions of the picture's sides -> boxes in picture widths, on both axes.

    width, height: pixels. If they are unknown (0), the picture counts as square.
    """
    aspect = height / width if width > 0 and height > 0 else 1.0
    return tuple((x1, y1 * aspect, x2, y2 * aspect) for x1, y1, x2, y2 in boxes)


def rounded(value: float) -> float:
    """The value with `DIGITS` digits. Never -0.0."""
    return round(value, DIGITS) + 0.0


def ratio(value: float, unit: float) -> float:
    """value / unit, rounded, and between -`LARGEST` and `LARGEST`. unit: at least 0."""
    if abs(value) >= LARGEST * unit:
        return 0.0 if value == 0 else LARGEST if value > 0 else -LARGEST
    return round(value / unit, DIGITS) + 0.0


def size(box: Corners) -> float:
    """The mean of width and height. The root of the area would make a branch or a fence very small."""
    return (box[2] - box[0] + box[3] - box[1]) / 2


def area(box: Corners) -> float:
    """Width times height."""
    return (box[2] - box[0]) * (box[3] - box[1])


def offset(a: Corners, b: Corners, axis: int) -> float:
    """How far the centre of `b` is beyond that of `a`, as a fraction of half the sum of their extents.

    1: equal boxes that meet at their edges, or any two whose extents just meet. axis: 0 for x, 1 for y.
    """
    return ratio(b[axis] + b[axis + 2] - a[axis] - a[axis + 2], a[axis + 2] - a[axis] + b[axis + 2] - b[axis])


def spans(a: Corners, b: Corners, axis: int) -> bool:
    """Whether one of the boxes contains the other one on this axis."""
    return (a[axis] <= b[axis] and b[axis + 2] <= a[axis + 2]) or (b[axis] <= a[axis] and a[axis + 2] <= b[axis + 2])


def distance(a: Corners, b: Corners, axis: int) -> float:
    """The space between two boxes on an axis; negative if they overlap there."""
    return max(a[axis] - b[axis + 2], b[axis] - a[axis + 2])


def gap(a: Corners, b: Corners) -> float:
    """The shortest line between two boxes; 0 if they meet or overlap."""
    x, y = max(distance(a, b, 0), 0.0), max(distance(a, b, 1), 0.0)
    return sqrt(x * x + y * y)


def shared(a: Corners, b: Corners) -> float:
    """The area of the overlap."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def hull(boxes: tuple[Corners, ...]) -> Corners:
    """The smallest box around all boxes."""
    x1, y1, x2, y2 = zip(*boxes, strict=True)
    return min(x1), min(y1), max(x2), max(y2)
