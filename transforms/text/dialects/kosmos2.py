"""kosmos2: the format that transformers' Kosmos2Processor reads.

    <grounding><phrase>a dog</phrase><object><patch_index_0195><patch_index_0751></object> in a field

The text preserves the caption and its spans. A box becomes the cells of its corners in a 32 x 32 grid. Each side moves
by at most 1/32 of the image (half of that inside the grid; decoding returns cell centres, as transformers does).

"kosmos2" rounds as transformers' coordinate_to_patch_index, "kosmos2:training" as Kosmos-2's own training code
(microsoft/unilm, obj_utils.py). They differ if a right or lower edge is exactly on a cell border: transformers uses the
cell before the border, the training code the cell after it.

A caption with "<" is rejected, because transformers' reader removes everything from there to the next ">".
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects.tagged import Tagged
from transforms.text.grounded_caption import Corners, GroundedCaption

GRID = 32

_START = "<grounding>"
_DELIMITER = "</delimiter_of_multi_objects/>"
_TOKEN = rf"(<patch_index_\d{{4}}>|{_DELIMITER})"
_BLANKS = re.compile(rf"\s+{_TOKEN}\s*|{_TOKEN}\s+")  # finds nothing in a text that gritmill wrote


def cells(box: Corners, training: bool = False) -> tuple[int, int]:
    """Patch indices (0..1023) of the upper left and the lower right corner of a box with 0 <= x1 < x2 <= 1."""
    x1, y1, x2, y2 = [min(max(c, 0.0), 1.0) for c in box]
    left, upper = min(int(x1 * GRID), GRID - 1), min(int(y1 * GRID), GRID - 1)
    if training:
        # The training code clamps at 0.99999, so that the last cell includes the image's edge.
        right, lower = int(min(x2, 0.99999) * GRID), int(min(y2, 0.99999) * GRID)
    else:
        right, lower = max(math.ceil(x2 * GRID - 1), 0), max(math.ceil(y2 * GRID - 1), 0)
    return upper * GRID + left, lower * GRID + right


def corners(first: int, last: int) -> Corners:
    """The box of two patch indices: cell centres, or the cells' outer edges if the box is one cell wide or high."""
    upper, left = divmod(first, GRID)
    lower, right = divmod(last, GRID)
    if upper == lower or left == right:
        return left / GRID, upper / GRID, (right + 1) / GRID, (lower + 1) / GRID
    return (left + 0.5) / GRID, (upper + 0.5) / GRID, (right + 0.5) / GRID, (lower + 0.5) / GRID


@dataclass(frozen=True)
class Grid:
    """The scale whose numbers are the cells of the upper left and the lower right corner. training: see `cells`."""

    training: bool = False
    rounding: ClassVar[str] = "the 32 x 32 grid's cells"

    def error(self, width: int, height: int) -> tuple[float, float]:
        return 1 / GRID, 1 / GRID

    def encode(self, box: Corners, width: int, height: int) -> tuple[float, ...]:
        return cells(box, self.training)

    def decode(self, numbers: Sequence[float], width: int, height: int) -> Corners:
        first, last = map(int, numbers)
        x1, y1, x2, y2 = self.written(numbers, width, height)
        if max(first, last) >= GRID * GRID or not (x1 < x2 and y1 < y2):
            raise ValueError(f"kosmos2: {first:04} and {last:04} are not a box")
        return x1, y1, x2, y2

    def written(self, numbers: Sequence[float], width: int, height: int) -> Corners:
        """`decode` of any cells: those below the grid are outside of the image, and corners may be swapped."""
        first, last = map(int, numbers)
        return corners(first, last)


class Kosmos2(Tagged):
    """The caption with tags. Without the tags, the text is the caption."""

    by_caption: ClassVar[bool] = True

    def encode(self, grounded: GroundedCaption) -> str:
        return _START + self.write(grounded)

    def decode(self, text: str, width: int = 1, height: int = 1) -> GroundedCaption:
        """Accepts blanks around the patch indices, which Kosmos2Processor writes."""
        if not text.startswith(_START):
            raise ValueError("kosmos2: the text does not start with <grounding>")
        grounded = super().decode(_BLANKS.sub(r"\1\2", text.removeprefix(_START)), width, height)
        if "<" in grounded.caption:
            raise ValueError(f"kosmos2: malformed markup: {grounded.caption[grounded.caption.index('<') :][:60]!r}")
        return grounded


def _kosmos2(name: str, grid: Grid) -> Kosmos2:
    return Kosmos2(
        name,
        grid,
        entity="<phrase>{phrase}</phrase><object>{boxes}</object>",
        box="<patch_index_{:04}><patch_index_{:04}>",
        between=_DELIMITER,
        number=r"\d{4}",
        words="[^<]+",
        signs=("<",),
    )


KOSMOS2, KOSMOS2_TRAINING = _kosmos2("kosmos2", Grid()), _kosmos2("kosmos2:training", Grid(training=True))
