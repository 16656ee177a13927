import io
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import files
from pipeline.ids import ChunkId, RangeId
from pipeline.tables.detections import open_detections
from pipeline.tables.pair_rows import SCHEMA, from_table, read_pairs, to_row
from pipeline.tables.row_files import decode, encode
from tests import fake_object_store
from tests.pipeline.builders import PROVENANCE, commit
from transforms.records import (
    Box,
    Chunk,
    Claim,
    ClaimKind,
    Drop,
    Dropped,
    FailureStage,
    Fault,
    ImageRef,
    Pair,
    Phrase,
    Reason,
)

PAIR = Pair(
    key="d/0001",
    source="s3://data/ä.tar",
    index=1 << 40,
    caption="ein Hündchen 🎩\nwith a hat",
    image=ImageRef("s3://data/ä.tar", -1, 1 << 41, 1 << 33, "00ff"),
    url="http://x/1",
    id="12",
    meta='{"n":1}',
    width=640,
    height=480,
    phrases=(Phrase(0, 5, 2, 5, 0, 14), Phrase(9, 14, 11, 14, 9, 14)),
    dropped=(Dropped(1, 2, Drop.PRONOUN), Dropped(3, 4, Drop.TOO_LONG)),
    claims=(
        Claim(ClaimKind.COUNT, 0, 3, 0, 5, "at_least", 1),
        Claim(ClaimKind.RELATION, 6, 8, 0, 5, "between", 0, True, (9, 14, 1, 2)),
        Claim(ClaimKind.RANK, 6, 8, 0, 5, "from_left", 2),
    ),
    boxes=(Box(0, 0.0, 0.25, 0.5, 1.0, 0.875), Box(1, 0.125, 0.25, 0.5, 0.75, 0.0625)),
    boxes_cut=7,
)


def chunk_of(*pairs: Pair, number: int = 0, following: dict[str, object] | None = None) -> Chunk:
    return Chunk(3, 14, number, pairs, following, seconds={"read": 1.5})


