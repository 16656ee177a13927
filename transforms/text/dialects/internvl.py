"""internvl: InternVL's form (OpenGVLab/InternVL).

    <ref>a dog</ref><box>[[290, 371, 605, 750]]</box>

Integers in 0..1000, rounded; several boxes stand in one list.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects.scales import rounded
from transforms.text.dialects.tagged import Tagged
from transforms.text.grounded_caption import Corners

_BOX = r"\[\d+(?:, \d+){3}\]"


@dataclass(frozen=True)
class InternVL(Tagged):
    """See the module's text."""

    entity: ClassVar[re.Pattern[str]] = re.compile(
        rf"<ref>(?P<phrase>.+?)</ref><box>\[(?P<boxes>{_BOX}(?:, {_BOX})*)\]</box>", re.DOTALL
    )
    signs: ClassVar[tuple[str, ...]] = ("<ref>", "</ref>", "<box>", "</box>")
    unit: ClassVar[float] = 1000
    rounding: ClassVar[str] = "round(c * 1000)"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """Half a thousandth."""
        return 0.0005, 0.0005

    def tagged(self, phrase: str, boxes: Sequence[str]) -> str:
        """Words, then a list of lists."""
        return f"<ref>{phrase}</ref><box>[{', '.join(boxes)}]</box>"

    def box(self, box: Corners, width: int, height: int) -> str:
        """Four thousandths: x1, y1, x2, y2."""
        return f"[{', '.join(map(str, rounded(box, 1000)))}]"
