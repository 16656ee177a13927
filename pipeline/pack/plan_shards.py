"""Assigns kept pairs to shards. A pure function of the counts, so every run has the same plan."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from pipeline.configuration import ShardSettings
from pipeline.faults import CallError
from pipeline.ids import ChunkId
from pipeline.pack.ledger import ChunkCount, RangeCount
from pipeline.plan.spread import cut

MAX_SHARDS = 100_000
"""A sample key has five digits for the shard number."""


@dataclass(frozen=True)
class Piece:
    """The kept pairs `first` to `last` - 1 of a chunk.

    digest: of the chunk's file; None: not checked. duplicates: rows of the chunk that are not kept. decoys: digest of
    the file with its decoys; empty if there are none.
    """

    chunk: ChunkId
    first: int
    last: int
    digest: str | None = None
    duplicates: tuple[int, ...] = ()
    decoys: str = ""


@dataclass(frozen=True)
class ShardPlan:
    """A shard number and the pieces of the shard, in input order."""

    number: int
    pieces: tuple[Piece, ...]

    @property
    def pairs(self) -> int:
        """The number of kept pairs planned for the shard."""
        return sum(piece.last - piece.first for piece in self.pieces)


def shard_count(kept: int, size: int, settings: ShardSettings) -> int:
    """The number of shards that satisfies both limits for `kept` pairs with `size` image bytes; 0 if `kept` is 0."""
    return max(-(-kept // settings.pairs), -(-size // int(settings.bytes))) if kept else 0


def plan_shards(counts: Iterable[RangeCount], settings: ShardSettings) -> Iterator[ShardPlan]:
    """Yields N shards for K kept pairs. Shard k contains the pairs [k*K//N, (k+1)*K//N).

    Sizes differ by at most one pair, and no shard is empty.

    Raises:
      CallError: more than `MAX_SHARDS` shards.
    """
    chunks = [c for r in sorted(counts, key=lambda r: (r.range_id.source, r.range_id.range)) for c in r.chunks]
    kept = sum(chunk.kept for chunk in chunks)
    # With very large images, the byte limit could give more shards than pairs, and so empty shards.
    number = min(shard_count(kept, sum(chunk.bytes for chunk in chunks), settings), kept)
    if number > MAX_SHARDS:
        raise CallError(f"shards: {number} shards are too many for five digits; raise shards.pairs or shards.bytes")
    ends = list(accumulate(chunk.kept for chunk in chunks))
    for k in range(number):
        pieces = cut(ends, k * kept // number, (k + 1) * kept // number)
        yield ShardPlan(k, tuple(_piece(chunks[n], first, last) for n, first, last in pieces))


def _piece(chunk: ChunkCount, first: int, last: int) -> Piece:
    return Piece(chunk.chunk, first, last, chunk.digest, chunk.duplicates, chunk.decoys)
