"""Kept boxes -> a GRIT record, the `.json` of a sample and a row of the shard's index.

The layout is that of the released GRIT (microsoft/unilm, kosmos-2). Each row of `noun_chunks` and `ref_exps` contains
exactly seven values, [start, end, x1, y1, x2, y2, score]. Row i of `ref_exps` has the box and the score of row i of
`noun_chunks`, and a span that contains its span.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa
from pydantic_core import to_json

from transforms.claims.verdicts import Checked
from transforms.records import Claim, ClaimKind, Grounding, Pair


@dataclass(frozen=True)
class KeptPair:
    """The input of a record: the sample's key, the pair, its kept boxes in the order of the record, the verdict on
    each of its claims, and the decoys of which the detector found nothing."""

    key: str
    pair: Pair
    groundings: Sequence[Grounding]
    verdicts: Sequence[Checked]
    absent: Sequence[str] = ()


@dataclass(frozen=True)
class Column:
    """A field of the record.

    type: the type in the index. In JSON, the offsets in a list of doubles are integers.
    origin: "source", or the step that computes the value: "phrases", "boxes", "pack".
    description: one line with unit and range, repeated in docs/record.md.
    default: `list` or `str`. Its empty value is used if the column's stage did not run, and for records that are older
      than the column. None: every record has the column.
    """

    name: str
    type: pa.DataType
    origin: str
    description: str
    value: Callable[[KeptPair], Any]
    default: Callable[[], Any] | None = None


_INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)
_ROWS = pa.list_(pa.list_(pa.float64()))
_HEADS = pa.list_(pa.list_(pa.int32()))
_SPAN = pa.list_(pa.int32())
_CLAIMS, _ABSENT = "claims", "absent"
_CLAIM: tuple[tuple[str, pa.DataType], ...] = (
    ("kind", pa.string()),
    ("words", _SPAN),
    ("subject", _SPAN),
    ("object", pa.list_(_SPAN)),
    ("predicate", pa.string()),
    ("number", pa.int32()),
    ("negated", pa.bool_()),
    ("verdict", pa.string()),
    ("measured", pa.string()),
)

COLUMNS = (
    Column("key", pa.string(), "pack", "nine digits: five for the shard, four for the sample", lambda kept: kept.key),
    Column(
        "uid",
        pa.string(),
        "source",
        "16 hexadecimal digits, a hash of the source's URI and the pair's index in it; the same in every pack",
        lambda kept: uid(kept.pair.source, kept.pair.index),
    ),
    Column("source_key", pa.string(), "source", "the name of the pair in the source", lambda kept: kept.pair.key),
    Column(
        "id",
        pa.int64(),
        "source",
        "the number of the pair in the source; 0 if it is not a 64-bit integer",
        lambda kept: _integer(kept.pair),
    ),
    Column("url", pa.string(), "source", "URL of the image; may be empty", lambda kept: kept.pair.url),
    Column("caption", pa.string(), "source", "the caption, never empty", lambda kept: kept.pair.caption),
    Column("width", pa.int32(), "source", "pixels of the upright image", lambda kept: kept.pair.width),
    Column("height", pa.int32(), "source", "pixels of the upright image", lambda kept: kept.pair.height),
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
    Column(
        _CLAIMS,
        pa.list_(pa.struct(_CLAIM)),
        "pack",
        "what the caption states about the number and the places of things, with a [verdict](claims.md)",
        lambda kept: [_claim(claim, checked) for claim, checked in zip(kept.pair.claims, kept.verdicts, strict=True)],
        list,
    ),
    Column(
        _ABSENT,
        pa.list_(pa.string()),
        "pack",
        "phrases of other captions that the detector was asked for in this image, and of which it has no candidate box "
        "at all, see [Decoys](#decoys)",
        lambda kept: [*kept.absent],
        list,
    ),
    Column("meta", pa.string(), "source", "other values from the source, a JSON object", lambda kept: kept.pair.meta),
)
"""The fields of the record, in order. `gritmill/validation/sample.py` implements their rules a second time."""


def index_schema(claims: bool = True, absent: bool = True) -> pa.Schema:
    """The schema of a shard's index. Lists contain only doubles, because parquet has no lists of mixed types.

    claims, absent: whether the records have these fields, see `compose`.
    """
    return pa.schema([pa.field(one.name, one.type, nullable=False) for one in _columns(claims, absent)])


@cache
def _columns(claims: bool, absent: bool) -> tuple[Column, ...]:
    without = {name for name, is_there in ((_CLAIMS, claims), (_ABSENT, absent)) if not is_there}
    return tuple(column for column in COLUMNS if column.name not in without)


def defaults() -> dict[str, Any]:
    """The values for fields that a record of an earlier release may lack."""
    return {column.name: column.default() for column in COLUMNS if column.default is not None}


def compose(
    key: str,
    pair: Pair,
    groundings: Sequence[Grounding],
    verdicts: Sequence[Checked] | None = (),
    absent: Sequence[str] | None = (),
) -> dict[str, Any]:
    """The record of a kept pair. It has every field, but for `claims` and `absent`. Offsets are integers.

    key: of the sample in its shard. verdicts: one for each claim of the pair. absent: the decoys that were not found.
    None: the run reads no claims, or has no decoys, and its records lack the field, so that a run of release 0.1 is
    packed to the same bytes as in its release.
    """
    kept = KeptPair(key, pair, groundings, verdicts or (), absent or ())
    return {column.name: column.value(kept) for column in _columns(verdicts is not None, absent is not None)}


def uid(source: str, index: int) -> str:
    """BLAKE2b-64 of a pair's source and index, hexadecimal. It is the same in every pack."""
    return hashlib.blake2b(f"{source}\n{index}".encode(), digest_size=8).hexdigest()


def _row(grounding: Grounding, start: int, end: int) -> list[float]:
    return [start, end, *grounding.box.corners, grounding.box.score]


def _claim(claim: Claim, checked: Checked) -> dict[str, Any]:
    objects = [list(claim.objects[at : at + 2]) for at in range(0, len(claim.objects), 2)]
    to_the_picture = claim.kind is ClaimKind.RELATION and not objects
    return {
        "kind": claim.kind.value,
        "words": [claim.words_start, claim.words_end],
        "subject": [*claim.subject],
        "object": None if to_the_picture else objects,
        "predicate": claim.predicate,
        "number": claim.number,
        "negated": claim.negated,
        "verdict": checked.verdict.value,
        "measured": to_json(checked.measured).decode(),  # a fifth of the time of json.dumps
    }


def _integer(pair: Pair) -> int:
    """GRIT's `id` is an integer of 64 bits. Any other id becomes 0 and is kept in `meta`."""
    value = int(pair.id) if _INTEGER.fullmatch(pair.id) else 0
    return value if -(2**63) <= value < 2**63 else 0
