"""Pairs as rows of a parquet file: one file of the detections table.

The columns and their meaning are the contract with whoever reads this table without gritmill.
"""

import io
import json
from collections.abc import Iterable
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.records import Box, Drop, Dropped, Fault, ImageRef, Pair, Phrase, Reason, Stage

_METADATA = b"gritmill"


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


def encode(pairs: Iterable[Pair], about: dict[str, Any]) -> bytes:
    """The file of some pairs. about: what its metadata says, a JSON value."""
    table = pa.Table.from_pylist([to_row(pair) for pair in pairs], SCHEMA)
    table = table.replace_schema_metadata({_METADATA: json.dumps(about, sort_keys=True).encode()})
    target = io.BytesIO()
    pq.write_table(table, target, compression="zstd")
    return target.getvalue()


def decode(data: bytes) -> pa.Table:
    """The rows of a file."""
    return pq.read_table(io.BytesIO(data), schema=SCHEMA)


def reasons(data: bytes) -> list[str | None]:
    """For each row of a file why its pair failed; None for one that did not."""
    errors = pq.read_table(io.BytesIO(data), columns=["error"])["error"].to_pylist()
    return [error["reason"] if error else None for error in errors]


def about(file: BinaryIO) -> dict[str, Any]:
    """What the metadata of a file says."""
    value: dict[str, Any] = json.loads(pq.read_schema(file).metadata[_METADATA])
    return value


def count(file: BinaryIO) -> int:
    """How many rows a file has."""
    return int(pq.read_metadata(file).num_rows)


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


def from_row(row: dict[str, Any]) -> Pair:
    """The pair of a row of the table."""
    error = row["error"]
    return Pair(
        key=row["key"],
        source=row["source"],
        index=row["index"],
        caption=row["caption"],
        image=ImageRef(*(row[f"image_{name}"] for name in ("uri", "row", "offset", "length", "digest"))),
        url=row["url"],
        id=row["id"],
        meta=row["meta"],
        width=row["width"],
        height=row["height"],
        phrases=tuple(Phrase(**phrase) for phrase in row["phrases"]),
        dropped=tuple(Dropped(d["start"], d["end"], Drop(d["reason"])) for d in row["dropped"]),
        boxes=tuple(Box(**box) for box in row["boxes"]),
        cut=row["boxes_cut"],
        error=Fault(Stage(error["stage"]), Reason(error["reason"]), error["detail"]) if error else None,
    )


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}
