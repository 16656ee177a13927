"""Kept boxes -> a GRIT record, the `.json` of a sample and a row of the shard's index.

The layout is that of the released GRIT (microsoft/unilm, kosmos-2): `noun_chunks` and `ref_exps` are lists of exactly
seven values [start, end, x1, y1, x2, y2, score], and row i of one belongs to row i of the other: same box, same score,
wider span.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from transforms.records import Grounding, Pair

_ROW = pa.list_(pa.list_(pa.float64()))

_FIELDS: "list[pa.Field[Any]]" = [
    pa.field("key", pa.string(), nullable=False),
    pa.field("uid", pa.string(), nullable=False),
    pa.field("source_key", pa.string(), nullable=False),
    pa.field("id", pa.int64(), nullable=False),
    pa.field("url", pa.string(), nullable=False),
    pa.field("caption", pa.string(), nullable=False),
    pa.field("width", pa.int32(), nullable=False),
    pa.field("height", pa.int32(), nullable=False),
    pa.field("noun_chunks", _ROW, nullable=False),
    pa.field("ref_exps", _ROW, nullable=False),
    pa.field("heads", pa.list_(pa.list_(pa.int32())), nullable=False),
    pa.field("meta", pa.string(), nullable=False),
]

INDEX_SCHEMA = pa.schema(_FIELDS)
"""The index beside a shard: the records, with doubles in the lists, since parquet has no mixed ones."""

FIELDS = tuple(INDEX_SCHEMA.names)


def uid(source: str, index: int) -> str:
    """BLAKE2b-64 of a pair's source and index, hexadecimal: the same in every pack."""
    return hashlib.blake2b(f"{source}\n{index}".encode(), digest_size=8).hexdigest()


def compose(key: str, pair: Pair, groundings: Sequence[Grounding]) -> dict[str, Any]:
    """The record of a kept pair under its shard's key. Every field is always there; offsets are integers.

    An `id` that is no integer, as GRIT's must be, is 0 here and stands in `meta`.
    """
    boxes = [[*g.box.corners, g.box.score] for g in groundings]
    return {
        "key": key,
        "uid": uid(pair.source, pair.index),
        "source_key": pair.key,
        "id": _integer(pair.id),
        "url": pair.url,
        "caption": pair.caption,
        "width": pair.width,
        "height": pair.height,
        "noun_chunks": [[g.phrase.start, g.phrase.end, *box] for g, box in zip(groundings, boxes, strict=True)],
        "ref_exps": [
            [g.phrase.expression_start, g.phrase.expression_end, *box] for g, box in zip(groundings, boxes, strict=True)
        ],
        "heads": [[g.phrase.head_start, g.phrase.head_end] for g in groundings],
        "meta": pair.meta,
    }


def _integer(text: str) -> int:
    value = int(text) if re.fullmatch(r"-?\d{1,19}", text, re.ASCII) else 0
    return value if -(2**63) <= value < 2**63 else 0
