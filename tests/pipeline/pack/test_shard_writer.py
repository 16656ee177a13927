import hashlib
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.faults import EnvironmentFault
from pipeline.ids import ChunkId
from pipeline.pack.plan_shards import Piece, ShardPlan
from pipeline.pack.shard_stats import finished_stats
from pipeline.pack.shard_writer import ShardWriter
from pipeline.plan.plan import PlannedSource, write_plan
from tests import fake_object_store
from tests.pipeline.builders import CAPTION, commit, grounded, image, plan, stored
from transforms import images
from transforms.grit_record import COLUMNS, index_schema
from transforms.records import Chunk, Claim, ClaimKind, FailureStage, Fault, ImageRef, Pair, Reason
from transforms.selection.judge import Policy
from transforms.settings import SelectionSettings, TextSettings

PLAN = ShardPlan(7, (Piece(ChunkId(0, 0, 0), 1, 4), Piece(ChunkId(0, 0, 1), 0, 2)))
"""All kept pairs of the two chunks below except the first and the last."""


def pair(folder: Path, index: int, data: bytes | None = None) -> Pair:
    """Returns a pair that is kept. Its image is a separate file."""
    data = image(index, "JPEG") if data is None else data
    uri = str(folder / f"images/{index}")
    stored(Path(uri), data)
    ref = ImageRef(uri, -1, 0, len(data), images.image_digest(data))
    raw = Pair(f"key {index}", "/data/ä.jsonl", index, f"{CAPTION} {index} 🎩", ref, b"", "http://x", str(index))
    return grounded(replace(raw, meta='{"n":1}', width=8, height=6))


def writer(folder: Path, output: str | None = None, fingerprint: str = "a mark", **text: Any) -> ShardWriter:
    policy = Policy(SelectionSettings(), 0.5, TextSettings.model_validate(text))
    planned = replace(plan([]), sources=(PlannedSource("/data/ä.jsonl", "jsonl", 0, 0.0),))
    write_plan(str(folder / "detections"), planned)
    return ShardWriter(str(folder / "detections"), output or str(folder / "out"), fingerprint, policy)


def committed(folder: Path, pairs: list[Pair] | None = None) -> list[Pair]:
    """Commits two chunks. The third pair of the first chunk is not kept."""
    pairs = pairs or [pair(folder, i) for i in range(7)]
    bad = Pair("bad", "/data/ä.jsonl", 99, CAPTION).failed(Fault(FailureStage.READ, Reason.NO_IMAGE))
    for number, part in enumerate([[*pairs[:2], bad, *pairs[2:4]], pairs[4:]]):
        commit(str(folder / "detections"), Chunk(0, 0, number, tuple(part)))
    return pairs


