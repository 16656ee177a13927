"""Which shard holds which kept pairs. A pure function of the counts, so every run plans the same."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from pipeline.configuration import ShardSettings
from pipeline.faults import CallError
from pipeline.ids import ChunkId
from pipeline.pack.ledger import RangeCount
from pipeline.plan.spread import cut

MAX_SHARDS = 100_000
"""A key has five digits for the shard."""


@dataclass(frozen=True)
class Piece:
    """Kept pairs number `first` to `last` - 1 of a chunk; digest: of its file, if its range is done."""

    chunk: ChunkId
    first: int
    last: int
    digest: str | None = None


@dataclass(frozen=True)
class ShardPlan:
    """A shard and the pieces that make it, in input order."""

    number: int
    pieces: tuple[Piece, ...]

    @property
    def pairs(self) -> int:
        """Kept pairs that the shard is to hold."""
        return sum(piece.last - piece.first for piece in self.pieces)


def shard_count(kept: int, size: int, settings: ShardSettings) -> int:
    """Shards for `kept` pairs with `size` bytes of images: enough for both limits, none for no pair."""
    return max(-(-kept // settings.pairs), -(-size // int(settings.bytes))) if kept else 0


def plan_shards(counts: Iterable[RangeCount], settings: ShardSettings) -> Iterator[ShardPlan]:
    """Shard k of N holds the kept pairs [k*K//N, (k+1)*K//N): as equal as can be, none empty.

    Raises:
      CallError: more shards than keys have digits for.
    """
    chunks = [c for r in sorted(counts, key=lambda r: (r.range_id.source, r.range_id.range)) for c in r.chunks]
    kept = sum(chunk.kept for chunk in chunks)
    # With huge images there could be more shards than pairs, and some of them empty.
    number = min(shard_count(kept, sum(chunk.bytes for chunk in chunks), settings), kept)
    if number > MAX_SHARDS:
        raise CallError(f"shards: {number} shards are more than five digits can name; raise shards.pairs or .bytes")
    ends = list(accumulate(chunk.kept for chunk in chunks))
    for k in range(number):
        pieces = cut(ends, k * kept // number, (k + 1) * kept // number)
        yield ShardPlan(k, tuple(Piece(chunks[n].chunk, first, last, chunks[n].digest) for n, first, last in pieces))
