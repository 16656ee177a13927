"""kosmos2-paper: the form that the Kosmos-2 paper prints (arXiv 2306.14824, section 3).

    <p>a dog</p><box><loc_195><loc_751></box> in a field

The arithmetic is that of Kosmos-2's own training code, as "kosmos2:training" has it; several boxes are set apart by
<delim>. Released models do not read this form: it is for texts about them, and for models of one's own.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects.kosmos2 import GRID, cells, corners
from transforms.text.dialects.tagged import Tagged
from transforms.text.grounded_caption import Corners

_BOX = r"<loc_\d{1,4}><loc_\d{1,4}>"


@dataclass(frozen=True)
class Kosmos2Paper(Tagged):
    """See the module's text."""

    entity: ClassVar[re.Pattern[str]] = re.compile(
        rf"<p>(?P<phrase>.+?)</p><box>(?P<boxes>{_BOX}(?:<delim>{_BOX})*)</box>", re.DOTALL
    )
    signs: ClassVar[tuple[str, ...]] = ("<p>", "</p>", "<box>", "</box>", "<loc_", "<delim>")
    rounding: ClassVar[str] = "the 32 x 32 grid's cells"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """One cell."""
        return 1 / GRID, 1 / GRID

    def tagged(self, phrase: str, boxes: Sequence[str]) -> str:
        """Words, then cells."""
        return f"<p>{phrase}</p><box>{'<delim>'.join(boxes)}</box>"

    def box(self, box: Corners, width: int, height: int) -> str:
        """Two cells: upper left, lower right."""
        first, last = cells(box, training=True)
        return f"<loc_{first}><loc_{last}>"

    def boxes(self, text: str, width: int, height: int) -> list[Corners]:
        """As Kosmos-2's own decoder reads cells."""
        found = re.findall(r"<loc_(\d+)><loc_(\d+)>", text)
        return [corners(int(first), int(last)) for first, last in found]
