"""normalized: corners as decimal fractions.

    <p>a red cup</p><box>[[0.34, 0.16, 0.59, 0.42]]</box>

Two decimals; "normalized:3" has three, and so on up to nine. Several boxes stand in one list.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects.tagged import Tagged
from transforms.text.grounded_caption import Corners

_BOX = r"\[[01]\.\d+(?:, [01]\.\d+){3}\]"


@dataclass(frozen=True)
class Normalized(Tagged):
    """See the module's text. digits: decimals, 1 to 9."""

    digits: int = 2

    entity: ClassVar[re.Pattern[str]] = re.compile(
        rf"<p>(?P<phrase>.+?)</p><box>\[(?P<boxes>{_BOX}(?:, {_BOX})*)\]</box>", re.DOTALL
    )
    signs: ClassVar[tuple[str, ...]] = ("<p>", "</p>", "<box>", "</box>")
    unit: ClassVar[float] = 1
    rounding: ClassVar[str] = "decimals, rounded"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """Half of the last decimal."""
        half = 0.5 * 10**-self.digits
        return half, half

    def tagged(self, phrase: str, boxes: Sequence[str]) -> str:
        """Words, then a list of lists."""
        return f"<p>{phrase}</p><box>[{', '.join(boxes)}]</box>"

    def box(self, box: Corners, width: int, height: int) -> str:
        """Four decimals: x1, y1, x2, y2."""
        return f"[{', '.join(f'{corner:.{self.digits}f}' for corner in box)}]"
