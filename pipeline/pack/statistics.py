"""Statistics of all pairs of a pack: histograms, what other thresholds would keep, and pairs near the threshold.

The statistics of parts add up to those of the whole. The result does not depend on the parts or their order.
"""

import heapq
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pipeline import files, layout
from pipeline.faults import CallError
from pipeline.files.typed import read_typed
from transforms.records import Pair, Reason
from transforms.selection.judge import Kept, Rejected
from transforms.selection.select_boxes import area, rank_within
from transforms.selection.threshold_sweep import THRESHOLDS, SweepStep

if TYPE_CHECKING:
    from pipeline.pack.select_rows import SelectedRows  # imports pyarrow, which a finished pack does not need

NEAREST = 12
"""The number of pairs listed on each side of the threshold."""

_BINS = 50
_HEADS = 200  # per range; truncating a sum again would make the result depend on the order
_SHOWN_HEADS = 50

RowPosition = tuple[int, int, int, int]
"""The position of a row in the detections: source, range, chunk, row."""


@dataclass(frozen=True, order=True)
class NearThreshold:
    """A pair near the threshold. distance: of its best score to the threshold. where: its row."""

    distance: float
    where: RowPosition
    score: float


@dataclass(frozen=True)
class ByThreshold:
    """The numbers of pairs, phrases and boxes that each threshold would keep. score: thresholds, rising."""

    score: tuple[float, ...]
    pairs: tuple[int, ...]
    phrases: tuple[int, ...]
    boxes: tuple[int, ...]


