"""Rates with intervals, from sums that take no more memory for more rows.

The boxes of one picture are not independent: one that has a duplicate often has more. So the variance of a rate is that
of a ratio of sums over pictures (Cochran, Sampling Techniques, 3rd edition, section 6.3), and the interval is Wilson's
for as many independent boxes as have this variance (Korn and Graubard, Survey Methodology 24, 1998). For one pair a
picture, this is Wilson's interval itself.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gritmill.auditing.grounded_row import NearName
from gritmill.auditing.same_image import DistinctNames

_Z = 1.959963984540054  # 95 %


class Interval(NamedTuple):
    """A rate, 0..1, and the ends of its interval of 95 %."""

    rate: float
    low: float
    high: float


@dataclass
class Sums:
    """Sums over pictures. found, of: faults, and what they are among. pictures: those in which `of` is not 0."""

    found: int = 0
    of: int = 0
    found_squared: int = 0
    product: int = 0
    of_squared: int = 0
    pictures: int = 0

    def add(self, found: int, of: int) -> None:
        """Adds a picture."""
        self.found += found
        self.of += of
        self.found_squared += found * found
        self.product += found * of
        self.of_squared += of * of
        self.pictures += of > 0

    def interval(self) -> Interval | None:
        """The rate with its interval; None if it is the rate of nothing."""
        if not self.of:
            return None
        rate = self.found / self.of
        return Interval(rate, *_wilson(rate, self._independent(rate)))

    def _independent(self, rate: float) -> float:
        """How many independent cases have the variance of the rate: at most all, at least one. If all cases are equal,
        the variance is unknown, and pictures are the safe number."""
        if not 0 < rate < 1 or self.pictures < 2:
            return min(self.of, self.pictures)
        squares = self.found_squared - 2 * rate * self.product + rate * rate * self.of_squared
        variance = squares / self.of**2 * self.pictures / (self.pictures - 1)
        return min(self.of, max(rate * (1 - rate) / variance, 1.0)) if variance > 0 else self.of


def _wilson(rate: float, number: float) -> tuple[float, float]:
    """Wilson's interval of a rate among `number` cases."""
    square = _Z * _Z / number
    middle = (rate + square / 2) / (1 + square)
    half = _Z / (1 + square) * math.sqrt(rate * (1 - rate) / number + square / (4 * number))
    return (0.0 if rate == 0 else max(middle - half, 0.0)), (1.0 if rate == 1 else min(middle + half, 1.0))


@dataclass
class Tally:
    """The sums of all checks. of_check: what each check counts.

    examples: the first lines of each check, at most `most`.
    """

    of_check: Mapping[str, str]
    most: int
    sums: dict[str, Sums] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    units: Counter[str] = field(default_factory=Counter)
    _near: int = 0
    _named: DistinctNames = field(default_factory=DistinctNames)
    _picture: str | None = None
    _found: Counter[str] = field(default_factory=Counter)
    _of: Counter[str] = field(default_factory=Counter)

    def add(self, picture: str, place: str, units: Mapping[str, int], found: Mapping[str, list[str]]) -> None:
        """Adds a row. Rows of one picture that follow each other are one case of the rates. found: lines by check."""
        if picture != self._picture:
            self.close()
            self._picture = picture
        self._of.update(units)
        for name, lines in found.items():
            self._found[name] += len(lines)
            kept = self.examples.setdefault(name, [])
            kept += [f"{place}: {line}" for line in lines[: self.most - len(kept)] if line]

    @property
    def pictures(self) -> int:
        """How many there are. One whose rows are in several places counts once if it has a name of its own."""
        return self._near + len(self._named)

    def close(self) -> None:
        """Adds the last picture to the sums."""
        if self._picture is None:
            return
        for name, unit in self.of_check.items():
            self.sums.setdefault(name, Sums()).add(self._found[name], self._of[unit])
        self.units.update(self._of)
        if self._of.keys() == {"rows"}:
            pass  # of a broken row, nothing is known
        elif isinstance(self._picture, NearName):
            self._near += 1
        else:
            self._named.add(self._picture)
        self._picture = None
        self._found.clear()
        self._of.clear()
