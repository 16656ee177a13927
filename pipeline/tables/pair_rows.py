"""Pairs as rows of the detections table.

The columns and their meaning are a public contract: other programs may read this table without gritmill. Rows are
read by column, because a chunk has thousands of boxes, and creating a dictionary for each would dominate the time.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise, repeat
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
    """Yields the pairs of a table with the schema `SCHEMA`, in order. If `boxes` or `claims` is missing, pairs have
    none."""
    rows = len(table)
    columns = {name: _values(table[name]) for name in (*_LEADING, *_IMAGE, *_TRAILING, "boxes_cut")}
    columns["image"] = build_records(ImageRef, {name: columns[f"image_{name}"] for name in ImageRef.__slots__})
    columns["data"] = [b""] * rows
    columns["phrases"] = _lists(table, "phrases", Phrase)
    columns["dropped"] = _lists(table, "dropped", Dropped, reason=Drop)
    columns["claims"] = _lists(table, "claims", Claim, kind=ClaimKind)
    columns["boxes"] = _lists(table, "boxes", Box)
    errors = table["error"]
    columns["error"] = [None] * rows if errors.null_count == rows else [*map(_fault, errors.to_pylist())]
    columns["rows"] = [{} for _ in range(rows)]
    yield from build_records(Pair, columns)


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


def _values(column: Any) -> list[Any]:
    """The values of a column without nulls, in a quarter of the time of `to_pylist`."""
    values: list[Any] = column.to_numpy().tolist()
    return values


def _lists(
    table: pa.Table, column: str, record: type[Record], /, **codes: Callable[[str], Any]
) -> list[tuple[Record, ...]]:
    """The records of each row. codes: by field, the type of its codes."""
    if column not in table.column_names:
        return [()] * len(table)
    offsets, fields = list_column(table, column)
    values = {name: column.tolist() for name, column in fields.items()}
    for name, make in codes.items():
        known = {code: make(code) for code in set(values[name])}
        values[name] = [known[code] for code in values[name]]
    items = build_records(record, values)
    return [tuple(items[start:end]) for start, end in pairwise(offsets.tolist())]


def build_records(kind: type[Record], columns: Mapping[str, Sequence[Any]]) -> list[Record]:
    """Instances of a frozen dataclass with slots, in a third of the time: a chunk has thousands of boxes.

    Its `__init__` looks up `object.__setattr__` for each field of each instance; this sets a field of all instances.

    columns: the values of each field by its name, equally many of each.
    """
    names: tuple[str, ...] = kind.__slots__  # type: ignore[attr-defined]
    records = [*map(object.__new__, repeat(kind, len(columns[names[0]])))]
    for name in names:
        deque(map(getattr(kind, name).__set__, records, columns[name]), 0)
    return records


def _fault(error: dict[str, Any] | None) -> Fault | None:
    return Fault(FailureStage(error["stage"]), Reason(error["reason"]), error["detail"]) if error else None


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}