def contents(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as file:
        return {info.name: file.extractfile(info).read() for info in file}  # type: ignore[union-attr]


def test_a_shard_holds_its_pieces_in_order(tmp_path: Path) -> None:
    pairs = committed(tmp_path)
    stats = writer(tmp_path).write(PLAN)
    shard = contents(tmp_path / "out/shards/00007.tar")
    endings = ("jpg", "json", "txt", "grounded.txt")
    assert list(shard) == [f"00007{i:04}.{ending}" for i in range(5) for ending in endings]
    for i, wanted in enumerate(pairs[1:6]):
        key = f"00007{i:04}"
        record = json.loads(shard[f"{key}.json"])
        assert shard[f"{key}.jpg"] == image(i + 1, "JPEG")
        assert shard[f"{key}.txt"].decode() == record["caption"] == wanted.caption
        assert shard[f"{key}.grounded.txt"].decode().startswith("<grounding><phrase>a dog in a hat</phrase><object>")
        assert tuple(record) == tuple(column.name for column in COLUMNS if column.name != "absent")
        assert (record["key"], record["source_key"], record["id"]) == (key, wanted.key, i + 1)
        assert record["noun_chunks"] == [[0, 5, 0.25, 0.125, 0.75, 0.5, 0.875]]
        assert record["ref_exps"] == [[0, 14, 0.25, 0.125, 0.75, 0.5, 0.875]]
        assert (record["heads"], record["meta"]) == ([[2, 5]], '{"n":1}')
    assert (stats.count, stats.successes, stats.failed, stats.boxes) == (5, 5, {}, 5)


CLAIMS = (
    Claim(ClaimKind.COUNT, 0, 1, 0, 5, "at_least", 1),
    Claim(ClaimKind.COUNT, 0, 1, 0, 5, "exactly", 2),
    Claim(ClaimKind.RELATION, 6, 8, 0, 5, "in", objects=(9, 14)),
)


def test_claims_are_written_with_their_verdicts(tmp_path: Path) -> None:
    committed(tmp_path, [replace(pair(tmp_path, i), claims=CLAIMS[:i]) for i in range(7)])
    writer(tmp_path).write(PLAN)
    shard = contents(tmp_path / "out/shards/00007.tar")
    records = [json.loads(data) for name, data in shard.items() if name.endswith(".json")]
    assert [len(record["claims"]) for record in records] == [1, 2, 3, 3, 3]
    assert [(claim["verdict"], json.loads(claim["measured"])) for claim in records[-1]["claims"]] == [
        ("supported", {"boxes": 1, "groups": 0}),
        ("contradicted", {"boxes": 1, "groups": 0, "at_floor": 1}),
        ("undecided", {}),
    ]
    assert pq.read_table(tmp_path / "out/shards/00007.parquet").to_pylist() == records


def test_a_run_that_reads_no_claims_writes_the_records_of_its_release(tmp_path: Path) -> None:
    committed(tmp_path)
    one = writer(tmp_path)
    sources = (PlannedSource("/data/ä.jsonl", "jsonl", 0, 0.0),)
    write_plan(str(tmp_path / "detections"), replace(plan([], phrases={"claims": False}), sources=sources))
    one.write(PLAN)
    shard = contents(tmp_path / "out/shards/00007.tar")
    names = [column.name for column in COLUMNS if column.name not in ("claims", "absent")]
    assert all([*json.loads(data)] == names for name, data in shard.items() if name.endswith(".json"))
    assert pq.read_table(tmp_path / "out/shards/00007.parquet").schema.names == names


def test_duplicates_are_left_out(tmp_path: Path) -> None:
    pairs = committed(tmp_path)
    pieces = Piece(ChunkId(0, 0, 0), 1, 3, duplicates=(1,)), Piece(ChunkId(0, 0, 1), 0, 1, duplicates=(0, 2))
    stats = writer(tmp_path).write(ShardPlan(7, pieces))
    keys = [row["source_key"] for row in pq.read_table(tmp_path / "out/shards/00007.parquet").to_pylist()]
    assert keys == [pairs[2].key, pairs[3].key, pairs[5].key]
    assert (stats.count, stats.successes) == (3, 3)


def test_stats_name_what_lies_beside_them(tmp_path: Path) -> None:
    committed(tmp_path)
    stats = writer(tmp_path).write(PLAN)
    shards = tmp_path / "out/shards"
    assert sorted(path.name for path in shards.iterdir()) == ["00007.parquet", "00007.tar", "00007_stats.json"]
    data = (shards / "00007.tar").read_bytes()
    assert (stats.bytes, stats.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert stats.index_sha256 == hashlib.sha256((shards / "00007.parquet").read_bytes()).hexdigest()
    assert stats.pack_fingerprint == "a mark"
    assert finished_stats(str(tmp_path / "out"), 7) == stats
    assert finished_stats(str(tmp_path / "out"), 8) is None


def test_the_index_equals_the_records(tmp_path: Path) -> None:
    committed(tmp_path)
    writer(tmp_path).write(PLAN)
    shard = contents(tmp_path / "out/shards/00007.tar")
    table = pq.read_table(tmp_path / "out/shards/00007.parquet")
    assert table.schema.equals(index_schema(absent=False))
    assert table.to_pylist() == [json.loads(data) for name, data in shard.items() if name.endswith(".json")]


def test_the_same_pack_writes_the_same_bytes(tmp_path: Path) -> None:
    committed(tmp_path)
    for name in ("a", "b"):
        writer(tmp_path, str(tmp_path / name)).write(PLAN)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name / "shards").iterdir()} for name in ("a", "b")
    )
    assert first == second


def test_tar_headers_hold_neither_time_nor_person(tmp_path: Path) -> None:
    committed(tmp_path)
    writer(tmp_path).write(PLAN)
    with tarfile.open(tmp_path / "out/shards/00007.tar") as file:
        for info in file:
            assert (info.mtime, info.uid, info.gid, info.mode, info.type) == (0, 0, 0, 0o644, tarfile.REGTYPE)
            assert (info.uname, info.gname) == ("gritmill", "gritmill")
    data = (tmp_path / "out/shards/00007.tar").read_bytes()
    assert len(data) % 10_240 == 0
    assert data[257:265] == b"ustar\x0000"


def test_webdataset_reads_a_shard(tmp_path: Path) -> None:
    import webdataset

    committed(tmp_path)
    writer(tmp_path).write(PLAN)
    read = list(webdataset.WebDataset(str(tmp_path / "out/shards/00007.tar"), shardshuffle=False, empty_check=False))
    assert [sample["__key__"] for sample in read] == [f"00007{i:04}" for i in range(5)]
    assert set(read[0]) >= {"jpg", "json", "txt", "grounded.txt"}
    assert read[0]["jpg"] == image(1, "JPEG")


