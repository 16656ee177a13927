"""pix2seq: a detector's token ids, y1 x1 y2 x2 class (google-research/pix2seq, format "yxyxc").

    1200 1102 1750 1512 30

The token of a coordinate is 1000 + round(c * 999). Phrases are not classes, so every box has pix2seq's own token for a
class without meaning (FAKE_CLASS_TOKEN, 30). The text contains only boxes.
"""

from typing import ClassVar

from transforms.text.dialects.scales import rounded
from transforms.text.dialects.tagged import Scaled
from transforms.text.grounded_caption import Carries, Corners, GroundedCaption, Span

_SHIFT, _FAKE_CLASS = 1000, 30


class _Pix2Seq(Scaled):
    carries: ClassVar[Carries] = Carries.BOXES
    by_caption: ClassVar[bool] = True

    def encode(self, grounded: GroundedCaption) -> str:
        return " ".join(self._tokens(box) for span in grounded.spans for box in span.boxes)

    def decode(self, text: str, width: int = 1, height: int = 1) -> GroundedCaption:
        tokens = [int(token) for token in text.split()]
        if len(tokens) % 5 or any(token != _FAKE_CLASS for token in tokens[4::5]):
            raise ValueError(f"pix2seq: malformed: {text[:60]!r}")
        boxes = tuple(self._box(tokens[i : i + 4]) for i in range(0, len(tokens), 5))
        return GroundedCaption("", (Span(0, 0, boxes),) if boxes else (), width, height)

    def _tokens(self, box: Corners) -> str:
        x1, y1, x2, y2 = (number + _SHIFT for number in self.scale.encode(box, 1, 1))
        return f"{y1} {x1} {y2} {x2} {_FAKE_CLASS}"

    def _box(self, tokens: list[int]) -> Corners:
        y1, x1, y2, x2 = (token - _SHIFT for token in tokens)
        return self.scale.decode((x1, y1, x2, y2), 1, 1)


PIX2SEQ = _Pix2Seq("pix2seq", rounded(999))
