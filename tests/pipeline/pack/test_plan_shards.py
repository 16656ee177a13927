from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.configuration import ShardSettings
from pipeline.faults import CallError
from pipeline.ids import ChunkId, RangeId
from pipeline.pack.ledger import ChunkCount, RangeCount
from pipeline.pack.plan_shards import Piece, ShardPlan, plan_shards, shard_count

RANGES = st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50)), max_size=6), max_size=6)


def counted(table: list[list[tuple[int, int]]]) -> list[RangeCount]:
    """Ranges of chunks with numbers of kept pairs and bytes per pair."""
    return [
        RangeCount(
            RangeId(number // 2, number % 2),
            [ChunkCount(ChunkId(number // 2, number % 2, i), kept, kept * size) for i, (kept, size) in enumerate(row)],
        )
        for number, row in enumerate(table)
    ]


def settings(pairs: int, size: int) -> ShardSettings:
    return ShardSettings.model_validate({"pairs": pairs, "bytes": size})


def pairs_in(plans: list[ShardPlan]) -> Iterator[tuple[ChunkId, int]]:
    for plan in plans:
        for piece in plan.pieces:
            for number in range(piece.first, piece.last):
                yield piece.chunk, number


@given(RANGES, st.integers(1, 12), st.integers(1, 200), st.randoms())
def test_every_kept_pair_is_in_one_shard_in_order_and_none_is_empty(
    table: list[list[tuple[int, int]]], pairs: int, size: int, random: object
) -> None:
    counts = counted(table)
    random.shuffle(counts)  # type: ignore[attr-defined]
    plans = list(plan_shards(counts, settings(pairs, size)))
    ordered = [chunk for count in counted(table) for chunk in count.chunks]
    kept = sum(chunk.kept for chunk in ordered)
    total = sum(chunk.bytes for chunk in ordered)
    assert list(pairs_in(plans)) == [(chunk.chunk, number) for chunk in ordered for number in range(chunk.kept)]
    assert [plan.number for plan in plans] == list(range(len(plans)))
    wanted = max(-(-kept // pairs), -(-total // size)) if kept else 0
    assert len(plans) == min(wanted, kept)
    sizes = [plan.pairs for plan in plans]
    assert sizes == [(k + 1) * kept // len(plans) - k * kept // len(plans) for k in range(len(plans))]
    assert all(0 < number <= pairs for number in sizes)
    assert all(piece.first < piece.last for plan in plans for piece in plan.pieces)
    assert all(len({piece.chunk for piece in plan.pieces}) == len(plan.pieces) for plan in plans)


@pytest.mark.parametrize(
    ("kept", "size", "wanted"),
    [(0, 0, 0), (0, 5, 0), (1, 1, 1), (10, 100, 1), (11, 100, 2), (10, 101, 2), (10, 1000, 10), (100, 1, 10)],
)
def test_enough_shards_for_both_limits(kept: int, size: int, wanted: int) -> None:
    assert shard_count(kept, size, settings(10, 100)) == wanted


def test_pieces_are_cut_at_borders_of_shards_and_chunks() -> None:
    counts = counted([[(3, 1), (0, 1), (4, 1)]])
    first, second = plan_shards(counts, settings(4, 1000))
    assert first.pieces == (Piece(ChunkId(0, 0, 0), 0, 3),)
    assert second.pieces == (Piece(ChunkId(0, 0, 2), 0, 4),)
    first, second, third = plan_shards(counts, settings(3, 1000))
    assert first.pieces == (Piece(ChunkId(0, 0, 0), 0, 2),)
    assert second.pieces == (Piece(ChunkId(0, 0, 0), 2, 3), Piece(ChunkId(0, 0, 2), 0, 1))
    assert third.pieces == (Piece(ChunkId(0, 0, 2), 1, 4),)


def test_huge_images_make_no_empty_shards() -> None:
    assert [plan.pairs for plan in plan_shards(counted([[(2, 1000)]]), settings(10, 1))] == [1, 1]


def test_more_shards_than_five_digits_can_name_are_refused() -> None:
    counts = [RangeCount(RangeId(0, 0), [ChunkCount(ChunkId(0, 0, 0), 100_001, 1)])]
    with pytest.raises(CallError, match=r"100001 shards .* raise shards\.pairs"):
        list(plan_shards(counts, settings(1, 1000)))
    counts = [RangeCount(RangeId(0, 0), [ChunkCount(ChunkId(0, 0, 0), 100_000, 1)])]
    assert sum(1 for _ in plan_shards(counts, settings(1, 1000))) == 100_000
