"""minigpt-v2: hundredths in angle brackets (Vision-CAIR/MiniGPT-4).

    <p>a dog</p> {<29><37><60><75>}

A corner is cut off at hundredths. Several boxes are set apart by <delim>.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects.tagged import Tagged
from transforms.text.grounded_caption import Corners

_BOX = r"\{(?:<\d{1,3}>){4}\}"


@dataclass(frozen=True)
class MiniGPTv2(Tagged):
    """See the module's text."""

    entity: ClassVar[re.Pattern[str]] = re.compile(
        rf"<p>(?P<phrase>.+?)</p> (?P<boxes>{_BOX}(?:<delim>{_BOX})*)", re.DOTALL
    )
    signs: ClassVar[tuple[str, ...]] = ("<p>", "</p>", "{<", "<delim>")
    unit: ClassVar[float] = 100
    rounding: ClassVar[str] = "int(c * 100)"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """A hundredth."""
        return 0.01, 0.01

    def tagged(self, phrase: str, boxes: Sequence[str]) -> str:
        """Words, then boxes."""
        return f"<p>{phrase}</p> {'<delim>'.join(boxes)}"

    def box(self, box: Corners, width: int, height: int) -> str:
        """Four hundredths: x1, y1, x2, y2."""
        return f"{{{''.join(f'<{int(corner * 100)}>' for corner in box)}}}"
