"""Pairs as rows of the detections table.

The columns and their meaning are a public contract: other programs may read this table without gritmill. Rows are
read by column, because a chunk has thousands of boxes, and creating a dictionary for each would dominate the time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from pipeline.ids import ChunkId
from pipeline.tables.row_files import ERROR_FIELD
from pipeline.tables.table import Table
from transforms.records import Box, Claim, ClaimKind, Drop, Dropped, FailureStage, Fault, ImageRef, Pair, Phrase, Reason

Record = TypeVar("Record")


def _struct(kind: pa.DataType, *names: str) -> "list[pa.Field[Any]]":
    return [pa.field(name, kind, nullable=False) for name in names]


_OFFSET, _REAL, _TEXT = pa.int32(), pa.float32(), pa.string()
_PHRASE = pa.struct(_struct(_OFFSET, "start", "end", "head_start", "head_end", "expression_start", "expression_end"))
_DROPPED = pa.struct(_struct(_OFFSET, "start", "end") + _struct(_TEXT, "reason"))
_CLAIM = pa.struct(
    _struct(_TEXT, "kind")
    + _struct(_OFFSET, "words_start", "words_end", "subject_start", "subject_end")
    + _struct(_TEXT, "predicate")
    + _struct(_OFFSET, "number")
    + _struct(pa.bool_(), "negated")
    + [pa.field("objects", pa.list_(_OFFSET), nullable=False)]
)
_BOX = pa.struct(_struct(_OFFSET, "phrase") + _struct(_REAL, "x1", "y1", "x2", "y2", "score"))

SCHEMA = pa.schema(
    _struct(_TEXT, "key", "source")
    + _struct(pa.int64(), "index")
    + _struct(_TEXT, "image_uri")
    + _struct(pa.int64(), "image_row", "image_offset", "image_length")
    + _struct(_TEXT, "image_digest", "image_part", "caption", "url", "id")
    + _struct(_OFFSET, "width", "height")
    + _struct(_TEXT, "filtered")
    + [
        pa.field("phrases", pa.list_(_PHRASE), nullable=False),
        pa.field("dropped", pa.list_(_DROPPED), nullable=False),
        pa.field("claims", pa.list_(_CLAIM), nullable=False),
        pa.field("boxes", pa.list_(_BOX), nullable=False),
        pa.field("boxes_cut", _OFFSET, nullable=False),
        ERROR_FIELD,
        pa.field("meta", _TEXT, nullable=False),
    ]
)
"""Offsets count characters of the caption. Corners are fractions of width and height. `image_row` is -1 if the image is
not in a parquet file."""

_IMAGE = tuple(f"image_{name}" for name in ImageRef.__slots__)
_LEADING = ("key", "source", "index", "caption")
_TRAILING = ("url", "id", "meta", "width", "height", "filtered")


def to_row(pair: Pair) -> dict[str, Any]:
    """Returns a pair as a row of the table."""
    return {
        "key": pair.key,
        "source": pair.source,
        "index": pair.index,
        **{f"image_{name}": value for name, value in _fields(pair.image).items()},
        "caption": pair.caption,
        "url": pair.url,
        "id": pair.id,
        "width": pair.width,
        "height": pair.height,
        "filtered": pair.filtered,
        "phrases": [_fields(phrase) for phrase in pair.phrases],
        "dropped": [_fields(dropped) for dropped in pair.dropped],
        "claims": [_fields(claim) for claim in pair.claims],
        "boxes": [_fields(box) for box in pair.boxes],
        "boxes_cut": pair.boxes_cut,
        "error": _fields(pair.error) if pair.error else None,
        "meta": pair.meta,
    }


def from_table(table: pa.Table) -> Iterator[Pair]:
    """Yields the pairs of a table with the schema `SCHEMA`, in order. Pairs have no boxes if the column is missing."""
    leading, images, trailing = (_tuples(table, names) for names in (_LEADING, _IMAGE, _TRAILING))
    lists = (
        _lists(table, "phrases", Phrase),
        _lists(table, "dropped", _dropped),
        _lists(table, "claims", _claim),
        _lists(table, "boxes", Box),
    )
    rest = (table["boxes_cut"].to_pylist(), map(_fault, table["error"].to_pylist()))
    for before, image, after, *found in zip(leading, images, trailing, *lists, *rest, strict=True):
        fields: tuple[Any, ...] = (*before, ImageRef(*image), b"", *after, *found)
        yield Pair(*fields)


def read_pairs(table: Table, chunk: ChunkId, digest: str | None = None) -> Iterator[Pair]:
    """The pairs of a committed chunk of detections, in order. Raises as `Table.read`."""
    return from_table(table.read(chunk, digest))


def list_column(table: pa.Table, name: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Splits a column of lists of structs into offsets and values.

    Returns:
      The start of each row's list, followed by the end of the last one; all values of each field, by name.
    """
    lists: Any = table[name].combine_chunks()
    offsets = lists.offsets.to_numpy()
    values = lists.flatten()
    fields = {field.name: _as_numpy(values.field(field.name)) for field in values.type}
    return offsets - offsets[0], fields


def _as_numpy(column: Any) -> np.ndarray:
    """The values of an Arrow column; lists as tuples. Arrow would create an array for each list."""
    if not pa.types.is_list(column.type):
        values: np.ndarray = column.to_numpy(zero_copy_only=False)
        return values
    flat = column.values.to_pylist()
    lists = (tuple(flat[start:end]) for start, end in pairwise(column.offsets.to_pylist()))
    return np.fromiter(lists, object, len(column))


def _tuples(table: pa.Table, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    return zip(*(table[name].to_pylist() for name in names), strict=True)


def _lists(table: pa.Table, name: str, make: Callable[..., Record]) -> Iterable[tuple[Record, ...]]:
    if name not in table.column_names:
        return [()] * len(table)
    offsets, fields = list_column(table, name)
    items = build_records(fields, make)
    return (tuple(items[start:end]) for start, end in pairwise(offsets.tolist()))


def build_records(fields: dict[str, np.ndarray], make: Callable[..., Record]) -> list[Record]:
    """Calls `make` once for each record, with the values of the fields in order."""
    return [make(*values) for values in zip(*(column.tolist() for column in fields.values()), strict=True)]


def _fault(error: dict[str, Any] | None) -> Fault | None:
    return Fault(FailureStage(error["stage"]), Reason(error["reason"]), error["detail"]) if error else None


def _dropped(start: int, end: int, reason: str) -> Dropped:
    return Dropped(start, end, Drop(reason))


@cache
def _claim_kind(name: str) -> ClaimKind:
    return ClaimKind(name)


def _claim(kind: str, *values: Any) -> Claim:
    return Claim(_claim_kind(kind), *values)


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}
