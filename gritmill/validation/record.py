"""The model of a record: each field with its type, and the rules that a type can express."""

from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, create_model

from transforms import grit_record

_Share = Annotated[float, Field(ge=0, le=1)]
Row = tuple[int, int, _Share, _Share, _Share, _Share, _Share]

_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
_Span = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]


class Claim(BaseModel):
    """An item of `claims`."""

    model_config = _STRICT

    kind: Literal["count", "relation", "rank"]
    words: _Span
    subject: _Span
    object: list[_Span] | None
    predicate: Annotated[str, StringConstraints(min_length=1)]
    number: Annotated[int, Field(ge=0)]
    negated: bool
    verdict: Literal["supported", "contradicted", "undecided"]
    measured: str


class Record(BaseModel):
    """The fields of the `.json` for which the contract has rules beyond their type."""

    model_config = _STRICT

    key: Annotated[str, StringConstraints(pattern=r"^\d{9}$")]
    uid: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    caption: Annotated[str, StringConstraints(min_length=1)]
    width: PositiveInt
    height: PositiveInt
    noun_chunks: Annotated[list[Row], Field(min_length=1)]
    ref_exps: list[Row]
    heads: list[tuple[int, int]]
    claims: list[Claim] = Field(default_factory=list)
    absent: list[Annotated[str, StringConstraints(min_length=1)]] = Field(default_factory=list)
    meta: str


def record_model() -> type[Record]:
    """The model of the `.json`: all columns and no other fields. A column may be missing if the record is older."""
    fields: Any = {
        column.name: (_json_type(column.type), Field(default_factory=column.default) if column.default else ...)
        for column in grit_record.COLUMNS
        if column.name not in Record.model_fields
    }
    return create_model("Record", __base__=Record, **fields)


def _json_type(kind: pa.DataType) -> Any:
    """The JSON type for an Arrow type. Items of lists and structs may be null if the Arrow type allows it."""
    if pa.types.is_struct(kind):
        fields: Any = {item.name: (_json_item(item), ...) for item in kind.fields}
        return create_model("Struct", __config__=_STRICT, **fields)
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return list[_json_item(kind.value_field)]  # type: ignore[misc]
    if pa.types.is_integer(kind):
        lowest = -(2 ** (kind.bit_width - 1)) if pa.types.is_signed_integer(kind) else 0
        return Annotated[int, Field(ge=lowest, lt=lowest + 2**kind.bit_width)]
    return float if pa.types.is_floating(kind) else bool if pa.types.is_boolean(kind) else str


def _json_item(item: "pa.Field[Any]") -> Any:
    kind = _json_type(item.type)
    return kind | None if item.nullable else kind
