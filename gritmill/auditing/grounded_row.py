"""One row of a data set of captions with boxes, as written: nothing is corrected, clamped or left out."""

import math
from dataclasses import dataclass, field
from typing import Any

from transforms.annotations.columns import NOTHING_GIVEN, AnnotationColumns
from transforms.text.grounded_caption import Corners

_NUMBERS = frozenset((int, float))

WrittenSpan = tuple[float, float]
"""Offsets into the caption as the file has them: they may be fractions, and outside of it."""


@dataclass(frozen=True, slots=True)
class WrittenBox:
    """A box as the file has it.

    corners: x1, y1, x2, y2 in the unit of the row; None if the file does not have numbers there.
    score: None if the format has none, NaN if it is no number.
    span: of its phrase; None if the format has none, or if it is not a pair of numbers. text: the words of its phrase,
      if the file has them. expression: the span of its referring expression. copy: the box beside this span, if the
      file repeats box and score there, as GRIT does. place: what the box is called in messages: "noun_chunks[3]".
      crowd: whether the file marks it as one around several things, as COCO does.
    """

    place: str
    corners: Corners | None
    score: float | None = None
    span: WrittenSpan | None = None
    text: str | None = None
    expression: WrittenSpan | None = None
    copy: tuple[Any, ...] | None = None
    crowd: bool = False


class NearName(str):
    """A name that tells images apart only in rows that follow each other. Keys are often numbers of rows, which several
    sources of a data set have."""


@dataclass(frozen=True, slots=True)
class GroundedRow:
    """A caption with its boxes.

    place: file and number of the row, from 1. picture: what names the image, so that the captions of one image are
      known; the place if nothing does. A `NearName` if it is no name of the image itself.
    caption: None if the format has none, as for detection.
    sides: width and height that are 1 in the unit of the corners: (1, 1) for fractions, the size of the image for
      pixels. None for pixels of an image whose size the file does not have, so that no box of it can be checked.
    size: width and height of the image in pixels; 0 if unknown.
    ends: whether only the ends of phrases are known: each span is empty, and at the end of its phrase.
    lines: the numbers of rows in the lists that belong together, which should be equal; see GRIT.
    meta: other values from the source, a JSON object, as in records of gritmill. given: the columns with boxes, if
      these are records of a run whose source has some.
    tolerance: the fractions of width and height by which a corner may be outside, because of rounding.
    problems: names of checks that the reader of the format has found, with a detail.
    """

    place: str
    picture: str
    caption: str | None
    boxes: tuple[WrittenBox, ...]
    sides: tuple[float, float] | None = (1.0, 1.0)
    size: tuple[int, int] = (0, 0)
    ends: bool = False
    lines: tuple[int, int] | None = None
    meta: str = "{}"
    given: AnnotationColumns = NOTHING_GIVEN
    tolerance: tuple[float, float] = (1e-6, 1e-6)
    problems: dict[str, str] = field(default_factory=dict)

    def fractions(self, box: WrittenBox) -> Corners | None:
        """The corners as fractions of the image's sides; None if they are unknown."""
        if box.corners is None or self.sides is None:
            return None
        (x1, y1, x2, y2), (wide, high) = box.corners, self.sides
        return x1 / wide, y1 / high, x2 / wide, y2 / high


def numbers_in(value: Any, length: int) -> tuple[float, ...] | None:
    """A list of this many numbers as floats, NaN and infinities among them; None if it is something else."""
    if not isinstance(value, list | tuple) or len(value) != length or not _NUMBERS.issuperset(map(type, value)):
        return None
    try:
        return tuple(map(float, value))
    except OverflowError:  # an integer of hundreds of digits
        return (math.inf,) * length


def whole(span: WrittenSpan | None) -> tuple[int, int] | None:
    """A span as integers; None if there is none, or if it has fractions, NaN or infinities."""
    return (int(span[0]), int(span[1])) if span and span[0].is_integer() and span[1].is_integer() else None
