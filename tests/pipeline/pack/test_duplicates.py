from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ids import RangeId
from pipeline.pack.count import count_range
from pipeline.pack.duplicates import BUCKETS, find_duplicates, hash_range, rows_of
from pipeline.pack.plan_shards import plan_shards
from pipeline.tables.detections import open_detections
from tests.pipeline.builders import CAPTION, commit, configuration, grounded
from transforms.images import bytes_digest
from transforms.records import Chunk, FailureStage, Fault, ImageRef, Pair, Reason
from transforms.selection.judge import Policy
from transforms.settings import SelectionSettings, TextSettings

POLICY = Policy(SelectionSettings(), 0.5, TextSettings(), True)


def pair(image: int, words: str = "") -> Pair:
    """A pair that is kept. image: the digest."""
    ref = ImageRef("/data/a.tar", -1, 512, 10, f"{image:016x}")
    return grounded(Pair(f"k{image}", "/data/a.tar", 0, f"{CAPTION}{words}", ref, width=8, height=6))


def duplicates(folder: str, *ranges: RangeId) -> dict[RangeId, list[int]]:
    """The duplicates of these ranges, found bucket by bucket as the graph does it; the ranges arrive in this order."""
    buckets: dict[int, list[tuple[tuple[int, int], bytes]]] = {}
    for range_id in ranges:
        for bucket, part in hash_range(folder, range_id, len(open_detections(folder).committed_chunks(range_id))):
            buckets.setdefault(bucket, []).append(part)
    found: dict[RangeId, list[bytes]] = {range_id: [] for range_id in ranges}
    for parts in buckets.values():
        for (source, number), rows in find_duplicates(parts):
            found[RangeId(source, number)].append(rows)
    return {range_id: rows_of(parts) for range_id, parts in found.items()}


def test_the_first_pair_in_plan_order_stays_wherever_the_others_are(tmp_path: Path) -> None:
    folder = str(tmp_path)
    commit(folder, Chunk(0, 0, 0, (pair(1), pair(2), pair(1))))
    commit(folder, Chunk(0, 0, 1, (pair(2), pair(3))))
    commit(folder, Chunk(0, 1, 0, (pair(4), pair(3))))
    commit(folder, Chunk(2, 0, 0, (pair(4), pair(5))))
    ranges = [RangeId(0, 0), RangeId(0, 1), RangeId(2, 0)]
    expected = {ranges[0]: [2, 3], ranges[1]: [1], ranges[2]: [0]}
    assert duplicates(folder, *ranges) == expected
    assert duplicates(folder, *reversed(ranges)) == expected
    assert duplicates(folder, *ranges[:2]) == {ranges[0]: [2, 3], ranges[1]: [1]}  # as before --extend


def test_both_the_image_and_the_caption_must_be_equal(tmp_path: Path) -> None:
    commit(tmp_path, Chunk(0, 0, 0, (pair(1), pair(1, " "), pair(2), pair(1, " outside"), pair(1 + BUCKETS))))
    assert duplicates(str(tmp_path), RangeId(0, 0)) == {RangeId(0, 0): []}


def test_pairs_that_are_not_in_the_data_anyway_keep_their_own_reasons(tmp_path: Path) -> None:
    good = pair(1)
    others = (
        good.failed(Fault(FailureStage.BOXES, Reason.CRASH)),
        replace(good, filtered="min_side"),
        good,
        replace(good, caption=" "),
        replace(good, caption=" "),
        replace(good, image=ImageRef()),
    )
    commit(tmp_path, Chunk(0, 0, 0, (*others, good)))
    assert duplicates(str(tmp_path), RangeId(0, 0)) == {RangeId(0, 0): [6]}


def test_the_longer_digests_of_old_releases_are_compared_by_their_last_64_bits(tmp_path: Path) -> None:
    first, second, third = (bytes_digest(data) for data in (b"one", b"two", b"three"))
    assert len(first) == 32
    digests = [int(digest, 16) for digest in (first, second, first, third, second)]
    commit(tmp_path, Chunk(0, 0, 0, (*map(pair, digests), pair(3), pair(digests[0], " outside"))))
    assert duplicates(str(tmp_path), RangeId(0, 0)) == {RangeId(0, 0): [2, 4]}


def test_a_range_without_pairs_has_none(tmp_path: Path) -> None:
    open_detections(str(tmp_path)).finish(RangeId(0, 0), 0, [])
    assert list(hash_range(str(tmp_path), RangeId(0, 0), None)) == []
    assert rows_of([]) == []


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 200), max_size=40), st.integers(1, 12))
def test_neither_ranges_nor_buckets_change_what_is_found(
    tmp_path_factory: pytest.TempPathFactory, images: list[int], length: int
) -> None:
    folder = str(tmp_path_factory.mktemp("rows"))
    ranges = []
    for number, start in enumerate(range(0, len(images), length)):
        commit(folder, Chunk(0, number, 0, tuple(map(pair, images[start : start + length]))))
        ranges.append(RangeId(0, number))
    found = duplicates(folder, *ranges)
    rows = [range_id.range * length + row for range_id, rows in found.items() for row in rows]
    assert rows == [number for number, image in enumerate(images) if image in images[:number]]


def test_duplicates_are_counted_and_left_out_of_statistics_and_shards(tmp_path: Path) -> None:
    commit(tmp_path, Chunk(0, 0, 0, (pair(1), pair(1), pair(2))))
    commit(tmp_path, Chunk(0, 0, 1, (pair(2), pair(2), pair(3))))
    count, statistics = count_range(str(tmp_path), RangeId(0, 0), 2, POLICY, duplicates=[1, 3, 4])
    assert (count.read, count.rejected) == (6, {"duplicate": 3})
    assert count.rejected_examples == {"duplicate": f"k1 of /data/a.tar: {CAPTION!r}"}
    assert [(chunk.kept, chunk.bytes, chunk.duplicates) for chunk in count.chunks] == [(2, 20, (1,)), (1, 10, (0, 1))]
    assert sum(statistics.pairs.values()) == 3
    [shard] = plan_shards([count], configuration().shards)
    assert [(piece.first, piece.last, piece.duplicates) for piece in shard.pieces] == [(0, 2, (1,)), (0, 1, (0, 1))]
