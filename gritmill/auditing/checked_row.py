"""A row with what several checks need: the fault of each box, the sound boxes, the spans, which boxes are the same."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gritmill.auditing.grounded_row import GroundedRow, WrittenBox, whole
from transforms.selection.select_boxes import ious
from transforms.text.grounded_caption import Corners

SAME_BOX = 0.9
"""Two boxes with a larger IoU are the same box."""

_BLOCK = 512
"""So many boxes are compared with all others at a time: rows of detection data have thousands."""

_NO_OVERHANG = 2.0
"""No box reaches beyond its image by the image's side: if one seems to, its numbers are pixels."""

PhraseKey = tuple[int, int] | str
"""What tells a phrase of a row from the others: its span, or its words if it has none."""

UNKNOWN: PhraseKey = (-1, -1)
"""The key of each phrase whose offsets are not whole numbers. Nothing tells two of them apart."""


@dataclass(frozen=True)
class CheckedRow:
    """A row with what several checks need."""

    row: GroundedRow

    @cached_property
    def faults(self) -> list[str]:
        """The fault of geometry of each box; "" if it has none, "unknown" if the size of the image is unknown."""
        fractions_as_pixels = self._are_fractions()
        return [_fault(box, self.row, fractions_as_pixels) for box in self.row.boxes]

    @cached_property
    def sound(self) -> list[tuple[WrittenBox, Corners]]:
        """The boxes that have an area in the image or beside it, with their fractions."""
        found = zip(self.row.boxes, map(self.row.fractions, self.row.boxes), self.faults, strict=True)
        return [(box, corners) for box, corners, fault in found if corners and fault in ("", "outside")]

    @cached_property
    def spans(self) -> dict[tuple[float, float], WrittenBox]:
        """The spans as written, each with its first box. Empty if only their ends are known, or if the caption has no
        words, which is a fault of its own."""
        if self.row.ends or not (self.row.caption or "").strip():
            return {}
        return {box.span: box for box in reversed(self.row.boxes) if box.span is not None}

    @cached_property
    def good_spans(self) -> list[tuple[int, int]]:
        """The spans that are not empty and in the caption, in the order of the caption."""
        length = len(self.row.caption or "")
        found = (whole(span) for span in self.spans)
        return sorted(span for span in found if span and 0 <= span[0] < span[1] <= length)

    @cached_property
    def same_boxes(self) -> list[tuple[int, int]]:
        """The pairs of sound boxes that are the same box, as numbers, the earlier one second, in order."""
        corners = [corners for _, corners in self.sound]
        found = []
        for first in range(0, len(corners), _BLOCK):
            same = np.argwhere(ious(corners[first : first + _BLOCK], corners) > SAME_BOX)
            found += [(first + at, earlier) for at, earlier in same.tolist() if earlier < first + at]
        return found

    @cached_property
    def keys(self) -> list[PhraseKey]:
        """The phrase of each sound box."""
        return [key_of(box) for box, _ in self.sound]

    def _are_fractions(self) -> bool:
        """Whether all numbers of boxes in pixels are at most 1, as no boxes of a picture are."""
        if self.row.sides is None or self.row.sides == (1.0, 1.0):
            return False
        numbers = [number for box in self.row.boxes if box.corners for number in box.corners]
        return bool(numbers) and all(-1 <= number <= 1 for number in numbers) and any(numbers)


def key_of(box: WrittenBox) -> PhraseKey:
    """What tells the phrase of a box from the others."""
    return whole(box.span) or UNKNOWN if box.span is not None else box.text or ""


def _fault(box: WrittenBox, row: GroundedRow, fractions_as_pixels: bool) -> str:
    if box.corners is None:
        return "malformed_box"
    if not all(map(math.isfinite, box.corners)):
        return "not_finite"
    corners = row.fractions(box)
    if corners is None:
        return "unknown"
    if fractions_as_pixels or (row.sides == (1.0, 1.0) and max(map(abs, corners)) >= _NO_OVERHANG):
        return "other_unit"
    x1, y1, x2, y2 = corners
    if x2 < x1 or y2 < y1:
        return "swapped_corners"
    if x1 == x2 or y1 == y2:
        return "no_area"
    (wide, high) = row.tolerance
    inside = x1 >= -wide and y1 >= -high and x2 <= 1 + wide and y2 <= 1 + high
    return "" if inside else "outside"
