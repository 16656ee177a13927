"""shikra: decimals on the picture padded to a square, behind the phrase (shikras/shikra).

    A man[0.220,0.216,0.568,0.830] with a dog[0.500,0.400,0.700,0.900;0.800,0.410,0.900,0.880]

Shikra pads the picture to a square, the picture in the middle, and counts in shares of its side. Nothing marks where a
phrase begins, so only its end can be read back.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects.scales import from_pixels
from transforms.text.dialects.tagged import Tagged, groups_of_four, numbers
from transforms.text.grounded_caption import Carries, Corners

_BOX = r"[01]\.\d{3}(?:,[01]\.\d{3}){3}"


@dataclass(frozen=True)
class Shikra(Tagged):
    """See the module's text."""

    entity: ClassVar[re.Pattern[str]] = re.compile(rf"\[(?P<boxes>{_BOX}(?:;{_BOX})*)\]")
    carries: ClassVar[Carries] = Carries.ENDS
    rounding: ClassVar[str] = "three decimals of the padded square, rounded"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """Half of the third decimal of the square's side."""
        side = max(width, height)
        return 0.0005 * side / width, 0.0005 * side / height

    def tagged(self, phrase: str, boxes: Sequence[str]) -> str:
        """Words, then one bracket."""
        return f"{phrase}[{';'.join(boxes)}]"

    def box(self, box: Corners, width: int, height: int) -> str:
        """Four decimals: x1, y1, x2, y2 in the square."""
        side, left, upper = _square(width, height)
        x1, y1, x2, y2 = box
        xs, ys = ((x * width + left) / side for x in (x1, x2)), ((y * height + upper) / side for y in (y1, y2))
        (x1, x2), (y1, y2) = xs, ys
        return ",".join(f"{min(max(value, 0.0), 1.0):.3f}" for value in (x1, y1, x2, y2))

    def boxes(self, text: str, width: int, height: int) -> list[Corners]:
        """Shares of the picture again."""
        side, left, upper = _square(width, height)
        return [
            from_pixels((x1 * side - left, y1 * side - upper, x2 * side - left, y2 * side - upper), width, height)
            for x1, y1, x2, y2 in groups_of_four(numbers(text))
        ]


def _square(width: int, height: int) -> tuple[int, int, int]:
    """Side of the square, and where the picture's upper left corner lies in it (expand2square)."""
    side = max(width, height)
    return side, (side - width) // 2, (side - height) // 2
