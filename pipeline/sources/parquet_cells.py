"""Cells of parquet columns as Python values, one by one where Arrow cannot convert a whole column."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

Value = Any
"""A cell as `to_pylist` gives it, or an `Unreadable`."""


@dataclass(frozen=True)
class Unreadable:
    """A cell that cannot be read, and why."""

    reason: str

    def __str__(self) -> str:
        return self.reason


def values_of(column: Any) -> list[Value]:
    """The cells of a column, an Arrow array. Bytes of a text that are not UTF-8 become lone surrogates."""
    column = _in_microseconds(column)
    try:
        values: list[Value] = column.to_pylist()
    except Exception:  # for one of the cells; Arrow raises several types
        return [_value(scalar) for scalar in column]
    return values


def images_of(column: Any) -> list[Value]:
    """The cells of a column of images. Lists of numbers from 0 to 255 become bytes."""
    types, kind = pa.types, column.type
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    if not is_list or not types.is_integer(kind.value_type):
        return values_of(column)
    return [_bytes(scalar) if scalar.is_valid else None for scalar in column]


def _bytes(scalar: Any) -> Value:
    try:
        return scalar.values.cast(pa.uint8()).to_numpy().tobytes()
    except pa.ArrowInvalid:  # a null, or a number outside of 0 to 255
        return scalar.as_py()


def _value(scalar: Any) -> Value:
    try:
        return scalar.as_py()
    except Exception as error:
        if isinstance(scalar, pa.DictionaryScalar):
            return _value(scalar.value)
        if isinstance(scalar, pa.StructScalar):
            return {field.name: _value(scalar[field.name]) for field in scalar.type}
        if isinstance(scalar, pa.MapScalar):
            return [(_value(entry[0]), _value(entry[1])) for entry in scalar.values or ()]
        if isinstance(scalar, pa.ListScalar | pa.LargeListScalar | pa.FixedSizeListScalar):
            return [_value(item) for item in scalar.values or ()]
        if isinstance(error, UnicodeDecodeError) and hasattr(scalar, "as_buffer"):
            return scalar.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")
        return Unreadable(f"a {scalar.type} for which Python has no value ({type(error).__name__})")


def _in_microseconds(column: Any) -> Any:
    """Times without nanoseconds: Python has none, and where pandas is installed they would become its types."""
    kind, types = column.type, pa.types
    if types.is_timestamp(kind) and kind.unit == "ns":
        return column.cast(pa.timestamp("us", kind.tz), safe=False)
    if types.is_duration(kind) and kind.unit == "ns":
        return column.cast(pa.duration("us"), safe=False)
    if types.is_time64(kind) and kind.unit == "ns":
        return column.cast(pa.time64("us"), safe=False)
    return column


def is_damage(error: Exception) -> bool:
    """Whether Arrow reports invalid data, by its own errors or an OSError without an errno. Otherwise the file system
    or the network failed."""
    return isinstance(error, pa.ArrowException) or (type(error) is OSError and not error.errno)
