"""kosmos2: what transformers' Kosmos2Processor reads.

    <grounding><phrase>a dog</phrase><object><patch_index_0195><patch_index_0751></object> in a field

Carries the caption and its spans. A box becomes the 32 x 32 grid cells of its corners, so each side moves by at most
1/32 of the picture (half of that inside the grid; decoding gives cell centres, as transformers does).

"kosmos2" rounds as transformers' coordinate_to_patch_index, "kosmos2:training" as Kosmos-2's own training code
(microsoft/unilm, obj_utils.py). They differ where a right or lower edge lies exactly on a cell border: transformers
takes the cell before it, the training code the one behind it.

A caption with "<" is refused: transformers' reader removes everything from there to the next ">".
"""

import math
import re
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.grounded_caption import CannotCarry, Carries, Corners, Dialect, GroundedCaption, Span

GRID = 32
MARKUP = "markup"

_OPTIONS = ("", "training")
_DELIMITER = "</delimiter_of_multi_objects/>"
_CELLS = r"<patch_index_(\d{4})>\s*<patch_index_(\d{4})>"
_OBJECT = rf"\s*{_CELLS}(?:\s*{_DELIMITER}\s*{_CELLS})*\s*"
_ENTITY = re.compile(rf"<phrase>([^<]+)</phrase><object>({_OBJECT})</object>")


def make(option: str) -> Dialect:
    """The dialect, with the rounding of transformers ("") or of the training code ("training")."""
    if option not in _OPTIONS:
        raise ValueError(f"text.dialect: kosmos2 has no option {option!r}; it has {', '.join(filter(None, _OPTIONS))}")
    return Kosmos2(option == "training")


def cells(box: Corners, training: bool = False) -> tuple[int, int]:
    """Patch indices (0..1023) of the upper left and the lower right corner of a box with 0 <= x1 < x2 <= 1."""
    x1, y1, x2, y2 = [min(max(c, 0.0), 1.0) for c in box]
    left, upper = min(int(x1 * GRID), GRID - 1), min(int(y1 * GRID), GRID - 1)
    if training:
        # The training code clamps at 0.99999, so that the last cell takes in the picture's edge.
        right, lower = int(min(x2, 0.99999) * GRID), int(min(y2, 0.99999) * GRID)
    else:
        right, lower = max(math.ceil(x2 * GRID - 1), 0), max(math.ceil(y2 * GRID - 1), 0)
    return upper * GRID + left, lower * GRID + right


def corners(first: int, last: int) -> Corners:
    """The box of two patch indices: cell centres, or the cells' outer edges where the box is one cell wide or high."""
    upper, left = divmod(first, GRID)
    lower, right = divmod(last, GRID)
    if upper == lower or left == right:
        return left / GRID, upper / GRID, (right + 1) / GRID, (lower + 1) / GRID
    return (left + 0.5) / GRID, (upper + 0.5) / GRID, (right + 0.5) / GRID, (lower + 0.5) / GRID


def _box(first: int, last: int) -> Corners:
    x1, y1, x2, y2 = corners(first, last)
    if max(first, last) >= GRID * GRID or not (x1 < x2 and y1 < y2):
        raise ValueError(f"kosmos2: {first:04} and {last:04} are no box")
    return x1, y1, x2, y2


@dataclass(frozen=True)
class Kosmos2:
    """See the module's text."""

    training: bool = False
    by_caption: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """As in the configuration."""
        return "kosmos2:training" if self.training else "kosmos2"

    @property
    def carries(self) -> Carries:
        """Everything."""
        return Carries.SPANS

    @property
    def rounding(self) -> str:
        """See the module's text."""
        return "the 32 x 32 grid's cells"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """One cell."""
        return 1 / GRID, 1 / GRID

    def encode(self, grounded: GroundedCaption) -> str:
        """The caption with its tags; without the tags it is the caption itself."""
        if "<" in grounded.caption:
            raise CannotCarry(MARKUP)
        parts = ["<grounding>"]
        done = 0
        for span in grounded.spans:
            objects = _DELIMITER.join(self._object(box) for box in span.boxes)
            phrase = grounded.caption[span.start : span.end]
            parts += [grounded.caption[done : span.start], f"<phrase>{phrase}</phrase><object>{objects}</object>"]
            done = span.end
        return "".join([*parts, grounded.caption[done:]])

    def decode(self, text: str, width: int = 1, height: int = 1) -> GroundedCaption:
        """Caption, spans and boxes; blanks around the patch indices, as Kosmos2Processor writes them, are allowed."""
        if not text.startswith("<grounding>"):
            raise ValueError("kosmos2: the text does not start with <grounding>")
        caption = ""
        spans = []
        done = len("<grounding>")
        for entity in _ENTITY.finditer(text):
            caption += text[done : entity.start()]
            boxes = tuple(_box(int(first), int(last)) for first, last in re.findall(_CELLS, entity[2]))
            spans.append(Span(len(caption), len(caption) + len(entity[1]), boxes))
            caption += entity[1]
            done = entity.end()
        caption += text[done:]
        if "<" in caption:
            raise ValueError(f"kosmos2: malformed markup: {caption[caption.index('<') :][:60]!r}")
        return GroundedCaption(caption, tuple(spans), width, height)

    def _object(self, box: Corners) -> str:
        first, last = cells(box, self.training)
        return f"<patch_index_{first:04}><patch_index_{last:04}>"
