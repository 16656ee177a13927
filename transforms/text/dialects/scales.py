"""How normalised corners become numbers, and back: the arithmetic that the dialects share."""

import math

from transforms.text.grounded_caption import Corners


def rounded(box: Corners, top: int) -> tuple[int, ...]:
    """Each corner as the nearest of the integers 0..top; half a step is its error."""
    return tuple(min(max(round(corner * top), 0), top) for corner in box)


def binned(box: Corners, bins: int) -> tuple[int, ...]:
    """Each corner as the number of its bin, 0..bins - 1, by truncation; the bin's width is its error."""
    return tuple(min(max(math.floor(corner * bins), 0), bins - 1) for corner in box)


def to_fractions(values: tuple[float, ...], unit: float) -> Corners:
    """Four numbers as fractions of the unit, within 0..1."""
    x1, y1, x2, y2 = (min(max(value / unit, 0.0), 1.0) for value in values)
    return x1, y1, x2, y2


def pixels(box: Corners, width: int, height: int) -> tuple[int, ...]:
    """Each corner as the nearest whole pixel; half a pixel is its error."""
    return tuple(round(corner * side) for corner, side in zip(box, (width, height, width, height), strict=True))


def from_pixels(values: tuple[float, ...], width: int, height: int) -> Corners:
    """Four pixel numbers as fractions of the picture."""
    x1, y1, x2, y2 = values
    left, upper, *_ = to_fractions((x1 / width, y1 / height, 0, 0), 1)
    right, lower, *_ = to_fractions((x2 / width, y2 / height, 0, 0), 1)
    return left, upper, right, lower
