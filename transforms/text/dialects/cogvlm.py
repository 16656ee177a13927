"""cogvlm: three digits a corner, behind the phrase (THUDM/CogVLM).

    a dog [[086,540,400,760]] and two cats [[100,200,300,400;500,200,700,400]]

Thousandths, rounded, at most 999. Nothing marks where a phrase begins, so only its end can be read back.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects.scales import rounded
from transforms.text.dialects.tagged import Tagged
from transforms.text.grounded_caption import Carries, Corners

_BOX = r"\d{3}(?:,\d{3}){3}"


@dataclass(frozen=True)
class CogVLM(Tagged):
    """See the module's text."""

    entity: ClassVar[re.Pattern[str]] = re.compile(rf" \[\[(?P<boxes>{_BOX}(?:;{_BOX})*)\]\]")
    carries: ClassVar[Carries] = Carries.ENDS
    signs: ClassVar[tuple[str, ...]] = ("[[", "]]")
    unit: ClassVar[float] = 1000
    rounding: ClassVar[str] = "round(c * 1000), at most 999"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """A thousandth, at the far edges; half of one elsewhere."""
        return 0.001, 0.001

    def tagged(self, phrase: str, boxes: Sequence[str]) -> str:
        """Words, then one double bracket."""
        return f"{phrase} [[{';'.join(boxes)}]]"

    def box(self, box: Corners, width: int, height: int) -> str:
        """Four numbers of three digits: x1, y1, x2, y2."""
        return ",".join(f"{min(value, 999):03}" for value in rounded(box, 1000))
