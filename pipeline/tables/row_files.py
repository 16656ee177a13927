"""Rows of a table <-> the bytes of a parquet file, with a JSON value as metadata."""

import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.files import checksum
from transforms.records import REJECTED_BY_SOURCE

_METADATA = b"gritmill"

_CHECKSUM = "gritmill-checksum"
_CHECKSUM_PLACE = re.compile(rb"gritmill-checksum\x18\x20([0-9a-f]{32})")
"""In the footer: the key, then the value as Thrift's compact protocol writes a text of 32 bytes (type 8 of the next
field, length)."""

ERROR_FIELD: "pa.Field[Any]" = pa.field(
    "error",
    pa.struct([pa.field(name, pa.string(), nullable=False) for name in ("stage", "reason", "detail")]),
    nullable=True,
)
"""The column `error`, which every table has. It is null unless the row records a failure."""


def schema_of(columns: "Iterable[pa.Field[Any]]") -> pa.Schema:
    """The schema of a table with these columns beside those that every table but the detections has."""
    key: pa.Field[Any] = pa.field("key", pa.string(), nullable=False)
    return pa.schema([key, pa.field("index", pa.int64(), nullable=False), *columns, ERROR_FIELD])


def encode(rows: Sequence[Mapping[str, Any]], schema: pa.Schema, metadata: dict[str, Any]) -> bytes:
    """Returns the bytes of a file with these rows. Missing columns get their default. metadata: a JSON value."""
    table = as_table(rows, schema).replace_schema_metadata({_METADATA: json.dumps(metadata, sort_keys=True).encode()})
    target = io.BytesIO()
    with pq.ParquetWriter(target, table.schema, compression="zstd") as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({_CHECKSUM: checksum.EMPTY})
    return checksum.seal(target.getvalue(), _CHECKSUM_PLACE)


def is_intact(data: bytes) -> bool:
    """Whether a file has the checksum that it contains. True if it contains none, as in release 0.1."""
    return checksum.is_intact(data, _CHECKSUM_PLACE) is not False


def as_table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Returns the rows as an Arrow table. A missing column of a row gets its default."""
    defaults = {field.name: default_of(field) for field in schema}
    return pa.Table.from_pylist([{**defaults, **row} for row in rows], schema)


def check_rows(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> None:
    """Raises ValueError for an unknown column, or for a null in a column that is not nullable.

    Arrow would detect such a null only when it writes the file. Detections are not checked, because searching thousands
    of boxes takes longer than writing them.
    """
    unknown = sorted({name for row in rows for name in row} - set(schema.names))
    if unknown:
        raise ValueError(f"unknown column {unknown[0]}; use {', '.join(schema.names)}")
    for field in schema:
        if any(_has_null(field, row[field.name]) for row in rows if field.name in row):
            raise ValueError(f"column {field.name} must not contain null; make it nullable")


def _has_null(field: "pa.Field[Any]", value: Any) -> bool:
    """Whether a value contains a null that its field does not allow, including inside lists and structs."""
    kind = field.type
    if value is None:
        return not field.nullable
    if pa.types.is_struct(kind) and isinstance(value, dict):
        return any(_has_null(inner, value.get(inner.name)) for inner in kind)
    return pa.types.is_list(kind) and any(_has_null(kind.value_field, item) for item in value)


def decode(data: bytes, schema: pa.Schema) -> pa.Table:
    """Returns the rows of a file. Columns that were added to the schema later get their default."""
    table = _open(data).read()  # pq.read_table would import pyarrow.dataset
    known = set(table.column_names)
    for number, name in enumerate(schema.names):
        if name not in known:
            field = schema.field(name)
            table = table.add_column(number, field, pa.array([default_of(field)] * len(table), field.type))
    return table.cast(schema)


def metadata_of(data: bytes) -> dict[str, Any]:
    """Returns the `metadata` that was passed to `encode`."""
    value: dict[str, Any] = json.loads(_open(data).schema_arrow.metadata[_METADATA])
    return value


def failures(data: bytes) -> list[tuple[str, dict[str, str]]]:
    """Returns key and error of each failed row of a file."""
    rows = _open(data).read(["key", "error"]).to_pylist()
    return [(row["key"], row["error"]) for row in rows if row["error"]]


def failure_reasons(data: bytes) -> list[str | None]:
    """Returns the failure reason of each row of a file, or None if its pair did not fail."""
    errors = _open(data).read(["error"])["error"].to_pylist()
    reasons = [error["reason"] if error else None for error in errors]
    return [None if reason in REJECTED_BY_SOURCE else reason for reason in reasons]


def default_of(field: "pa.Field[Any]") -> Any:
    """Returns the empty value of a column: null if allowed, else "", b"", [], 0, false, or a struct of empty values.

    Raises:
      ValueError: the type has no empty value.
    """
    kind, types = field.type, pa.types
    if field.nullable:
        return None
    if types.is_string(kind) or types.is_large_string(kind):
        return ""
    if types.is_binary(kind) or types.is_large_binary(kind):
        return b""
    if types.is_list(kind) or types.is_large_list(kind):
        return []
    if types.is_struct(kind):
        return {item.name: default_of(item) for item in kind}
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind):
        return pa.scalar(0).cast(kind).as_py()
    raise ValueError(f"column {field.name}: {kind} has no empty value; make it nullable")


def _open(data: bytes) -> pq.ParquetFile:
    return pq.ParquetFile(io.BytesIO(data), pre_buffer=False)  # all of it is in memory
