"""paligemma: location tokens before a label, the answer to PaliGemma's `detect dog ; cat`.

    <loc0256><loc0102><loc0768><loc0512> dog ; <loc0000><loc0000><loc1023><loc1023> cat

The order is y1, x1, y2, x2. A corner is round(c * 1023), which big_vision's own code reads back in the same way. Every
box has its own label. The text does not contain the caption.
"""

import re
from typing import ClassVar

from transforms.text.dialects.scales import rounded
from transforms.text.dialects.tagged import MARKUP, Scaled, outline
from transforms.text.grounded_caption import (
    CannotCarry,
    Carries,
    Corners,
    GroundedCaption,
    expected_round_trip,
    from_phrases,
)

_BETWEEN = " ; "
_TOKENS = "<loc{1:04}><loc{0:04}><loc{3:04}><loc{2:04}>"
_LABEL = re.compile(r"<loc(\d{4})>" * 4 + " (.+)", re.DOTALL)


class _PaliGemma(Scaled):
    carries: ClassVar[Carries] = Carries.LABELS

    def encode(self, grounded: GroundedCaption) -> str:
        labels = expected_round_trip(grounded, self.carries)
        text = _BETWEEN.join(
            f"{_TOKENS.format(*self.scale.encode(span.boxes[0], 1, 1))} {labels.caption[span.start : span.end]}"
            for span in labels.spans
        )
        # big_vision's reader ends a label at any of these.
        if not set(";<>").isdisjoint(labels.caption) or outline(self.decode(text)) != outline(labels):
            raise CannotCarry(MARKUP)
        return text

    def decode(self, text: str, width: int = 1, height: int = 1) -> GroundedCaption:
        return from_phrases(map(self._label, text.split(_BETWEEN)) if text else (), width, height)

    def _label(self, text: str) -> tuple[str, tuple[Corners, ...]]:
        found = _LABEL.fullmatch(text)
        if not found:
            raise ValueError(f"paligemma: malformed: {text[:60]!r}")
        y1, x1, y2, x2 = map(int, found.groups()[:4])
        return found[5], (self.scale.decode((x1, y1, x2, y2), 1, 1),)


PALIGEMMA = _PaliGemma("paligemma", rounded(1023))
