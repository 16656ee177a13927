"""Dialects that write numbers after or around the words of a caption, defined by templates and a scale.

`encode` decodes each text that it writes. If the result differs from the expected one, it raises `CannotCarry`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from string import Formatter

from transforms.text.dialects.scales import Scale
from transforms.text.grounded_caption import CannotCarry, Carries, GroundedCaption, Span, expected_round_trip

MARKUP = "markup"
"""The reason: a part of the caption reads like the markup of the dialect."""


@dataclass(frozen=True)
class Scaled:
    """A dialect with the rounding and the error of a scale. name: as in the configuration."""

    name: str
    scale: Scale

    @property
    def rounding(self) -> str:
        return self.scale.rounding

    def error(self, width: int, height: int) -> tuple[float, float]:
        return self.scale.error(width, height)


@dataclass(frozen=True)
class Tagged(Scaled):
    """A dialect that carries `SPANS`, or `ENDS` if its template starts with the phrase.

    entity: `str.format` template of a phrase with its boxes, with the fields {phrase} and {boxes}.
    box: template of a box, with one {} per number of the scale. between: the separator of boxes.
    number, words: regular expressions, without groups, for a written number and for a phrase.
    signs: markup that the models' own readers look for; a caption that contains one is rejected.
    """

    entity: str
    box: str
    between: str = ""
    number: str = r"\d+"
    words: str = ".+?"
    signs: tuple[str, ...] = ()

    @property
    def carries(self) -> Carries:
        return Carries.ENDS if self.entity.startswith("{phrase}") else Carries.SPANS

    def encode(self, grounded: GroundedCaption) -> str:
        text = self.write(grounded)
        expected = expected_round_trip(grounded, self.carries)
        if outline(self.decode(text, expected.width, expected.height)) != outline(expected):
            raise CannotCarry(MARKUP)
        return text

    def write(self, grounded: GroundedCaption) -> str:
        """The text, not checked by reading it back; raises `CannotCarry` if the caption contains one of `signs`."""
        if any(sign in grounded.caption for sign in self.signs):
            raise CannotCarry(MARKUP)
        text, done = "", 0
        for span in grounded.spans:
            numbers = (self.scale.encode(box, grounded.width, grounded.height) for box in span.boxes)
            boxes = self.between.join(self.box.format(*four) for four in numbers)
            phrase = grounded.caption[span.start : span.end]
            text += grounded.caption[done : span.start] + self.entity.format(phrase=phrase, boxes=boxes)
            done = span.end
        return text + grounded.caption[done:]

    def decode(self, text: str, width: int = 1, height: int = 1) -> GroundedCaption:
        caption, done, spans = "", 0, []
        for found in self.entity_pattern.finditer(text):
            caption += text[done : found.start()]
            words = found.groupdict().get("phrase", "")
            boxes = tuple(
                self.scale.decode([float(number) for number in box.groups()], width, height)
                for box in self._box_pattern.finditer(found["boxes"])
            )
            spans.append(Span(len(caption), len(caption) + len(words), boxes))
            caption += words
            done = found.end()
        return GroundedCaption(caption + text[done:], tuple(spans), width, height)

    @cached_property
    def entity_pattern(self) -> re.Pattern[str]:
        """A pattern with the group `boxes`, and for `SPANS` the group `phrase`."""
        box, template = _pattern(self.box, {"": self.number}), self.entity
        fields = {
            "phrase": f"(?P<phrase>{self.words})",
            "boxes": f"(?P<boxes>{box}(?:{re.escape(self.between)}{box})*)",
        }
        if self.carries is Carries.ENDS:
            template = template.removeprefix("{phrase}")
        return re.compile(_pattern(template, fields), re.DOTALL)

    @cached_property
    def _box_pattern(self) -> re.Pattern[str]:
        return re.compile(_pattern(self.box, {"": f"({self.number})"}))


def outline(grounded: GroundedCaption) -> object:
    """Caption, spans and the number of boxes per span: the parts that must be read back exactly."""
    return grounded.caption, [(span.start, span.end, len(span.boxes)) for span in grounded.spans]


def _pattern(template: str, fields: Mapping[str, str]) -> str:
    """The template as a regular expression, with the given patterns in place of its fields."""
    parts = Formatter().parse(template)
    return "".join(re.escape(literal) + ("" if name is None else fields[name]) for literal, name, *_ in parts)
