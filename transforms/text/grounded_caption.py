"""Kept boxes -> the spans that one grounded text can contain.

The spans of a text are pairwise disjoint. A span can have several boxes, best first.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal, Protocol

from transforms.records import Grounding

Corners = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of the caption and their boxes: normalised x1, y1, x2, y2 in 0..1."""

    start: int
    end: int
    boxes: tuple[Corners, ...]


@dataclass(frozen=True, slots=True)
class GroundedCaption:
    """A caption with its disjoint spans in text order, and the image's width and height in pixels."""

    caption: str
    spans: tuple[Span, ...]
    width: int = 1
    height: int = 1


class CannotCarry(ValueError):
    """A dialect cannot write this caption so that it can be read back. The message is the code of the reason."""


class Carries(StrEnum):
    """The parts of a grounded caption that a dialect preserves; see `expected_round_trip`."""

    SPANS = "the caption and its spans"
    ENDS = "the caption and where its spans end"
    PHRASES = "the spans' words, each with its boxes"
    LABELS = "boxes, each with its span's words"
    BOXES = "boxes"


class Dialect(Protocol):
    """One way to write boxes into text.

    Set the attribute `by_caption` to True if the caption alone decides whether `encode` raises `CannotCarry`, or if it
    never does. gritmill then calls `encode` once per pair, not once per threshold.

    Set the attribute `banned` to a set of phrases that the model's own reader drops. gritmill writes no span that
    consists of one of them, as long as the pair has another span; `encode` refuses them.
    """

    @property
    def name(self) -> str:
        """The name, as in the configuration."""

    @property
    def carries(self) -> Carries:
        """The parts of the input of `encode` that `decode` returns."""

    @property
    def rounding(self) -> str:
        """How a corner becomes a number, in a few words."""

    def error(self, width: int, height: int) -> tuple[float, float]:
        """How far a corner can move in x and in y, as fractions of the sides of an image of that size in pixels."""

    def encode(self, grounded: GroundedCaption) -> str:
        """The text; raises `CannotCarry`, only because of the caption or its spans, never because of the boxes."""

    def decode(self, text: str, width: int = 1, height: int = 1) -> GroundedCaption:
        """The `expected_round_trip` of the input of `encode`, with corners within `error`.

        Raises:
          ValueError: the text is malformed.
        """


def expected_round_trip(grounded: GroundedCaption, carries: Carries) -> GroundedCaption:
    """The part of a grounded caption that a dialect preserves.

    SPANS: all of it. ENDS: each span is empty and at its end. PHRASES: the caption is the concatenated words of the
    spans, with one span per phrase. LABELS: the same, with one span per box. BOXES: no caption, all boxes in one empty
    span.
    """
    if carries is Carries.SPANS:
        return grounded
    if carries is Carries.ENDS:
        return replace(grounded, spans=tuple(Span(span.end, span.end, span.boxes) for span in grounded.spans))
    size = grounded.width, grounded.height
    if carries is Carries.BOXES:
        boxes = tuple(box for span in grounded.spans for box in span.boxes)
        return GroundedCaption("", (Span(0, 0, boxes),) if boxes else (), *size)
    phrases = [(grounded.caption[span.start : span.end], span.boxes) for span in grounded.spans]
    if carries is Carries.LABELS:
        phrases = [(words, (box,)) for words, boxes in phrases for box in boxes]
    return from_phrases(phrases, *size)


def from_phrases(phrases: Iterable[tuple[str, tuple[Corners, ...]]], width: int, height: int) -> GroundedCaption:
    """A grounded caption that consists only of these phrases, concatenated, with their boxes."""
    caption = ""
    found = []
    for words, boxes in phrases:
        found.append(Span(len(caption), len(caption) + len(words), boxes))
        caption += words
    return GroundedCaption(caption, tuple(found), width, height)


def choose_spans(
    groundings: Sequence[Grounding],
    policy: Literal["longest", "densest"],
    caption: str = "",
    banned: Collection[str] = (),
) -> tuple[Span, ...]:
    """The disjoint spans of a pair's grounded text, in text order.

    banned: words in the caption that no span may consist of.

    longest: as Kosmos-2. Every referring expression that is not inside another one. Of two that overlap in part, the
      longer one is kept (Kosmos-2's own loader writes malformed text for these).
    densest: as Qwen-VL. As many spans as possible from noun chunks and expressions together.
    """
    rows = [(g.phrase.expression_start, g.phrase.expression_end, g) for g in groundings]
    if policy == "densest":
        rows += [(g.phrase.start, g.phrase.end, g) for g in groundings]
    if banned:
        rows = [row for row in rows if caption[slice(*row[:2])] not in banned]
    if policy == "longest":
        return _disjoint(sorted(_grouped(rows), key=lambda span: (span.start - span.end, span.start)))
    return _disjoint(sorted(_grouped(rows), key=lambda span: (span.end, span.start)))


def _grouped(rows: Iterable[tuple[int, int, Grounding]]) -> list[Span]:
    found: dict[tuple[int, int], set[tuple[Any, ...]]] = {}
    for start, end, g in rows:  # a chunk that is its own expression comes twice
        phrase = (g.box.phrase, g.phrase.start, g.phrase.end, g.phrase.expression_start, g.phrase.expression_end)
        head = (g.phrase.head_start, g.phrase.head_end)
        found.setdefault((start, end), set()).add((-g.box.score, g.box.corners, phrase, head))
    return [Span(*span, tuple([corners for _, corners, *_ in sorted(group)])) for span, group in found.items()]


def _disjoint(preferred_first: Iterable[Span]) -> tuple[Span, ...]:
    starts: list[int] = []
    chosen: list[Span] = []
    for span in preferred_first:
        index = bisect_right(starts, span.start)
        after_previous = index == 0 or chosen[index - 1].end <= span.start
        if after_previous and (index == len(chosen) or span.end <= chosen[index].start):
            starts.insert(index, span.start)
            chosen.insert(index, span)
    return tuple(chosen)
