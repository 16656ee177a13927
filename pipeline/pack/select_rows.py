"""Selects the boxes of a chunk on arrays, so that Python objects are created only for kept boxes."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import attrgetter

import numpy as np
import pyarrow as pa

from pipeline.tables.pair_rows import build_records, from_table, list_column
from transforms.annotations.annotate import given_links, has_given_boxes
from transforms.annotations.columns import NOTHING_GIVEN, AnnotationColumns
from transforms.records import Box, Fault, Grounding, Pair, Reason
from transforms.selection.ambiguous_phrases import ambiguous_phrases
from transforms.selection.check_kept import SelectedPair, check_many
from transforms.selection.judge import Kept, Policy, Rejected, judge_claims, judge_selected
from transforms.selection.select_boxes import Candidates, rank_within, select_many
from transforms.settings import SelectionSettings

Judged = tuple[Pair, tuple[Grounding, ...], Kept | Rejected | Fault]
"""A pair, its boxes that were selected, and its outcome."""

_SPAN = attrgetter("phrase.start", "phrase.end")

AMBIGUOUS_LEFT_OUT = "phrases that share their boxes with another one (selection.ambiguous_phrases)"


@dataclass(frozen=True)
class SelectedRows:
    """The boxes of a chunk that `select` keeps, ordered by row; best first within a row.

    table: rows with the schema `SCHEMA`. positions: of the kept boxes among all boxes of the table. row, score: of each
    kept box; score is float64. is_best: whether a box is the best one of its phrase in its row. ambiguous: by row, the
    best score of each phrase that `ambiguous_phrases` finds. candidates: all boxes of the table.
    """

    table: pa.Table
    positions: np.ndarray
    row: np.ndarray
    score: np.ndarray
    is_best: np.ndarray
    ambiguous: Mapping[int, Sequence[float]]
    candidates: Candidates

    @classmethod
    def from_table(
        cls,
        table: pa.Table,
        settings: SelectionSettings,
        threshold: float,
        given: AnnotationColumns = NOTHING_GIVEN,
    ) -> "SelectedRows":
        """Selects boxes with a score of at least `threshold`. given: as in `Policy`."""
        boxes = _candidates(table)
        ambiguous = _ambiguous_phrases(table, boxes, given) if settings.ambiguous_phrases == "drop" else {}
        for row, phrases in ambiguous.items():
            boxes.left_out[(boxes.pair == row) & np.isin(boxes.phrase, [*phrases])] = True
        positions = select_many(boxes, settings, threshold)
        return cls(
            table,
            positions,
            boxes.pair[positions],
            boxes.score[positions],
            rank_within(boxes.pair[positions], boxes.phrase[positions]) == 0,
            {row: [*phrases.values()] for row, phrases in ambiguous.items()},
            boxes,
        )

    @property
    def corners(self) -> np.ndarray:
        """Of each kept box: float64 [4, boxes], rows x1, y1, x2, y2."""
        corners: np.ndarray = self.candidates.corners[:, self.positions]
        return corners

    def subset(self, chosen: np.ndarray) -> "SelectedRows":
        """A subset of the kept boxes. chosen: a boolean mask, or rising positions."""
        return replace(
            self,
            positions=self.positions[chosen],
            row=self.row[chosen],
            score=self.score[chosen],
            is_best=self.is_best[chosen],
        )

    def pairs(self) -> Iterator[tuple[Pair, tuple[Grounding, ...]]]:
        """Yields the pair of each row, without its candidates, and its kept boxes."""
        pairs = list(from_table(self.table.drop_columns(["boxes"])))
        yield from zip(pairs, self.groundings(dict(enumerate(pairs))), strict=True)

    def groundings(self, pairs: Mapping[int, Pair]) -> Iterator[tuple[Grounding, ...]]:
        """Yields the kept boxes of some pairs. pairs: by row, ascending."""
        rows = np.array([*pairs], int)
        some = self if len(rows) == len(self.table) else self.subset(np.isin(self.row, rows))
        _, fields = list_column(self.table, "boxes")
        boxes = build_records(Box, {name: column[some.positions].tolist() for name, column in fields.items()})
        phrases = [pairs[row].phrases[box.phrase] for row, box in zip(some.row.tolist(), boxes, strict=True)]
        groundings = build_records(Grounding, {"phrase": phrases, "box": boxes})
        borders = [*np.searchsorted(some.row, rows).tolist(), len(boxes)]
        yield from (tuple(groundings[start:end]) for start, end in pairwise(borders))

    def left_out(self, row: int, threshold: float) -> Iterator[tuple[str, int]]:
        """What the selection leaves out of a row and counts by kind, with its number. Without phrases that have no box
        with a score of at least `threshold`."""
        if number := sum(score >= threshold for score in self.ambiguous.get(row, ())):
            yield AMBIGUOUS_LEFT_OUT, number

    def outcomes(self, policy: Policy, duplicates: Collection[int] = (), written: bool = True) -> Iterator[Judged]:
        """Yields the pair, the boxes and the outcome of each row. A kept pair has its verdicts if these decide.

        duplicates: rows that are rejected as duplicates, whatever their boxes. written: as of `judge_selected`.
        """
        if not policy.rejects_claims:
            yield from self._judge_selected(policy, duplicates, written)
            return
        rows = list(self._judge_selected(policy, duplicates, written))
        kept = [(row, outcome) for row, (_, _, outcome) in enumerate(rows) if isinstance(outcome, Kept)]
        checked = dict(zip((row for row, _ in kept), self.with_verdicts(kept, policy), strict=True))
        for row, (pair, groundings, outcome) in enumerate(rows):
            yield pair, groundings, judge_claims(checked[row], policy.selection) if row in checked else outcome

    def _judge_selected(self, policy: Policy, duplicates: Collection[int], written: bool) -> Iterator[Judged]:
        excluded = frozenset(duplicates)
        for row, (pair, groundings) in enumerate(self.pairs()):
            if row in excluded:
                yield pair, groundings, Rejected(Reason.DUPLICATE)
                continue
            kept: Sequence[Grounding] = groundings
            if kept and kept[-1].box.score < policy.threshold:
                kept = [grounding for grounding in kept if grounding.box.score >= policy.threshold]
            # In record order: boxes of a span already are, best first.
            yield pair, groundings, judge_selected(pair, sorted(kept, key=_SPAN), policy.text, written)

    def with_verdicts(self, kept: Iterable[tuple[int, Kept]], policy: Policy) -> Iterator[Kept]:
        """Yields kept pairs with the verdicts on their claims. kept: the row of each pair, and the pair."""
        found = list(kept)
        pairs = [SelectedPair(row, one.pair, one.groundings, given_links(one.pair, policy.given)) for row, one in found]
        verdicts = check_many(pairs, self.candidates, policy.selection, policy.threshold)
        yield from (replace(one, verdicts=checked) for (_, one), checked in zip(found, verdicts, strict=True))


def _candidates(table: pa.Table) -> Candidates:
    first, phrases = list_column(table, "phrases")
    begin, boxes = list_column(table, "boxes")
    pair = np.repeat(np.arange(len(table)), np.diff(begin))
    phrase = first[pair] + boxes["phrase"]
    corners = np.array([boxes[name] for name in ("x1", "y1", "x2", "y2")], np.float64)
    spans = phrases["start"][phrase], phrases["end"][phrase]
    scores = boxes["score"].astype(np.float64)
    return Candidates(pair, boxes["phrase"], *spans, corners, scores, np.zeros(len(scores), bool))


def _ambiguous_phrases(table: pa.Table, boxes: Candidates, given: AnnotationColumns) -> dict[int, dict[int, float]]:
    """The ambiguous phrases of each row that has some, each with its best score.

    Few rows have two phrases with the same best score. Objects are created only for these.
    """
    best = np.full((len(table), 1 + boxes.phrase.max(initial=0)), -1.0)
    np.maximum.at(best, (boxes.pair, boxes.phrase), boxes.score)
    ranked = np.sort(best, axis=1)
    (suspects,) = np.nonzero(((ranked[:, 1:] == ranked[:, :-1]) & (ranked[:, 1:] >= 0)).any(axis=1))
    pairs = zip(suspects.tolist(), from_table(table.take(suspects)), strict=True)
    found = ((row, ambiguous_phrases(pair)) for row, pair in pairs if not has_given_boxes(pair, given))
    return {row: {phrase: float(best[row, phrase]) for phrase in phrases} for row, phrases in found if phrases}
