"""What a finished range holds, and what a chunk took: small JSON files beside the chunks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import SerializerFunctionWrapHandler, model_serializer


@dataclass(frozen=True)
class ChunkEntry:
    """A committed chunk: its number, its rows, the digest of its file.

    failed: its failed pairs by reason. parents: by table, the digest of the parent chunk that it was made from.
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
    """The chunks of a range, in order, their rows together, and what of the source could not be read."""

    REMEDY: ClassVar[str] = "remove it, then ground makes it again"

    format: int
    chunks: tuple[ChunkEntry, ...]
    rows: int
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Timing:
    """What a chunk took on the worker that committed it.

    seconds: of each step. wall: seconds since the worker's chunk before. first: there was none, and the models were
    loaded meanwhile. worker: host and process. committed: Unix time.
    """

    REMEDY: ClassVar[str] = "remove it: only the report's pace depends on it"

    pairs: int
    seconds: Mapping[str, float]
    wall: float
    first: bool
    worker: str = ""
    committed: float = 0.0
