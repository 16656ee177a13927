"""What a selection keeps of a chunk's rows, found on arrays: objects are made of the boxes that are kept alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from pipeline.tables.pair_rows import build_records, from_table, list_column
from transforms.records import Box, Grounding, Pair
from transforms.selection.select_boxes import Candidates, rank_within, select_many
from transforms.settings import SelectionSettings


@dataclass(frozen=True)
class SelectedRows:
    """What `select` keeps of the candidates of a chunk's rows: row after row, within a row best first.

    table: of SCHEMA. positions: among all of its boxes. row, score: of each kept box; score is float64. is_best:
    whether no better box of its row has the same phrase.
    """

    table: pa.Table
    positions: np.ndarray
    row: np.ndarray
    score: np.ndarray
    is_best: np.ndarray

    @classmethod
    def from_table(cls, table: pa.Table, settings: SelectionSettings, threshold: float) -> "SelectedRows":
        """At a threshold."""
        boxes = _candidates(table)
        positions = select_many(boxes, settings, threshold)
        return cls(
            table,
            positions,
            boxes.pair[positions],
            boxes.score[positions],
            rank_within(boxes.pair[positions], boxes.phrase[positions]) == 0,
        )

    def subset(self, chosen: np.ndarray) -> "SelectedRows":
        """Some of them. chosen: bool or positions, in order."""
        return SelectedRows(
            self.table, self.positions[chosen], self.row[chosen], self.score[chosen], self.is_best[chosen]
        )

    def pairs(self) -> Iterator[tuple[Pair, tuple[Grounding, ...]]]:
        """Each row's pair, without its candidates, and its kept boxes."""
        boxes = self._boxes()
        borders = np.searchsorted(self.row, np.arange(len(self.table) + 1)).tolist()
        pairs = from_table(self.table.drop_columns(["boxes"]))
        for pair, (start, end) in zip(pairs, pairwise(borders), strict=True):
            yield pair, _groundings_of(pair, boxes[start:end])

    def groundings(self, pair: Pair) -> tuple[Grounding, ...]:
        """Its kept boxes, all of them the pair's."""
        return _groundings_of(pair, self._boxes())

    def _boxes(self) -> list[Box]:
        _, fields = list_column(self.table, "boxes")
        return build_records({name: column[self.positions] for name, column in fields.items()}, Box)


def _groundings_of(pair: Pair, boxes: Iterable[Box]) -> tuple[Grounding, ...]:
    return tuple(Grounding(pair.phrases[box.phrase], box) for box in boxes)


def _candidates(table: pa.Table) -> Candidates:
    first, phrases = list_column(table, "phrases")
    begin, boxes = list_column(table, "boxes")
    pair = np.repeat(np.arange(len(table)), np.diff(begin))
    phrase = first[pair] + boxes["phrase"]
    corners = np.array([boxes[name] for name in ("x1", "y1", "x2", "y2")], np.float64)
    spans = phrases["start"][phrase], phrases["end"][phrase]
    return Candidates(pair, boxes["phrase"], *spans, corners, boxes["score"].astype(np.float64))
