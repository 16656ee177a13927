"""ferret: whole thousandths, cut off, behind the phrase (apple/ml-ferret).

    a dog [290, 371, 605, 750]

A corner is first kept inside the last pixel, then int(x * 1000 / width) is written. Nothing marks where a phrase
begins, so only its end can be read back.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects.tagged import Tagged
from transforms.text.grounded_caption import Carries, Corners

_BOX = r" \[\d{1,3}(?:, \d{1,3}){3}\]"


@dataclass(frozen=True)
class Ferret(Tagged):
    """See the module's text."""

    entity: ClassVar[re.Pattern[str]] = re.compile(rf"(?P<boxes>(?:{_BOX})+)")
    carries: ClassVar[Carries] = Carries.ENDS
    unit: ClassVar[float] = 1000
    rounding: ClassVar[str] = "int(x * 1000 / width) of a corner within the last pixel"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """A thousandth, and the last pixel that a corner may have been moved by."""
        return 0.001 + 1 / width, 0.001 + 1 / height

    def tagged(self, phrase: str, boxes: Sequence[str]) -> str:
        """Words, then a bracket a box."""
        return phrase + "".join(f" [{box}]" for box in boxes)

    def box(self, box: Corners, width: int, height: int) -> str:
        """Four thousandths: x1, y1, x2, y2."""
        sides = width, height, width, height
        kept = (min(max(corner * side, 0), side - 1) for corner, side in zip(box, sides, strict=True))
        return ", ".join(str(int(pixel * 1000 / side)) for pixel, side in zip(kept, sides, strict=True))
