"""The content of a finished range and the timing of a chunk: small JSON files next to the chunks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import SerializerFunctionWrapHandler, model_serializer


@dataclass(frozen=True)
class ChunkEntry:
    """A committed chunk: its number, the number of its rows, the digest of its file.

    failed: the number of failed pairs by reason. parents: by table, the digest of the parent chunk that the rows were
    computed from.
    """

    chunk: int
    rows: int
    digest: str
    failed: Mapping[str, int] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)

    @model_serializer(mode="wrap")
    def _without_empty(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in serialize(self).items() if value != {}}


@dataclass(frozen=True)
class RangeSummary:
    """The chunks of a range in order, their total number of rows, and the source faults."""

    REMEDY: ClassVar[str] = "remove it and run gritmill ground again"

    format: int
    chunks: tuple[ChunkEntry, ...]
    rows: int
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Timing:
    """The time that a chunk took on the worker that committed it.

    seconds: by step. wall: seconds since the worker committed its previous chunk. first: whether this is the first
    chunk of the worker, which includes loading the models; `wall` is then the sum of `seconds`. worker: host and
    process. committed: Unix time. next: where the next chunk starts, as in the file of the rows; None after the last
    one, and empty in files of release 0.1.
    """

    REMEDY: ClassVar[str] = "remove it; only the speed in the report depends on it"

    pairs: int
    seconds: Mapping[str, float]
    wall: float
    first: bool
    worker: str = ""
    committed: float = 0.0
    next: Mapping[str, Any] | None = field(default_factory=dict)

    @model_serializer(mode="wrap")
    def _without_unknown(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in serialize(self).items() if key != "next" or value != {}}
