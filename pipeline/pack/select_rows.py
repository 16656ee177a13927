"""What a selection keeps of a chunk's rows, found on arrays: objects are made of the boxes that are kept alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from pipeline.tables.pair_rows import flat, from_table, records
from transforms.records import Box, Grounding, Pair
from transforms.selection.arrays import Candidates, rank_within, select_many
from transforms.settings import SelectionSettings


@dataclass(frozen=True)
class Selected:
    """What `select` keeps of the candidates of a chunk's rows: row after row, within a row best first.

    table: of SCHEMA. at: positions among all of its boxes. row, score: of each kept box; score is float64. first:
    whether no better box of its row has the same phrase.
    """

    table: pa.Table
    at: np.ndarray
    row: np.ndarray
    score: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, table: pa.Table, settings: SelectionSettings, score: float) -> "Selected":
        """At a threshold."""
        boxes = _candidates(table)
        at = select_many(boxes, settings, score)
        return cls(table, at, boxes.pair[at], boxes.score[at], rank_within(boxes.pair[at], boxes.phrase[at]) == 0)

    def only(self, those: np.ndarray) -> "Selected":
        """Some of them. those: bool or positions, in order."""
        return Selected(self.table, self.at[those], self.row[those], self.score[those], self.first[those])

    def pairs(self) -> Iterator[tuple[Pair, tuple[Grounding, ...]]]:
        """Each row's pair, without its candidates, and its kept boxes."""
        boxes = self._boxes()
        borders = np.searchsorted(self.row, np.arange(len(self.table) + 1)).tolist()
        pairs = from_table(self.table.drop_columns(["boxes"]))
        for pair, (start, end) in zip(pairs, pairwise(borders), strict=True):
            yield pair, _grounded(pair, boxes[start:end])

    def groundings(self, pair: Pair) -> tuple[Grounding, ...]:
        """Its kept boxes, all of them the pair's."""
        return _grounded(pair, self._boxes())

    def _boxes(self) -> list[Box]:
        _, fields = flat(self.table, "boxes")
        return records({name: column[self.at] for name, column in fields.items()}, Box)


def _grounded(pair: Pair, boxes: Iterable[Box]) -> tuple[Grounding, ...]:
    return tuple(Grounding(pair.phrases[box.phrase], box) for box in boxes)


def _candidates(table: pa.Table) -> Candidates:
    first, phrases = flat(table, "phrases")
    begin, boxes = flat(table, "boxes")
    pair = np.repeat(np.arange(len(table)), np.diff(begin))
    phrase = first[pair] + boxes["phrase"]
    corners = np.array([boxes[name] for name in ("x1", "y1", "x2", "y2")], np.float64)
    spans = phrases["start"][phrase], phrases["end"][phrase]
    return Candidates(pair, boxes["phrase"], *spans, corners, boxes["score"].astype(np.float64))
