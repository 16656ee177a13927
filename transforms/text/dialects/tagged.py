"""What dialects have in common that write numbers behind, or around, the words of a caption.

A subclass says how a phrase with its boxes looks, how it is found again, and how a box becomes numbers. Whether a
caption can be carried is not argued but tried: a text that does not read back as it was meant is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects.scales import to_fractions
from transforms.text.grounded_caption import CannotCarry, Carries, Corners, GroundedCaption, Span, expected_round_trip

MARKUP = "markup"
"""The reason: something in the caption reads like the dialect's own signs."""

NUMBER = r"(\d+(?:\.\d+)?)"


@dataclass(frozen=True)
class Tagged:
    """A dialect that carries `SPANS`, or without a sign before the phrase `ENDS`.

    name: as in the configuration. entity: what a phrase with its boxes looks like: the group `boxes`, and with `SPANS`
    the group `phrase`. signs: what no caption may hold, since the models' own readers look for it. unit: the number
    that is written for 1.
    """

    name: str
    entity: ClassVar[re.Pattern[str]]
    signs: ClassVar[tuple[str, ...]] = ()
    carries: ClassVar[Carries] = Carries.SPANS
    rounding: ClassVar[str]
    unit: ClassVar[float] = 1.0

    def encode(self, grounded: GroundedCaption) -> str:
        """See `Dialect`."""
        if any(sign in grounded.caption for sign in self.signs):
            raise CannotCarry(MARKUP)
        text, done = "", 0
        size = grounded.width, grounded.height
        for span in grounded.spans:
            boxes = [self.box(box, *size) for box in span.boxes]
            text += grounded.caption[done : span.start]
            text += self.tagged(grounded.caption[span.start : span.end], boxes)
            done = span.end
        text += grounded.caption[done:]
        self._check(text, expected_round_trip(grounded, self.carries))
        return text

    def decode(self, text: str, width: int = 1, height: int = 1) -> GroundedCaption:
        """See `Dialect`."""
        caption, done, spans = "", 0, []
        for found in self.entity.finditer(text):
            caption += text[done : found.start()]
            words = found["phrase"] if self.carries is Carries.SPANS else ""
            boxes = tuple(self.boxes(found["boxes"], width, height))
            spans.append(Span(len(caption), len(caption) + len(words), boxes))
            caption += words
            done = found.end()
        return GroundedCaption(caption + text[done:], tuple(spans), width, height)

    def tagged(self, phrase: str, boxes: Sequence[str]) -> str:
        """A phrase with the texts of its boxes."""
        raise NotImplementedError

    def box(self, box: Corners, width: int, height: int) -> str:
        """A box as text."""
        raise NotImplementedError

    def boxes(self, text: str, width: int, height: int) -> list[Corners]:
        """The boxes of what the group `boxes` has matched: its numbers by four, in shares of the unit."""
        return [to_fractions(four, self.unit) for four in groups_of_four(numbers(text))]

    def error(self, width: int, height: int) -> tuple[float, float]:
        """See `Dialect`."""
        raise NotImplementedError

    def _check(self, text: str, expected: GroundedCaption) -> None:
        if not same_outline(self.decode(text, expected.width, expected.height), expected):
            raise CannotCarry(MARKUP)


def same_outline(decoded: GroundedCaption, expected: GroundedCaption) -> bool:
    """Whether captions, spans and numbers of boxes are equal."""
    return _outline(decoded) == _outline(expected)


def _outline(grounded: GroundedCaption) -> object:
    return grounded.caption, [(span.start, span.end, len(span.boxes)) for span in grounded.spans]


def groups_of_four(values: Sequence[float]) -> list[tuple[float, float, float, float]]:
    """Values by four.

    Raises:
      ValueError: their number is not a multiple of four.
    """
    if len(values) % 4:
        raise ValueError(f"{len(values)} numbers are no boxes")
    return [(values[i], values[i + 1], values[i + 2], values[i + 3]) for i in range(0, len(values), 4)]


def numbers(text: str) -> list[float]:
    """The numbers in a text."""
    return [float(number) for number in re.findall(NUMBER, text)]
