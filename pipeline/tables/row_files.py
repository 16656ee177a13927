"""Rows of a table <-> the bytes of a parquet file, with a JSON value beside them."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_METADATA = b"gritmill"

ERROR_FIELD: "pa.Field[Any]" = pa.field(
    "error",
    pa.struct([pa.field(name, pa.string(), nullable=False) for name in ("stage", "reason", "detail")]),
    nullable=True,
)
"""The column that every table has: why a row's pair failed."""


def encode(rows: Sequence[Mapping[str, Any]], schema: pa.Schema, metadata: dict[str, Any]) -> bytes:
    """The file of some rows; a column that a row lacks gets its default. metadata: a JSON value."""
    table = as_table(rows, schema).replace_schema_metadata({_METADATA: json.dumps(metadata, sort_keys=True).encode()})
    target = io.BytesIO()
    pq.write_table(table, target, compression="zstd")
    return target.getvalue()


def as_table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as they are kept; a column that a row lacks holds its default."""
    defaults = {field.name: default_of(field) for field in schema}
    return pa.Table.from_pylist([{**defaults, **row} for row in rows], schema)


def check_rows(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> None:
    """Raises ValueError for a column that there is not, and for a null where none may be, which Arrow would notice only
    while the file is written. Not for detections: to look into thousands of boxes takes longer than to write them."""
    unknown = sorted({name for row in rows for name in row} - set(schema.names))
    if unknown:
        raise ValueError(f"no column {unknown[0]}; there are {', '.join(schema.names)}")
    for field in schema:
        if any(_has_null(field, row[field.name]) for row in rows if field.name in row):
            raise ValueError(f"column {field.name} holds no null; make it nullable")


def _has_null(field: "pa.Field[Any]", value: Any) -> bool:
    """Whether there is a null where none may be, also inside of lists and structs."""
    kind = field.type
    if value is None:
        return not field.nullable
    if pa.types.is_struct(kind) and isinstance(value, dict):
        return any(_has_null(inner, value.get(inner.name)) for inner in kind)
    return pa.types.is_list(kind) and any(_has_null(kind.value_field, item) for item in value)


def decode(data: bytes, schema: pa.Schema) -> pa.Table:
    """The rows of a file; a column that it lacks, since it was written before there was one, holds its default."""
    table = _open(data).read()  # pq.read_table would import pyarrow.dataset
    known = set(table.column_names)
    for number, name in enumerate(schema.names):
        if name not in known:
            field = schema.field(name)
            table = table.add_column(number, field, pa.array([default_of(field)] * len(table), field.type))
    return table.cast(schema)


def metadata_of(data: bytes) -> dict[str, Any]:
    """What `encode` was given beside the rows."""
    value: dict[str, Any] = json.loads(_open(data).schema_arrow.metadata[_METADATA])
    return value


def failures(data: bytes) -> list[tuple[str, dict[str, str]]]:
    """Key and error of each row of a file whose pair failed."""
    rows = _open(data).read(["key", "error"]).to_pylist()
    return [(row["key"], row["error"]) for row in rows if row["error"]]


def failure_reasons(data: bytes) -> list[str | None]:
    """For each row of a file why its pair failed; None for one that did not."""
    return [error["reason"] if error else None for error in _open(data).read(["error"])["error"].to_pylist()]


def default_of(field: "pa.Field[Any]") -> Any:
    """The empty value of a column: null where that is allowed, else no text, nothing, an empty list.

    Raises:
      ValueError: its type has none.
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
    return pq.ParquetFile(io.BytesIO(data))
