"""pix2seq: a detector's token ids, y1 x1 y2 x2 class (google-research/pix2seq, format "yxyxc").

    1200 1102 1750 1512 30

A coordinate's token is 1000 + round(c * 999). Phrases are no classes: every box has pix2seq's own token for a class
that means nothing (FAKE_CLASS_TOKEN, 30), so boxes alone are carried.
"""

from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects.scales import rounded, to_fractions
from transforms.text.grounded_caption import Carries, Corners, GroundedCaption, Span

_SHIFT, _BINS, _FAKE_CLASS = 1000, 1000, 30


@dataclass(frozen=True)
class Pix2Seq:
    """See the module's text."""

    name: ClassVar[str] = "pix2seq"
    carries: ClassVar[Carries] = Carries.BOXES
    by_caption: ClassVar[bool] = True
    rounding: ClassVar[str] = "round(c * 999)"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """Half a bin."""
        return 0.5 / (_BINS - 1), 0.5 / (_BINS - 1)

    def encode(self, grounded: GroundedCaption) -> str:
        """Five numbers a box."""
        return " ".join(_tokens(box) for span in grounded.spans for box in span.boxes)

    def decode(self, text: str, width: int = 1, height: int = 1) -> GroundedCaption:
        """The boxes."""
        tokens = [int(token) for token in text.split()]
        if len(tokens) % 5 or any(token != _FAKE_CLASS for token in tokens[4::5]):
            raise ValueError(f"pix2seq: malformed: {text[:60]!r}")
        boxes = tuple(_box(tokens[i : i + 4]) for i in range(0, len(tokens), 5))
        return GroundedCaption("", (Span(0, 0, boxes),) if boxes else (), width, height)


def _tokens(box: Corners) -> str:
    x1, y1, x2, y2 = rounded(box, _BINS - 1)
    return " ".join(str(value) for value in (y1 + _SHIFT, x1 + _SHIFT, y2 + _SHIFT, x2 + _SHIFT, _FAKE_CLASS))


def _box(tokens: list[int]) -> Corners:
    y1, x1, y2, x2 = (token - _SHIFT for token in tokens)
    return to_fractions((x1, y1, x2, y2), _BINS - 1)