@pytest.fixture(params=["local", "shelf"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    fake_object_store.use(tmp_path)
    return str(tmp_path / "out/detections") if request.param == "local" else "shelf://out/detections"


@pytest.mark.parametrize(
    "pair",
    [
        PAIR,
        Pair("k", "/data/a.tar", 0, ""),
        replace(PAIR, image=ImageRef("/data/a.parquet", 7, 0, 3, "ab", "images.0")),
        replace(PAIR, phrases=(), boxes=()),
        *(PAIR.failed(Fault(stage, Reason.EXCEPTION, "ValueError: ä")) for stage in FailureStage),
        *(PAIR.failed(Fault(FailureStage.READ, reason)) for reason in Reason),
        *(replace(PAIR, dropped=(Dropped(0, 1, reason),)) for reason in Drop),
        *(replace(PAIR, claims=(Claim(kind, 0, 1, 0, 1, "on"),)) for kind in ClaimKind),
    ],
)
def test_every_field_comes_back(tmp_path: Path, pair: Pair) -> None:
    commit(str(tmp_path), chunk_of(pair, PAIR))
    read = list(read_pairs(open_detections(str(tmp_path)), ChunkId(3, 14, 0)))
    assert read == [pair, PAIR]
    assert all(isinstance(p.error.reason, Reason) for p in read if p.error)


def test_the_bytes_of_an_image_are_never_written(tmp_path: Path) -> None:
    commit(str(tmp_path), chunk_of(replace(PAIR, data=b"picture bytes")))
    assert list(read_pairs(open_detections(str(tmp_path)), ChunkId(3, 14, 0))) == [PAIR]
    assert all(b"picture bytes" not in path.read_bytes() for path in tmp_path.rglob("*.parquet"))


def test_the_columns_are_the_contract() -> None:
    wanted = (
        "key source index image_uri image_row image_offset image_length image_digest caption width height phrases "
        "dropped claims boxes error meta"
    )
    assert set(wanted.split()) <= set(SCHEMA.names)
    fields = {
        "phrases": ["start", "end", "head_start", "head_end", "expression_start", "expression_end"],
        "dropped": ["start", "end", "reason"],
        "claims": [
            "kind",
            "words_start",
            "words_end",
            "subject_start",
            "subject_end",
            "predicate",
            "number",
            "negated",
            "objects",
        ],
        "boxes": ["phrase", "x1", "y1", "x2", "y2", "score"],
    }
    for name, parts in fields.items():
        assert [field.name for field in SCHEMA.field(name).type.value_type] == parts
    assert [field.name for field in SCHEMA.field("error").type] == ["stage", "reason", "detail"]


def test_a_column_that_an_earlier_release_did_not_know_holds_its_default() -> None:
    failed = PAIR.failed(Fault(FailureStage.BOXES, Reason.EXCEPTION))
    table = decode(encode([to_row(PAIR), to_row(failed)], SCHEMA, {}), SCHEMA)
    target = io.BytesIO()
    pq.write_table(table.drop_columns(["image_part", "dropped", "claims", "boxes_cut", "error"]), target)
    earlier = decode(target.getvalue(), SCHEMA)
    assert earlier.schema == SCHEMA
    assert list(from_table(earlier)) == [
        replace(pair, dropped=(), claims=(), boxes_cut=0, error=None) for pair in (PAIR, failed)
    ]


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    first = chunk_of(
        PAIR, PAIR.failed(Fault(FailureStage.BOXES, Reason.EXCEPTION)), following={"offset": 7, "index": 2}
    )
    for name, chunk in (("a", first), ("b", replace(first, seconds={"read": 9.0, "boxes": 3.0}))):
        commit(str(tmp_path / name), chunk)
    where = "00003/00014-00000.parquet"
    assert (tmp_path / "a" / where).read_bytes() == (tmp_path / "b" / where).read_bytes()


def test_a_file_says_how_it_was_made_and_where_the_next_one_starts(folder: str) -> None:
    following = {"offset": 1 << 40, "index": 2}
    commit(folder, chunk_of(PAIR, following=following))
    about = open_detections(folder).open(ChunkId(3, 14, 0)).metadata
    assert about["next"] == following
    assert (about["format"], about["fingerprint"], about["models"]) == (
        4,
        PROVENANCE.fingerprint,
        PROVENANCE.model_identities,
    )
    assert about["made"] == {"precision": "float32", "batch": 4}
    metadata = pq.read_schema(io.BytesIO(files.read_bytes(f"{folder}/00003/00014-00000.parquet"))).metadata
    assert b"fingerprint" in metadata[b"gritmill"]


def test_times_lie_apart(folder: str) -> None:
    open_detections(folder).note_timing(ChunkId(3, 14, 0), 2, None, {"read": 1.5}, None)
    timings = files.read_json(f"{folder}/timings/00003/00014-00000.json")
    assert (timings["pairs"], timings["seconds"]) == (2, {"read": 1.5})


def test_a_chunk_of_no_pairs(tmp_path: Path) -> None:
    commit(str(tmp_path), chunk_of())
    assert list(read_pairs(open_detections(str(tmp_path)), ChunkId(3, 14, 0))) == []


def test_a_chunk_that_is_committed_twice_is_there_once(folder: str) -> None:
    for _ in range(2):
        commit(folder, chunk_of(PAIR))
    assert open_detections(folder).committed_chunks(RangeId(3, 14)) == [ChunkId(3, 14, 0)]


def test_committed_chunks_come_in_order_and_of_their_range_only(folder: str) -> None:
    for number in (2, 0, 4, 1):  # chunks after a gap do not count as committed
        commit(folder, chunk_of(PAIR, number=number))
    for other in (Chunk(3, 1, 0, (PAIR,)), Chunk(3, 140, 0, (PAIR,)), Chunk(14, 3, 0, (PAIR,)), Chunk(3, 100_014, 0)):
        commit(folder, other)
    assert [chunk.number for chunk in open_detections(folder).committed_chunks(RangeId(3, 14))] == [0, 1, 2]
    assert open_detections(folder).committed_chunks(RangeId(3, 2)) == []
    assert open_detections(folder).all_chunks()[:2] == [ChunkId(3, 1, 0), ChunkId(3, 14, 0)]
    assert len(open_detections(folder).all_chunks()) == 8


def test_a_finished_range_lists_its_chunks_rows_and_faults(folder: str) -> None:
    identity = RangeId(3, 14)
    assert open_detections(folder).finished_ranges() == set()
    commit(folder, chunk_of(PAIR, PAIR))
    commit(folder, chunk_of(PAIR, number=1))
    assert open_detections(folder).finished_ranges() == set()
    open_detections(folder).finish(identity, 2, ["cut or broken at byte 7"])
    done = open_detections(folder).read_summary(identity)
    assert [(chunk.chunk, chunk.rows) for chunk in done.chunks] == [(0, 2), (1, 1)]
    assert len({chunk.digest for chunk in done.chunks}) == 2
    assert (done.rows, done.faults) == (3, ("cut or broken at byte 7",))
    assert open_detections(folder).finished_ranges() == {identity}
    assert open_detections(folder).all_chunks() == [ChunkId(3, 14, 0), ChunkId(3, 14, 1)]


def test_a_finished_range_without_chunks(folder: str) -> None:
    open_detections(folder).finish(RangeId(0, 0), 0, [])
    assert open_detections(folder).read_summary(RangeId(0, 0)).rows == 0
    assert open_detections(folder).finished_ranges() == {RangeId(0, 0)}


def test_unfinished_files_are_no_chunks(tmp_path: Path) -> None:
    for name in (".tmp-1-00014-00000.parquet", "00014-00000.parquet.part", "00014.done.json~", "notes.parquet"):
        (tmp_path / "00003").mkdir(exist_ok=True)
        (tmp_path / "00003" / name).write_bytes(b"")
    assert open_detections(str(tmp_path)).committed_chunks(RangeId(3, 14)) == []
    assert open_detections(str(tmp_path)).all_chunks() == []
    assert open_detections(str(tmp_path)).finished_ranges() == set()


def test_nothing_is_committed_where_there_is_nothing(folder: str) -> None:
    assert open_detections(folder).committed_chunks(RangeId(0, 0)) == []
    assert open_detections(folder).all_chunks() == []
    assert open_detections(folder).finished_ranges() == set()


def test_a_folder_with_brackets_in_its_name(tmp_path: Path) -> None:
    folder = str(tmp_path / "run [1]/detections")
    commit(folder, chunk_of(PAIR))
    open_detections(folder).finish(RangeId(3, 14), 1, [])
    assert open_detections(folder).read_summary(RangeId(3, 14)).rows == 1
    assert open_detections(folder).all_chunks() == [ChunkId(3, 14, 0)]
    assert open_detections(folder).finished_ranges() == {RangeId(3, 14)}
