"""Scales convert the corners of a box to numbers and back. A scale defines unit, rounding, error and arithmetic."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from transforms.text.grounded_caption import Corners


class Scale(Protocol):
    """One way to write corners as numbers. Widths and heights are those of the image in pixels, 1 or more."""

    @property
    def rounding(self) -> str:
        """How a corner becomes a number, in a few words."""

    def error(self, width: int, height: int) -> tuple[float, float]:
        """How far `decode(encode(box))` can move a corner in x and in y, as fractions of the image's sides."""

    def encode(self, box: Corners, width: int, height: int) -> tuple[float, ...]:
        """The numbers of a box. Their count is the same for every box."""

    def decode(self, numbers: Sequence[float], width: int, height: int) -> Corners:
        """The box of the numbers, within 0..1; raises ValueError if the numbers are not a box."""


@dataclass(frozen=True)
class Steps:
    """Whole steps: x1, y1, x2, y2.

    steps: returns the number of steps in the width and in the height of an image. rounding: the rule in words.
    to_int: the rule in code; its argument is a corner in steps. margin: the highest number is the number of steps minus
    this. middle: 0.5 if a number is read as the middle of its step, else 0. moves: the most that a corner can move, in
    steps.
    """

    steps: Callable[[int, int], tuple[int, int]]
    rounding: str
    to_int: Callable[[float], int] = round
    margin: int = 0
    middle: float = 0.0
    moves: float = 0.5

    def error(self, width: int, height: int) -> tuple[float, float]:
        wide, high = self.steps(width, height)
        return self.moves / wide, self.moves / high

    def encode(self, box: Corners, width: int, height: int) -> tuple[float, ...]:
        sides = self.steps(width, height) * 2
        return tuple(
            min(max(self.to_int(corner * side), 0), side - self.margin) for corner, side in zip(box, sides, strict=True)
        )

    def decode(self, numbers: Sequence[float], width: int, height: int) -> Corners:
        return clipped(self.written(numbers, width, height))

    def written(self, numbers: Sequence[float], width: int, height: int) -> Corners:
        """`decode` without the clamp to 0..1."""
        wide, high = self.steps(width, height)
        x1, y1, x2, y2 = (number + self.middle for number in numbers)
        return x1 / wide, y1 / high, x2 / wide, y2 / high


def rounded(unit: int, rounding: str = "") -> Steps:
    """A scale that rounds `c * unit` to the nearest integer, 0..unit."""
    return Steps(lambda *_: (unit, unit), rounding or f"round(c * {unit})")


def binned(bins: int) -> Steps:
    """A scale that truncates to the number of the bin, 0..bins - 1, and reads a number as the middle of its bin."""
    rounding = f"floor(c * {bins}), at most {bins - 1}"
    return Steps(lambda *_: (bins, bins), rounding, math.floor, margin=1, middle=0.5)


PIXELS = Steps(lambda width, height: (width, height), "round(x * width), round(y * height)")


@dataclass(frozen=True)
class Decimals:
    """Decimal fractions of the image's sides, rounded to `digits` decimals."""

    digits: int
    rounding: str

    def error(self, width: int, height: int) -> tuple[float, float]:
        half = 0.5 * 10**-self.digits
        return half, half

    def encode(self, box: Corners, width: int, height: int) -> tuple[float, ...]:
        return tuple(round(corner, self.digits) for corner in box)

    def decode(self, numbers: Sequence[float], width: int, height: int) -> Corners:
        return clipped(self.written(numbers, width, height))

    def written(self, numbers: Sequence[float], width: int, height: int) -> Corners:
        """`decode` without the clamp to 0..1."""
        x1, y1, x2, y2 = numbers
        return x1, y1, x2, y2


class PaddedSquare(Decimals):
    """Decimal fractions of the square that the image is padded to, centred in it (Shikra's expand2square)."""

    def error(self, width: int, height: int) -> tuple[float, float]:
        half, side = super().error(width, height)[0], max(width, height)
        return half * side / width, half * side / height

    def encode(self, box: Corners, width: int, height: int) -> tuple[float, ...]:
        side, left, upper = self._square(width, height)
        x1, x2 = ((x * width + left) / side for x in box[::2])
        y1, y2 = ((y * height + upper) / side for y in box[1::2])
        return super().encode(clipped((x1, y1, x2, y2)), width, height)

    def written(self, numbers: Sequence[float], width: int, height: int) -> Corners:
        side, left, upper = self._square(width, height)
        x1, y1, x2, y2 = (number * side for number in numbers)
        return (x1 - left) / width, (y1 - upper) / height, (x2 - left) / width, (y2 - upper) / height

    def _square(self, width: int, height: int) -> tuple[int, int, int]:
        side = max(width, height)
        return side, (side - width) // 2, (side - height) // 2


class InsideLastPixel(Steps):
    """Steps of a corner that is first clamped to the last pixel, as in Ferret."""

    def error(self, width: int, height: int) -> tuple[float, float]:
        wide, high = super().error(width, height)
        return wide + 1 / width, high + 1 / height

    def encode(self, box: Corners, width: int, height: int) -> tuple[float, ...]:
        sides = zip(box, (width, height) * 2, self.steps(width, height) * 2, strict=True)
        return tuple(self.to_int(min(max(corner * side, 0), side - 1) * steps / side) for corner, side, steps in sides)


def clipped(values: Iterable[float]) -> Corners:
    """Four fractions, clamped to 0..1."""
    x1, y1, x2, y2 = (min(max(value, 0.0), 1.0) for value in values)
    return x1, y1, x2, y2
