import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, groupby, pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.configuration import ChunkSettings
from pipeline.ground.chunks import cut_chunks, read_range, resume_position
from pipeline.ground.load_images import PositionedPair
from pipeline.ids import ChunkId, RangeId
from pipeline.plan.plan import Plan
from pipeline.tables.detections import open_detections
from pipeline.tables.pair_rows import read_pairs
from tests.pipeline.builders import commit, image, plan, samples, stored, tar
from transforms.records import Chunk, ImageRef, Pair

FIRST = RangeId(0, 0)


def placed(captions_and_bytes: list[tuple[int, int]]) -> list[PositionedPair]:
    """Builds pairs from (captions, bytes) of images. 0 captions mean one failed pair without an image."""
    made: list[PositionedPair] = []
    for number, (captions, size) in enumerate(captions_and_bytes):
        for _ in range(captions or 1):
            ref = ImageRef(f"/{number}.jpg", length=size) if captions else ImageRef()
            made.append(({"index": len(made)}, Pair(str(len(made)), "s", len(made), "c", ref)))
    return made


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=25), st.integers(1, 6), st.integers(1, 20))
def test_chunks_lose_nothing_keep_limits_and_are_the_same_from_every_next(
    table: list[tuple[int, int]], most: int, size: int
) -> None:
    pairs = placed(table)
    settings = ChunkSettings.model_validate({"pairs": most, "bytes": size})
    chunks = list(cut_chunks(pairs, settings))
    assert [pair for run, _ in chunks for pair in run] == [pair for _, pair in pairs]
    assert all(0 < len(run) <= most for run, _ in chunks)
    for run, _ in chunks:
        pictures = [group for group, _ in groupby(run, key=lambda pair: pair.image)]
        assert sum(picture.length for picture in pictures) <= size or len({p.uri for p in pictures if p.uri}) == 1
    for (before, following), (after, _) in pairwise(chunks):
        assert following == {"index": after[0].index}
        same = bool(after[0].image.uri) and before[-1].image == after[0].image
        assert not same or table[int(after[0].image.uri[1:-4])][0] > most
    assert not chunks or chunks[-1][1] is None
    for number, (_, following) in enumerate(chunks):
        if following is not None:
            assert list(cut_chunks(pairs[following["index"] :], settings)) == chunks[number + 1 :]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9)), max_size=25), st.integers(3, 6), st.integers(1, 20))
def test_a_chunk_is_as_full_as_its_limits_allow(table: list[tuple[int, int]], most: int, size: int) -> None:
    settings = ChunkSettings.model_validate({"pairs": most, "bytes": size})
    for (before, _), (after, _) in pairwise(list(cut_chunks(placed(table), settings))):
        captions, length = table[int(after[0].image.uri[1:-4])]
        bytes_before = sum(picture.length for picture, _ in groupby(before, key=lambda pair: pair.image))
        assert len(before) + captions > most or bytes_before + length > size


def test_captions_of_one_image_stay_together_if_a_filter_rejects_some_of_them() -> None:
    """The image of a rejected pair is not measured, and its bytes do not count."""
    pairs = placed([(1, 5), (3, 5), (1, 5)])
    position, pair = pairs[2]
    pairs[2] = position, replace(pair, filtered="min_words", image=ImageRef("/1.jpg"))
    chunks = [[pair.key for pair in run] for run, _ in cut_chunks(pairs, ChunkSettings(pairs=3))]
    assert chunks == [["0"], ["1", "2", "3"], ["4"]]
    every = [(position, replace(pair, filtered="min_words")) for position, pair in pairs]
    assert len(list(cut_chunks(every, ChunkSettings.model_validate({"bytes": 1})))) == 1


def without_times(chunks: Iterator[Chunk]) -> list[Chunk]:
    return [replace(chunk, seconds={}) for chunk in chunks]


def chunks_of(made: Plan, identity: RangeId, folder: str) -> Iterator[Chunk]:
    """Yields the remaining chunks of a range, for a run that only writes detections."""
    return read_range(made, identity, {"detections": open_detections(folder)}, {})


def commit_all(made: Plan, identity: RangeId, folder: str, most: int = 1000) -> int:
    """Reads the remaining chunks and commits at most `most`. Returns how many were committed."""
    for number, chunk in enumerate(chunks_of(made, identity, folder)):
        if number == most:
            return number
        if chunk.closes_range:
            open_detections(folder).finish(identity, chunk.number, chunk.faults)
            return number
        # Positions are stored as JSON.
        commit(folder, replace(chunk, next_position=json.loads(json.dumps(chunk.next_position))))
    raise AssertionError("no end")


def tar_plan(tmp_path: Path) -> Plan:
    stored(tmp_path / "a.tar", tar(samples(11)))
    return plan([tmp_path / "a.tar"], chunk={"pairs": 3})


def packed_plan(tmp_path: Path) -> Plan:
    stored(tmp_path / "a.tar", tar(samples(11), packed=True))
    return plan([tmp_path / "a.tar"], chunk={"pairs": 3})


def table_plan(tmp_path: Path) -> Plan:
    stored(tmp_path / "1.png", image())
    rows = [{"image": f"{i % 3}.png", "caption": [f"c{i}{n}" for n in range(i % 6)]} for i in range(12)]
    stored(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return plan([tmp_path / "a.jsonl"], chunk={"pairs": 3})


def parquet_plan(tmp_path: Path) -> Plan:
    captions = [[f"c{i}{n}" for n in range(i % 6)] for i in range(12)]
    table = pa.table({"image": [image(i) for i in range(12)], "caption": captions})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=5)
    return plan([tmp_path / "a.parquet"], chunk={"pairs": 3})


