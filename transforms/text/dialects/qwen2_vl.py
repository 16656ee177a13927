"""qwen2-vl: Qwen2-VL's special tokens (QwenLM/Qwen2-VL).

    <|object_ref_start|>a dog<|object_ref_end|><|box_start|>(290,371),(605,750)<|box_end|>

Integers in 0..1000, rounded. Several boxes are several <|box_start|>…<|box_end|>.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects.scales import rounded
from transforms.text.dialects.tagged import Tagged
from transforms.text.grounded_caption import Corners

_BOX = r"<\|box_start\|>\(\d+,\d+\),\(\d+,\d+\)<\|box_end\|>"


@dataclass(frozen=True)
class Qwen2VL(Tagged):
    """See the module's text."""

    entity: ClassVar[re.Pattern[str]] = re.compile(
        rf"<\|object_ref_start\|>(?P<phrase>.+?)<\|object_ref_end\|>(?P<boxes>(?:{_BOX})+)", re.DOTALL
    )
    signs: ClassVar[tuple[str, ...]] = ("<|",)
    unit: ClassVar[float] = 1000
    rounding: ClassVar[str] = "round(c * 1000)"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """Half a thousandth."""
        return 0.0005, 0.0005

    def tagged(self, phrase: str, boxes: Sequence[str]) -> str:
        """Words, then boxes."""
        marked = "".join(f"<|box_start|>{box}<|box_end|>" for box in boxes)
        return f"<|object_ref_start|>{phrase}<|object_ref_end|>{marked}"

    def box(self, box: Corners, width: int, height: int) -> str:
        """Two points."""
        x1, y1, x2, y2 = rounded(box, 1000)
        return f"({x1},{y1}),({x2},{y2})"
