"""Kept boxes -> a GRIT record, the `.json` of a sample and a row of the shard's index.

The layout is that of the released GRIT (microsoft/unilm, kosmos-2): `noun_chunks` and `ref_exps` are lists of exactly
seven values [start, end, x1, y1, x2, y2, score], and row i of one belongs to row i of the other: same box, same score,
wider span.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from transforms.records import Grounding, Pair


@dataclass(frozen=True)
class KeptPair:
    """What the values of a record come from: the sample's key, the pair and its kept boxes in the record's order."""

    key: str
    pair: Pair
    groundings: Sequence[Grounding]


@dataclass(frozen=True)
class Column:
    """A field of the record.

    type: in the index; JSON has whole numbers where a list of doubles holds offsets.
    origin: "source", or the step that gives the value: "phrases", "boxes", "pack".
    description: one line with unit and range, repeated in docs/record.md.
    default: `list` or `str`; the empty value where the column's stage did not run, and of records that are older than
      the column. None: there is no record without the column.
    """

    name: str
    type: pa.DataType
    origin: str
    description: str
    value: Callable[[KeptPair], Any]
    default: Callable[[], Any] | None = None


_ROWS = pa.list_(pa.list_(pa.float64()))
_HEADS = pa.list_(pa.list_(pa.int32()))

COLUMNS = (
    Column("key", pa.string(), "pack", "nine digits: five of the shard, four of the sample", lambda kept: kept.key),
    Column(
        "uid",
        pa.string(),
        "source",
        "16 hexadecimal digits, a hash of the source's URI and the pair's place in it: the same in every pack",
        lambda kept: uid(kept.pair.source, kept.pair.index),
    ),
    Column("source_key", pa.string(), "source", "the source's own name of the pair", lambda kept: kept.pair.key),
    Column(
        "id",
        pa.int64(),
        "source",
        "the source's number; 0 if it is no integer of 64 bits",
        lambda kept: _integer(kept.pair),
    ),
    Column("url", pa.string(), "source", "address of the picture; may be empty", lambda kept: kept.pair.url),
    Column("caption", pa.string(), "source", "the text, never empty", lambda kept: kept.pair.caption),
    Column("width", pa.int32(), "source", "pixels of the upright picture", lambda kept: kept.pair.width),
    Column("height", pa.int32(), "source", "pixels of the upright picture", lambda kept: kept.pair.height),
    Column(
        "noun_chunks",
        _ROWS,
        "boxes",
        "rows of exactly `[start, end, x1, y1, x2, y2, score]`: a noun phrase, end exclusive, and one of its boxes; "
        "offsets are characters of the caption, corners and score in 0..1",
        lambda kept: [_row(g, g.phrase.start, g.phrase.end) for g in kept.groundings],
    ),
    Column(
        "ref_exps",
        _ROWS,
        "boxes",
        "the same for referring expressions: row i has the box of row i of `noun_chunks` and contains its span",
        lambda kept: [_row(g, g.phrase.expression_start, g.phrase.expression_end) for g in kept.groundings],
    ),
    Column(
        "heads",
        _HEADS,
        "phrases",
        "`[start, end]` of the head noun of row i of `noun_chunks`",
        lambda kept: [[g.phrase.head_start, g.phrase.head_end] for g in kept.groundings],
    ),
    Column("meta", pa.string(), "source", "what else the source says, a JSON object", lambda kept: kept.pair.meta),
)
"""The fields of the record, in their order. Validation states their rules a second time, in its own words."""


def index_schema() -> pa.Schema:
    """The index beside a shard: the records, with doubles in the lists, since parquet has no mixed ones."""
    return pa.schema([pa.field(column.name, column.type, nullable=False) for column in COLUMNS])


def defaults() -> dict[str, Any]:
    """The values of fields that a record written by an earlier release may lack."""
    return {column.name: column.default() for column in COLUMNS if column.default is not None}


def compose(key: str, pair: Pair, groundings: Sequence[Grounding]) -> dict[str, Any]:
    """The record of a kept pair under its shard's key. Every field is always there; offsets are integers."""
    kept = KeptPair(key, pair, groundings)
    return {column.name: column.value(kept) for column in COLUMNS}


def uid(source: str, index: int) -> str:
    """BLAKE2b-64 of a pair's source and index, hexadecimal: the same in every pack."""
    return hashlib.blake2b(f"{source}\n{index}".encode(), digest_size=8).hexdigest()


def _row(grounding: Grounding, start: int, end: int) -> list[float]:
    return [start, end, *grounding.box.corners, grounding.box.score]


def _integer(pair: Pair) -> int:
    """GRIT's `id` is an integer. One that is none stays in `meta`."""
    value = int(pair.id) if re.fullmatch(r"-?\d{1,19}", pair.id, re.ASCII) else 0
    return value if -(2**63) <= value < 2**63 else 0