@pytest.mark.parametrize("make", [tar_plan, packed_plan, table_plan, parquet_plan])
def test_a_range_goes_on_from_every_committed_chunk(tmp_path: Path, make: Any) -> None:
    made = make(tmp_path)
    for identity in made.range_ids():
        whole = without_times(chunks_of(made, identity, str(tmp_path / "none")))
        *chunks, end = whole
        assert end == Chunk(identity.source, identity.range, len(chunks), closes_range=True)
        assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
        assert len(chunks) > 1
        for number in range(len(chunks) + 1):
            folder = str(tmp_path / f"out{identity.range}-{number}")
            assert commit_all(made, identity, folder, number) == number
            assert without_times(chunks_of(made, identity, folder)) == whole[number:]


@pytest.mark.parametrize("make", [tar_plan, table_plan, parquet_plan])
def test_ranges_together_hold_every_pair_once(tmp_path: Path, make: Any) -> None:
    made = make(tmp_path)
    chunks = chain.from_iterable(chunks_of(made, identity, str(tmp_path / "none")) for identity in made.range_ids())
    pairs = [pair for chunk in chunks for pair in chunk.pairs]
    reader = made.sources[0].open(made.configuration.source)
    assert [pair.caption for pair in pairs] == [p.caption for _, p in reader.read(made.sources[0].ranges[0].start)]
    assert [pair.index for pair in pairs] == list(range(len(pairs)))


def test_reading_twice_commits_the_same_bytes(tmp_path: Path) -> None:
    made = table_plan(tmp_path)
    for name, steps in (("a", [1000]), ("b", [1] * 20)):
        for most in steps:
            for identity in made.range_ids():
                commit_all(made, identity, str(tmp_path / name), most)
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in sorted(folder.glob("0*/*"))}
        for folder in (tmp_path / "a", tmp_path / "b")
    )
    assert first == second
    assert len(first) > 4


@pytest.mark.parametrize("good", [5, 6])
def test_a_fault_at_the_end_of_a_range_survives_a_restart(tmp_path: Path, good: int) -> None:
    members = samples(good + 1)
    # Cut inside a .json: the samples before it are complete, and the cut one is a failed pair.
    stored(tmp_path / "a.tar", tar(members)[: len(tar(members[: 3 * good + 1], ended=False)) + 600])
    made = plan([tmp_path / "a.tar"], chunk={"pairs": 3})
    *chunks, end = chunks_of(made, FIRST, str(tmp_path / "none"))
    assert sum(len(chunk.pairs) for chunk in chunks) == good + 1
    [fault] = end.faults
    assert "truncated or damaged" in fault
    for most in range(len(chunks) + 1):
        folder = str(tmp_path / f"out{most}")
        commit_all(made, FIRST, folder, most)
        assert open_detections(folder).finished_ranges() == set()
        commit_all(made, FIRST, folder)
        done = open_detections(folder).read_summary(FIRST)
        assert (done.rows, done.faults) == (good + 1, (fault,))


def test_a_fault_before_the_first_pair(tmp_path: Path) -> None:
    stored(tmp_path / "a.tar", tar([("notes.cls", b"x" * 900)])[:900])
    made = plan([tmp_path / "a.tar"])
    [end] = chunks_of(made, FIRST, str(tmp_path / "none"))
    assert end.closes_range
    assert len(end.faults) == 1


def test_where_a_range_goes_on(tmp_path: Path) -> None:
    made = tar_plan(tmp_path)
    folder = str(tmp_path / "out")
    assert resume_position(made, FIRST, open_detections(folder)) == ({"offset": 0, "index": 0}, 0)
    commit_all(made, FIRST, folder, 2)
    position, number = resume_position(made, FIRST, open_detections(folder))
    assert number == 2
    assert position is not None
    assert position["index"] == 6
    commit_all(made, FIRST, folder)
    assert resume_position(made, FIRST, open_detections(folder)) == (None, 4)
    assert open_detections(folder).open(ChunkId(0, 0, 3)).metadata["next"] is None


def test_a_cut_image_does_not_end_a_chunk_early(tmp_path: Path) -> None:
    stored(tmp_path / "1.png", image())
    stored(tmp_path / "a.jsonl", "".join(f'{{"image": "{name}", "caption": "c"}}\n' for name in ["1.png", "no"] * 4))
    made = plan([tmp_path / "a.jsonl"], chunk={"pairs": 3})
    chunks = [chunk for chunk in chunks_of(made, FIRST, str(tmp_path / "none")) if not chunk.closes_range]
    assert [len(chunk.pairs) for chunk in chunks] == [3, 3, 2]


def test_text_of_another_encoding_can_be_committed(tmp_path: Path) -> None:
    stored(tmp_path / "1.png", image())
    rows = (
        b"image,caption,note\n1.png,a dog,n\ncaf\xe9.png,a dog,n\n1.png,caf\xe9,n\n1.png,a dog,caf\xe9\n1.png,a hat,n\n"
    )
    stored(tmp_path / "a.csv", rows)
    made = plan([tmp_path / "a.csv"])
    commit_all(made, FIRST, str(tmp_path / "out"))
    read = list(read_pairs(open_detections(str(tmp_path / "out")), ChunkId(0, 0, 0)))
    assert len(read) == 5
    assert [read[0].error, read[4].error] == [None, None]
    assert all(pair.error for pair in read[1:3])
