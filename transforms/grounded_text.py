"""Kept boxes -> the spans that one grounded text can hold.

Spans of one text are pairwise disjoint. A span may have several boxes, best first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from transforms.select_boxes import Grounding

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


class Dialect(Protocol):
    """One way to write boxes into text."""

    @property
    def name(self) -> str:
        """As in the configuration."""
        ...

    def encode(self, grounded: GroundedCaption) -> str:
        """The text; raises `CannotCarry`."""
        ...

    def decode(self, text: str, width: int = 1, height: int = 1) -> GroundedCaption:
        """What `encode` was given, boxes within the dialect's rounding; raises ValueError."""
        ...


def spans(groundings: Sequence[Grounding], policy: Literal["longest", "densest"]) -> tuple[Span, ...]:
    """The disjoint spans of a pair's grounded text, in text order.

    longest: Kosmos-2's choice. Every referring expression, but none that lies inside another; of two that overlap in
      part the longer one stays (Kosmos-2's own loader writes malformed text for those).
    densest: Qwen-VL's choice. As many spans as possible out of noun chunks and expressions together.
    """
    if policy == "longest":
        candidates = _grouped((g.phrase.expression_start, g.phrase.expression_end, g) for g in groundings)
        order = sorted(candidates, key=lambda span: (span.start - span.end, span.start))
    else:
        pairs = [(g.phrase.expression_start, g.phrase.expression_end, g) for g in groundings]
        pairs += [(g.phrase.start, g.phrase.end, g) for g in groundings]
        order = sorted(_grouped(pairs), key=lambda span: (span.end, span.start))
    return _disjoint(order)


def _grouped(rows: Iterable[tuple[int, int, Grounding]]) -> list[Span]:
    found: dict[tuple[int, int], list[Grounding]] = {}
    for start, end, grounding in rows:
        group = found.setdefault((start, end), [])
        if grounding not in group:
            group.append(grounding)
    return [Span(start, end, _best_first(group)) for (start, end), group in found.items()]


def _best_first(group: Sequence[Grounding]) -> tuple[Corners, ...]:
    ranked = sorted(group, key=lambda g: (-g.box.score, g.box.corners))
    return tuple(g.box.corners for g in ranked)


def _disjoint(preferred_first: Iterable[Span]) -> tuple[Span, ...]:
    chosen: list[Span] = []
    for span in preferred_first:
        if all(span.end <= other.start or other.end <= span.start for other in chosen):
            chosen.append(span)
    return tuple(sorted(chosen, key=lambda span: span.start))
