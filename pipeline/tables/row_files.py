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
    defaults = {field.name: default_of(field) for field in schema}
    table = pa.Table.from_pylist([{**defaults, **row} for row in rows], schema)
    table = table.replace_schema_metadata({_METADATA: json.dumps(metadata, sort_keys=True).encode()})
    target = io.BytesIO()
    pq.write_table(table, target, compression="zstd")
    return target.getvalue()


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


def row_count(data: bytes) -> int:
    """How many rows a file has."""
    return int(_open(data).metadata.num_rows)


def failure_reasons(data: bytes) -> list[str | None]:
    """For each row of a file why its pair failed; None for one that did not."""
    return [error["reason"] if error else None for error in _open(data).read(["error"])["error"].to_pylist()]


def default_of(field: "pa.Field[Any]") -> Any:
    """The empty value of a column: null where that is allowed, else no text, nothing, an empty list."""
    kind = field.type
    if field.nullable:
        return None
    if pa.types.is_string(kind):
        return ""
    if pa.types.is_list(kind):
        return []
    return (
        {item.name: default_of(item) for item in kind} if pa.types.is_struct(kind) else pa.scalar(0).cast(kind).as_py()
    )


def _open(data: bytes) -> pq.ParquetFile:
    return pq.ParquetFile(io.BytesIO(data))
