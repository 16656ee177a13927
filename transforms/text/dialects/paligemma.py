"""paligemma: location tokens before a label, the answer to PaliGemma's `detect dog ; cat`.

    <loc0256><loc0102><loc0768><loc0512> dog ; <loc0000><loc0000><loc1023><loc1023> cat

The order is y1, x1, y2, x2; a corner is round(c * 1023), as big_vision's own code reads it back. Every box has a
label of its own, and the caption is not carried.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects.scales import rounded, to_fractions
from transforms.text.dialects.tagged import MARKUP, numbers, same_outline
from transforms.text.grounded_caption import (
    CannotCarry,
    Carries,
    Corners,
    GroundedCaption,
    expected_round_trip,
    from_phrases,
)

_BETWEEN = " ; "
_LABEL = re.compile(r"((?:<loc\d{4}>){4}) (.+)", re.DOTALL)


@dataclass(frozen=True)
class PaliGemma:
    """See the module's text."""

    name: ClassVar[str] = "paligemma"
    carries: ClassVar[Carries] = Carries.LABELS
    rounding: ClassVar[str] = "round(c * 1023)"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """Half a step."""
        return 0.5 / 1023, 0.5 / 1023

    def encode(self, grounded: GroundedCaption) -> str:
        """Box by box, each with its span's words."""
        labels = expected_round_trip(grounded, self.carries)
        text = _BETWEEN.join(
            f"{_tokens(span.boxes[0])} {labels.caption[span.start : span.end]}" for span in labels.spans
        )
        # big_vision's reader takes a label to end at any of these.
        if not set(";<>").isdisjoint(labels.caption) or not same_outline(self.decode(text), labels):
            raise CannotCarry(MARKUP)
        return text

    def decode(self, text: str, width: int = 1, height: int = 1) -> GroundedCaption:
        """The labelled boxes."""
        return from_phrases(map(_label, text.split(_BETWEEN)) if text else (), width, height)


def _label(text: str) -> tuple[str, tuple[Corners, ...]]:
    found = _LABEL.fullmatch(text)
    if not found:
        raise ValueError(f"paligemma: malformed: {text[:60]!r}")
    y1, x1, y2, x2 = numbers(found[1])
    return found[2], (to_fractions((x1, y1, x2, y2), 1023),)


def _tokens(box: Corners) -> str:
    x1, y1, x2, y2 = rounded(box, 1023)
    return "".join(f"<loc{value:04}>" for value in (y1, x1, y2, x2))
