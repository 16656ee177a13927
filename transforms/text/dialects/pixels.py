"""pixels: corners in whole pixels of the picture, behind the phrase.

    a man [120, 80, 340, 450] with a dog [300, 200, 420, 440] [500, 210, 600, 430]

Nothing marks where a phrase begins, so only its end can be read back.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects import scales
from transforms.text.dialects.tagged import Tagged, groups_of_four, numbers
from transforms.text.grounded_caption import Carries, Corners

_BOX = r" \[\d+(?:, \d+){3}\]"


@dataclass(frozen=True)
class Pixels(Tagged):
    """See the module's text."""

    entity: ClassVar[re.Pattern[str]] = re.compile(rf"(?P<boxes>(?:{_BOX})+)")
    carries: ClassVar[Carries] = Carries.ENDS
    rounding: ClassVar[str] = "round(x * width), round(y * height)"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """Half a pixel."""
        return 0.5 / width, 0.5 / height

    def tagged(self, phrase: str, boxes: Sequence[str]) -> str:
        """Words, then a bracket a box."""
        return phrase + "".join(f" [{box}]" for box in boxes)

    def box(self, box: Corners, width: int, height: int) -> str:
        """Four pixels: x1, y1, x2, y2."""
        return ", ".join(map(str, scales.pixels(box, width, height)))

    def boxes(self, text: str, width: int, height: int) -> list[Corners]:
        """Shares of the picture."""
        return [scales.from_pixels(four, width, height) for four in groups_of_four(numbers(text))]
