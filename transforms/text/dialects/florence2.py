"""florence2: phrases and bins, the answer to Florence-2's task of grounding the phrases of a caption.

    a dog<loc_100><loc_200><loc_499><loc_749>a field<loc_0><loc_512><loc_999><loc_999>

The caption itself stands in the prompt ("Locate the phrases in the caption: …"), so phrases alone are carried. A
corner's bin is floor(c * 1000), at most 999; a bin is read as its middle. transformers' Florence2PostProcessor drops
what is not ASCII from a phrase, so that such a caption is refused here.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects.scales import binned, to_fractions
from transforms.text.dialects.tagged import MARKUP, groups_of_four, numbers
from transforms.text.grounded_caption import CannotCarry, Carries, Corners, GroundedCaption, from_phrases

NON_ASCII = "non_ascii"

_ENTITY = re.compile(r"([^<]+)((?:(?:<loc_\d+>){4})+)")


@dataclass(frozen=True)
class Florence2:
    """See the module's text."""

    name: ClassVar[str] = "florence2"
    carries: ClassVar[Carries] = Carries.PHRASES
    rounding: ClassVar[str] = "floor(c * 1000), at most 999"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """Half a bin."""
        return 0.0005, 0.0005

    def encode(self, grounded: GroundedCaption) -> str:
        """Phrase by phrase, each with its boxes."""
        return "".join(
            self._phrase(grounded.caption[span.start : span.end]) + "".join(map(_tokens, span.boxes))
            for span in grounded.spans
        )

    def decode(self, text: str, width: int = 1, height: int = 1) -> GroundedCaption:
        """The phrases."""
        if _ENTITY.sub("", text):
            raise ValueError(f"florence2: malformed: {_ENTITY.sub('', text)[:60]!r}")
        return from_phrases(((words, tuple(_boxes(tokens))) for words, tokens in _ENTITY.findall(text)), width, height)

    def _phrase(self, words: str) -> str:
        if not words.isascii():
            raise CannotCarry(NON_ASCII)
        # The reader takes blanks off, and ends a phrase at a line's end.
        if not words or "<" in words or "\n" in words or words != words.strip():
            raise CannotCarry(MARKUP)
        return words


def _tokens(box: Corners) -> str:
    return "".join(f"<loc_{value}>" for value in binned(box, 1000))


def _boxes(tokens: str) -> list[Corners]:
    return [to_fractions(tuple(value + 0.5 for value in four), 1000) for four in groups_of_four(numbers(tokens))]
