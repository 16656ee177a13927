"""Kept boxes -> the spans that one grounded text can hold.

Spans of one text are pairwise disjoint. A span may have several boxes, best first.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal, Protocol

from transforms.records import Grounding

Corners = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of the caption and the boxes that they name: normalised x1, y1, x2, y2 in 0..1."""

    start: int
    end: int
    boxes: tuple[Corners, ...]


@dataclass(frozen=True, slots=True)
class GroundedCaption:
    """A caption with its disjoint spans in text order, and the picture's width and height in pixels."""

    caption: str
    spans: tuple[Span, ...]
    width: int = 1
    height: int = 1


class CannotCarry(ValueError):
    """A dialect cannot write this caption so that it can be read back. The message is the reason's code."""


class Carries(StrEnum):
    """What of a grounded caption a dialect brings through; see `expected_round_trip`."""

    SPANS = "the caption and its spans"
    ENDS = "the caption and where its spans end"
    PHRASES = "the spans' words, each with its boxes"
    LABELS = "boxes, each with its span's words"
    BOXES = "boxes"


class Dialect(Protocol):
    """One way to write boxes into text.

    One that refuses a caption whatever its spans are, or never refuses, may say so by a true attribute `by_caption`:
    then it is asked once a pair, and not once for each threshold.
    """

    @property
    def name(self) -> str:
        """As in the configuration."""

    @property
    def carries(self) -> Carries:
        """What `decode` gives back of what `encode` was given."""

    @property
    def rounding(self) -> str:
        """How a corner becomes a number, in a few words."""

    def error(self, width: int, height: int) -> tuple[float, float]:
        """How far a corner may move, horizontally and vertically, in shares of a picture of that size in pixels."""

    def encode(self, grounded: GroundedCaption) -> str:
        """The text; raises `CannotCarry`, for the caption or its spans, never for how many boxes are where."""

    def decode(self, text: str, width: int = 1, height: int = 1) -> GroundedCaption:
        """The `expected_round_trip` of what `encode` was given, boxes within the dialect's error; raises ValueError."""


def expected_round_trip(grounded: GroundedCaption, carries: Carries) -> GroundedCaption:
    """What is left of a grounded caption in a dialect that carries so much.

    ENDS: spans are empty and stand at their ends. PHRASES, LABELS: the caption is the spans' words, one after the
    other, a span for each phrase or box. BOXES: no caption, all boxes in one empty span.
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
    """Phrases with their boxes as a grounded caption of nothing but these phrases."""
    caption = ""
    found = []
    for words, boxes in phrases:
        found.append(Span(len(caption), len(caption) + len(words), boxes))
        caption += words
    return GroundedCaption(caption, tuple(found), width, height)


def choose_spans(groundings: Sequence[Grounding], policy: Literal["longest", "densest"]) -> tuple[Span, ...]:
    """The disjoint spans of a pair's grounded text, in text order.

    longest: Kosmos-2's choice. Every referring expression, but none that lies inside another; of two that overlap in
      part the longer one stays (Kosmos-2's own loader writes malformed text for those).
    densest: Qwen-VL's choice. As many spans as possible out of noun chunks and expressions together.
    """
    rows = [(g.phrase.expression_start, g.phrase.expression_end, g) for g in groundings]
    if policy == "longest":
        return _disjoint(sorted(_grouped(rows), key=lambda span: (span.start - span.end, span.start)))
    rows += [(g.phrase.start, g.phrase.end, g) for g in groundings]
    return _disjoint(sorted(_grouped(rows), key=lambda span: (span.end, span.start)))


def _grouped(rows: Iterable[tuple[int, int, Grounding]]) -> list[Span]:
    found: dict[tuple[int, int], list[Grounding]] = {}
    for start, end, grounding in rows:
        group = found.setdefault((start, end), [])
        if grounding not in group:
            group.append(grounding)
    return [Span(start, end, _best_first(group)) for (start, end), group in found.items()]


def _best_first(group: Sequence[Grounding]) -> tuple[Corners, ...]:
    if len(group) > 1:
        group = sorted(group, key=lambda g: (-g.box.score, g.box.corners))
    return tuple([g.box.corners for g in group])


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
