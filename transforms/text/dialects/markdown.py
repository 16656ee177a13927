"""markdown: phrases as links whose address is a box.

    [a dog](0.120,0.340,0.670,0.890) in a field

Three decimals; several boxes are set apart by a semicolon. Kosmos-2's paper calls its own markup hyperlinks; this is
the form that a person can read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects.tagged import Tagged
from transforms.text.grounded_caption import Corners

_BOX = r"[01]\.\d{3}(?:,[01]\.\d{3}){3}"


@dataclass(frozen=True)
class Markdown(Tagged):
    """See the module's text."""

    entity: ClassVar[re.Pattern[str]] = re.compile(rf"\[(?P<phrase>[^\[\]]+)\]\((?P<boxes>{_BOX}(?:;{_BOX})*)\)")
    unit: ClassVar[float] = 1
    rounding: ClassVar[str] = "three decimals, rounded"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """Half of the third decimal."""
        return 0.0005, 0.0005

    def tagged(self, phrase: str, boxes: Sequence[str]) -> str:
        """A link."""
        return f"[{phrase}]({';'.join(boxes)})"

    def box(self, box: Corners, width: int, height: int) -> str:
        """Four decimals: x1, y1, x2, y2."""
        return ",".join(f"{corner:.3f}" for corner in box)
