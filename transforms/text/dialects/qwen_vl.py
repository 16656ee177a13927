"""qwen-vl: Qwen-VL's own form (QwenLM/Qwen-VL).

    <ref>a dog</ref><box>(451,379),(731,806)</box>

Integers in 0..999; its evaluation divides by 999, its README says [0, 1000): a corner is cut off at thousandths, and
read as the middle of its thousandth. Several boxes are several <box>…</box>.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects.scales import binned, to_fractions
from transforms.text.dialects.tagged import Tagged, groups_of_four, numbers
from transforms.text.grounded_caption import Corners

_BOX = r"<box>\(\d+,\d+\),\(\d+,\d+\)</box>"


@dataclass(frozen=True)
class QwenVL(Tagged):
    """See the module's text."""

    entity: ClassVar[re.Pattern[str]] = re.compile(rf"<ref>(?P<phrase>.+?)</ref>(?P<boxes>(?:{_BOX})+)", re.DOTALL)
    signs: ClassVar[tuple[str, ...]] = ("<ref>", "</ref>", "<box>", "</box>", "<img>")
    rounding: ClassVar[str] = "floor(c * 1000), at most 999"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """Half a thousandth."""
        return 0.0005, 0.0005

    def tagged(self, phrase: str, boxes: Sequence[str]) -> str:
        """Words, then boxes."""
        return f"<ref>{phrase}</ref>{''.join(f'<box>{box}</box>' for box in boxes)}"

    def box(self, box: Corners, width: int, height: int) -> str:
        """Two points."""
        x1, y1, x2, y2 = binned(box, 1000)
        return f"({x1},{y1}),({x2},{y2})"

    def boxes(self, text: str, width: int, height: int) -> list[Corners]:
        """Middles of thousandths."""
        return [to_fractions(tuple(value + 0.5 for value in four), 1000) for four in groups_of_four(numbers(text))]
