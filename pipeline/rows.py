"""A pair as a row of the detections table, and back: the columns, and their meaning for whoever reads them elsewhere.

Rows are read by columns: a chunk has thousands of boxes, and a dictionary for each would take longer than all else.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from transforms.records import Box, Drop, Dropped, Fault, ImageRef, Pair, Phrase, Reason, Stage
from transforms.select_boxes import Grounding
from transforms.select_many import Candidates, place, select_many
from transforms.settings import SelectionSettings

Record = TypeVar("Record")


def _struct(kind: pa.DataType, *names: str) -> "list[pa.Field[Any]]":
    return [pa.field(name, kind, nullable=False) for name in names]


_OFFSET, _REAL, _TEXT = pa.int32(), pa.float32(), pa.string()
_PHRASE = pa.struct(_struct(_OFFSET, "start", "end", "head_start", "head_end", "expression_start", "expression_end"))
_DROPPED = pa.struct(_struct(_OFFSET, "start", "end") + _struct(_TEXT, "reason"))
_BOX = pa.struct(_struct(_OFFSET, "phrase") + _struct(_REAL, "x1", "y1", "x2", "y2", "score"))
_ERROR = pa.struct(_struct(_TEXT, "stage", "reason", "detail"))

SCHEMA = pa.schema(
    _struct(_TEXT, "key", "source")
    + _struct(pa.int64(), "index")
    + _struct(_TEXT, "image_uri")
    + _struct(pa.int64(), "image_row", "image_offset", "image_length")
    + _struct(_TEXT, "image_digest", "caption", "url", "id")
    + _struct(_OFFSET, "width", "height")
    + [
        pa.field("phrases", pa.list_(_PHRASE), nullable=False),
        pa.field("dropped", pa.list_(_DROPPED), nullable=False),
        pa.field("boxes", pa.list_(_BOX), nullable=False),
        pa.field("boxes_cut", _OFFSET, nullable=False),
        pa.field("error", _ERROR, nullable=True),
        pa.field("meta", _TEXT, nullable=False),
    ]
)
"""Offsets are characters of the caption; corners are shares of width and height; `image_row` is -1 outside parquet."""

_IMAGE = tuple(f"image_{name}" for name in ("uri", "row", "offset", "length", "digest"))
_PLAIN = ("key", "source", "index", "caption")
_FURTHER = ("url", "id", "meta", "width", "height")


def to_row(pair: Pair) -> dict[str, Any]:
    """A pair as a row of the table."""
    return {
        "key": pair.key,
        "source": pair.source,
        "index": pair.index,
        **{f"image_{name}": getattr(pair.image, name) for name in ("uri", "row", "offset", "length", "digest")},
        "caption": pair.caption,
        "url": pair.url,
        "id": pair.id,
        "width": pair.width,
        "height": pair.height,
        "phrases": [_fields(phrase) for phrase in pair.phrases],
        "dropped": [_fields(dropped) for dropped in pair.dropped],
        "boxes": [_fields(box) for box in pair.boxes],
        "boxes_cut": pair.cut,
        "error": _fields(pair.error) if pair.error else None,
        "meta": pair.meta,
    }


def from_table(table: pa.Table) -> Iterator[Pair]:
    """The pairs of a table of SCHEMA, in order; of one without the column of boxes, pairs without boxes."""
    plain, images, further = (_tuples(table, names) for names in (_PLAIN, _IMAGE, _FURTHER))
    lists = (_lists(table, "phrases", Phrase), _lists(table, "dropped", _dropped), _lists(table, "boxes", Box))
    rest = (table["boxes_cut"].to_pylist(), map(_fault, table["error"].to_pylist()))
    for names, image, more, phrases, dropped, boxes, cut, error in zip(
        plain, images, further, *lists, *rest, strict=True
    ):
        fields: tuple[Any, ...] = (*names, ImageRef(*image), b"", *more, phrases, dropped, boxes, cut, error)
        yield Pair(*fields)


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
        return cls(table, at, boxes.pair[at], boxes.score[at], place(boxes.pair[at], boxes.phrase[at]) == 0)

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
        _, fields = _flat(self.table, "boxes")
        return _records({name: column[self.at] for name, column in fields.items()}, Box)


def _grounded(pair: Pair, boxes: Iterable[Box]) -> tuple[Grounding, ...]:
    return tuple(Grounding(pair.phrases[box.phrase], box) for box in boxes)


def _candidates(table: pa.Table) -> Candidates:
    first, phrases = _flat(table, "phrases")
    begin, boxes = _flat(table, "boxes")
    pair = np.repeat(np.arange(len(table)), np.diff(begin))
    phrase = first[pair] + boxes["phrase"]
    corners = np.array([boxes[name] for name in ("x1", "y1", "x2", "y2")], np.float64)
    spans = phrases["start"][phrase], phrases["end"][phrase]
    return Candidates(pair, boxes["phrase"], *spans, corners, boxes["score"].astype(np.float64))


def _flat(table: pa.Table, name: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Of a column of lists of structs: where each row's list begins, with the end of the last, and all values."""
    lists: Any = table[name].combine_chunks()
    offsets = lists.offsets.to_numpy()
    values = lists.flatten()
    fields = {field.name: values.field(field.name).to_numpy(zero_copy_only=False) for field in values.type}
    return offsets - offsets[0], fields


def _tuples(table: pa.Table, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    return zip(*(table[name].to_pylist() for name in names), strict=True)


def _lists(table: pa.Table, name: str, make: Callable[..., Record]) -> Iterable[tuple[Record, ...]]:
    if name not in table.column_names:
        return [()] * len(table)
    offsets, fields = _flat(table, name)
    records = _records(fields, make)
    return (tuple(records[start:end]) for start, end in pairwise(offsets.tolist()))


def _records(fields: dict[str, np.ndarray], make: Callable[..., Record]) -> list[Record]:
    return [make(*values) for values in zip(*(column.tolist() for column in fields.values()), strict=True)]


def _fault(error: dict[str, Any] | None) -> Fault | None:
    return Fault(Stage(error["stage"]), Reason(error["reason"]), error["detail"]) if error else None


def _dropped(start: int, end: int, reason: str) -> Dropped:
    return Dropped(start, end, Drop(reason))


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}
