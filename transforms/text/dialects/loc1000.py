"""loc1000: location tokens of a fixed number of bins.

    <p>a red cup</p><box><loc_342><loc_156><loc_587><loc_423></box>

Each corner is round(c * (bins - 1)); "loc1000:500" has 500 bins. Several boxes are several <box>…</box>.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects.scales import rounded, to_fractions
from transforms.text.dialects.tagged import Tagged, groups_of_four, numbers
from transforms.text.grounded_caption import Corners


@dataclass(frozen=True)
class Loc1000(Tagged):
    """See the module's text. bins: 2 or more."""

    bins: int = 1000

    entity: ClassVar[re.Pattern[str]] = re.compile(
        r"<p>(?P<phrase>.+?)</p>(?P<boxes>(?:<box>(?:<loc_\d+>){4}</box>)+)", re.DOTALL
    )
    signs: ClassVar[tuple[str, ...]] = ("<p>", "</p>", "<box>", "</box>", "<loc_")
    rounding: ClassVar[str] = "round(c * (bins - 1))"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """Half a bin."""
        half = 0.5 / (self.bins - 1)
        return half, half

    def tagged(self, phrase: str, boxes: Sequence[str]) -> str:
        """Words, then boxes."""
        return f"<p>{phrase}</p>{''.join(f'<box>{box}</box>' for box in boxes)}"

    def box(self, box: Corners, width: int, height: int) -> str:
        """Four tokens: x1, y1, x2, y2."""
        return "".join(f"<loc_{value}>" for value in rounded(box, self.bins - 1))

    def boxes(self, text: str, width: int, height: int) -> list[Corners]:
        """Shares of the last bin."""
        return [to_fractions(four, self.bins - 1) for four in groups_of_four(numbers(text))]