@dataclass(frozen=True)
class Bins:
    """A histogram. There is one more edge than counts."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Values:
    """The count of each value that occurs. values: rising."""

    values: tuple[int, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Histograms:
    """Histograms of kept boxes, pairs and phrases. heads: the most frequent phrase heads, most frequent first."""

    score: Bins
    box_area: Bins
    boxes_per_pair: Values
    phrase_words: Values
    heads: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Nearest:
    """The pairs nearest to the threshold on each side, by distance."""

    kept: tuple[NearThreshold, ...]
    missed: tuple[NearThreshold, ...]


@dataclass(frozen=True)
class StatisticsFile:
    """The content of `statistics.json`."""

    REMEDY: ClassVar[str] = "remove it and run gritmill pack again"

    thresholds: ByThreshold
    histograms: Histograms
    nearest: Nearest


@dataclass
class Statistics:
    """Counts over pairs. Counters have no entries for zero.

    thresholds: rising. pairs, phrases, boxes: by level (position in `thresholds`), the change from the next higher
    level. score, box_area: boxes by bin; the bins have equal width over 0..1. boxes_per_pair, phrase_words, heads: by
    value. kept, missed: the pairs nearest to the threshold.
    """

    thresholds: tuple[float, ...] = THRESHOLDS
    pairs: Counter[int] = field(default_factory=Counter)
    phrases: Counter[int] = field(default_factory=Counter)
    boxes: Counter[int] = field(default_factory=Counter)
    score: Counter[int] = field(default_factory=Counter)
    box_area: Counter[int] = field(default_factory=Counter)
    boxes_per_pair: Counter[int] = field(default_factory=Counter)
    phrase_words: Counter[int] = field(default_factory=Counter)
    heads: Counter[str] = field(default_factory=Counter)
    kept: list[NearThreshold] = field(default_factory=list)
    missed: list[NearThreshold] = field(default_factory=list)

    @classmethod
    def empty(cls, threshold: float) -> "Statistics":
        """Statistics of no pairs. `threshold`, the active one, is added to the thresholds."""
        return cls(tuple(sorted({*THRESHOLDS, threshold})))

    def add(self, pair: Pair, best: float, outcome: Kept | Rejected, threshold: float, where: RowPosition) -> None:
        """Adds a judged pair that has a box, without the boxes themselves.

        best: the highest score of the boxes that are selected without a threshold. where: the row of the pair.
        """
        if isinstance(outcome, Kept):
            self._add_phrases(outcome)
            _keep_nearest(self.kept, NearThreshold(best - threshold, where, best))
        elif outcome.reason == Reason.NO_BOX:
            _keep_nearest(self.missed, NearThreshold(threshold - best, where, best))

    def add_sweep(self, steps: Iterable[SweepStep]) -> None:
        """Adds the steps of a pair over these thresholds."""
        pairs = phrases = boxes = 0
        for step in steps:
            kept = (0, 0, 0) if step.rejection else (1, step.phrases, step.boxes)
            self.pairs[step.level] += kept[0] - pairs
            self.phrases[step.level] += kept[1] - phrases
            self.boxes[step.level] += kept[2] - boxes
            pairs, phrases, boxes = kept

    def add_levels(self, selected: "SelectedRows") -> None:
        """Adds pairs that no threshold rejects: each box counts at its own level and all lower levels."""
        level = np.searchsorted(self.thresholds, selected.score, "right") - 1
        best = rank_within(selected.row) == 0
        for counts, counted in ((self.pairs, best), (self.phrases, selected.is_best), (self.boxes, level >= 0)):
            counts.update(level[counted & (level >= 0)].tolist())

    def add_boxes(self, kept: "SelectedRows") -> None:
        """Adds the boxes of kept pairs."""
        self.boxes_per_pair.update(number for number in np.bincount(kept.row).tolist() if number)
        for bins, shares in ((self.score, kept.score), (self.box_area, area(*kept.corners))):
            bins.update(np.minimum((shares * _BINS).astype(int), _BINS - 1).tolist())

    def truncate_heads(self) -> None:
        """Keeps only the most frequent heads. Called once per range, after its last pair."""
        self.heads = Counter(dict(_most_common(self.heads, _HEADS)))

    def merge(self, other: "Statistics") -> None:
        """Adds the statistics of another part, in place."""
        for name, value in vars(self).items():
            if isinstance(value, Counter):
                value.update(getattr(other, name))
        self.kept = heapq.nsmallest(NEAREST, [*self.kept, *other.kept])
        self.missed = heapq.nsmallest(NEAREST, [*self.missed, *other.missed])

    def summary(self, floor: float) -> StatisticsFile:
        """The content of `statistics.json`. floor: `ground` kept no candidates with a score below it."""
        # No box scores below the floor, so the highest threshold at or below it keeps the same boxes as the floor.
        first = bisect_right(self.thresholds, floor) - 1
        scores = tuple(max(floor, score) for score in self.thresholds[first:])
        levels = range(first, len(self.thresholds))[::-1]
        by_level = (_cumulative(changes, levels) for changes in (self.pairs, self.phrases, self.boxes))
        edges = tuple(round(i / _BINS, 4) for i in range(_BINS + 1))
        return StatisticsFile(
            ByThreshold(scores, *by_level),
            Histograms(
                Bins(edges, tuple(self.score[n] for n in range(_BINS))),
                Bins(edges, tuple(self.box_area[n] for n in range(_BINS))),
                _by_value(self.boxes_per_pair),
                _by_value(self.phrase_words),
                tuple(_most_common(self.heads, _SHOWN_HEADS)),
            ),
            Nearest(tuple(self.kept), tuple(self.missed)),
        )

    def _add_phrases(self, kept: Kept) -> None:
        caption, phrases = kept.pair.caption, kept.pair.phrases
        for phrase in {phrases[number] for number in {grounding.box.phrase for grounding in kept.groundings}}:
            self.phrase_words[len(caption[phrase.expression_start : phrase.expression_end].split())] += 1
            self.heads[caption[phrase.head_start : phrase.head_end].lower()] += 1


def add_up(parts: Iterable[Statistics], threshold: float) -> Statistics:
    """The sum of parts that have the same active threshold."""
    total = Statistics.empty(threshold)
    for part in parts:
        total.merge(part)
    return total


def read_statistics(output: str) -> StatisticsFile:
    """The statistics of a packed run. Raises CallError if there are none."""
    uri = files.join(output, layout.STATISTICS)
    if not files.exists(uri):
        raise CallError(f"{output}: no {layout.STATISTICS}; run gritmill pack again")
    return read_typed(uri, StatisticsFile)


def _keep_nearest(nearest: list[NearThreshold], near: NearThreshold) -> None:
    if len(nearest) < NEAREST or near < nearest[-1]:
        insort(nearest, near)
        del nearest[NEAREST:]


def _cumulative(changes: Counter[int], levels: Iterable[int]) -> tuple[int, ...]:
    """Values by rising level, accumulated from the changes at each level. levels: falling."""
    return tuple(accumulate(changes[level] for level in levels))[::-1]


def _by_value(counts: Counter[int]) -> Values:
    return Values(tuple(sorted(counts)), tuple(counts[value] for value in sorted(counts)))


def _most_common(counts: Counter[str], number: int) -> list[tuple[str, int]]:
    """The most frequent keys with their counts. Keys with equal counts are in alphabetical order."""
    return heapq.nsmallest(number, counts.items(), key=lambda item: (-item[1], item[0]))