def test_pictures_that_are_gone_or_changed_leave_a_gap(tmp_path: Path) -> None:
    pairs = committed(tmp_path)
    Path(pairs[2].image.uri).unlink()
    stored(Path(pairs[4].image.uri), image(99, "JPEG"))
    stats = writer(tmp_path).write(PLAN)
    keys = sorted({name.partition(".")[0] for name in contents(tmp_path / "out/shards/00007.tar")})
    assert keys == ["000070000", "000070002", "000070004"]
    assert pq.read_table(tmp_path / "out/shards/00007.parquet").column("key").to_pylist() == keys
    assert (stats.count, stats.successes) == (5, 3)
    assert stats.failed == {"fetch": {"gone": 1, "changed": 1}}


def test_a_shard_whose_pictures_are_all_gone_is_still_a_tar(tmp_path: Path) -> None:
    for each in committed(tmp_path):
        Path(each.image.uri).unlink()
    stats = writer(tmp_path).write(PLAN)
    assert contents(tmp_path / "out/shards/00007.tar") == {}
    assert (stats.successes, stats.failed) == (0, {"fetch": {"gone": 5}})
    assert pq.read_table(tmp_path / "out/shards/00007.parquet").schema.equals(index_schema(absent=False))


def test_only_plain_upright_jpegs_keep_their_bytes(tmp_path: Path) -> None:
    pictures = [
        image(1, "JPEG"),
        image(2, "JPEG"),
        image(3, "PNG"),
        image(4, "PNG", mode="RGBA"),
        image(5, "JPEG", mode="CMYK"),
        image(6, "JPEG", mode="L"),
        image(7, "JPEG"),
    ]
    committed(tmp_path, [pair(tmp_path, i, data) for i, data in enumerate(pictures)])
    writer(tmp_path).write(PLAN)
    shard = contents(tmp_path / "out/shards/00007.tar")
    written = [shard[f"00007{i:04}.jpg"] for i in range(5)]
    assert [new == old for new, old in zip(written, pictures[1:], strict=False)] == [True, False, False, False, True]
    assert all(data.startswith(b"\xff\xd8\xff") for data in written)


def test_a_picture_that_cannot_be_written_fails_alone(tmp_path: Path) -> None:
    # A custom detector may not have decoded the picture, whose header is valid.
    whole = image(3, "PNG", size=(300, 300))
    pictures = [image(i, "JPEG") for i in range(7)]
    pictures[3] = whole[: len(whole) // 2]
    committed(tmp_path, [pair(tmp_path, i, data) for i, data in enumerate(pictures)])
    stats = writer(tmp_path).write(PLAN)
    assert (stats.count, stats.successes) == (5, 4)
    assert sum(pairs for reasons in stats.failed.values() for pairs in reasons.values()) == 1
    assert "000070002.jpg" not in contents(tmp_path / "out/shards/00007.tar")


def test_a_finished_shard_of_this_pack_is_kept_and_of_another_replaced(tmp_path: Path) -> None:
    committed(tmp_path)
    first = writer(tmp_path).write(PLAN)
    for path in (tmp_path / "images").iterdir():
        path.unlink()
    assert writer(tmp_path).write(PLAN) == first
    again = writer(tmp_path, fingerprint="another mark").write(PLAN)
    assert (again.successes, again.pack_fingerprint) == (0, "another mark")
    assert finished_stats(str(tmp_path / "out"), 7) == again


def test_further_dialects_are_members_of_their_own(tmp_path: Path) -> None:
    committed(tmp_path)
    names = ["kosmos2", "kosmos2:training"]
    writer(tmp_path, dialect=names).write(PLAN)
    shard = contents(tmp_path / "out/shards/00007.tar")
    assert [name for name in shard if name.startswith("000070000")] == [
        f"000070000.{ending}" for ending in ("jpg", "json", "txt", "grounded.txt", "kosmos2-training.txt")
    ]


def test_an_interrupted_shard_leaves_nothing_behind(tmp_path: Path) -> None:
    broken = Path(committed(tmp_path)[5].image.uri)
    broken.unlink()
    broken.mkdir()
    with pytest.raises(EnvironmentFault, match="images/5"):
        writer(tmp_path).write(PLAN)
    assert list((tmp_path / "out/shards").iterdir()) == []


def test_on_an_object_store(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path / "shelf")
    committed(tmp_path)
    stats = writer(tmp_path, "shelf://out").write(PLAN)
    names = ["00007.parquet", "00007.tar", "00007_stats.json"]
    assert fake_object_store.objects() == [f"shelf://out/shards/{name}" for name in names]
    assert finished_stats("shelf://out", 7) == stats
    local = writer(tmp_path).write(PLAN)
    assert local == stats
