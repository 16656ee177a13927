from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import layout
from pipeline.files.typed import read_typed
from pipeline.ids import ChunkId
from pipeline.pack.manifest import read_manifest
from pipeline.plan.plan import read_plan
from pipeline.tables.range_summary import RangeSummary

RELEASED = Path(__file__).resolve().parents[1] / "data/released/finished"


def test_every_file_of_a_run_has_its_name_from_the_layout() -> None:
    table = RELEASED / layout.DETECTIONS
    plan, manifest = read_plan(str(table)), read_manifest(str(RELEASED))
    assert plan is not None
    assert manifest is not None
    names = {layout.LOCK, layout.STATISTICS, layout.MANIFEST, layout.REPORT, layout.REPORT_PAGE}
    for number, shard in enumerate(manifest.shards):
        assert (shard.tar, shard.index) == (layout.shard_tar(number), layout.shard_index(number))
        names |= {shard.tar, shard.index, layout.shard_stats(number)}
    inside = {layout.PLAN, layout.MODEL_CACHE}
    for range_id in plan.range_ids():
        summary = layout.range_summary(range_id)
        assert layout.range_of(f"/{summary}") == range_id
        inside.add(summary)
        for entry in read_typed(str(table / summary), RangeSummary).chunks:
            chunk = ChunkId(range_id.source, range_id.range, entry.chunk)
            assert layout.chunk_of(f"/{layout.chunk(chunk)}") == chunk
            inside |= {layout.chunk(chunk), layout.timing(chunk)}
    names |= {f"{layout.DETECTIONS}/{name}" for name in inside}
    assert {str(path.relative_to(RELEASED)) for path in RELEASED.rglob("*") if path.is_file()} == names
    others = {layout.LOCK, layout.REPORT_PAGE, f"{layout.DETECTIONS}/{layout.MODEL_CACHE}"}
    assert {name for name in names if not layout.looks_like_source(name)} == others


def test_the_layout_lists_no_path_twice() -> None:
    paths = [line.split("  ")[0] for line in (layout.__doc__ or "").split("\n    ")[1:]]
    assert layout.LOCK in paths
    assert sorted(paths) == sorted(set(paths))


def test_a_file_that_is_no_chunk_and_no_summary_is_neither() -> None:
    for name in ("/00000/00000-00001.parquet.gone", "/00000/.gritmill-tmp-1-00000-00000.parquet", "/00000/a.done.json"):
        assert layout.chunk_of(name) is None
        assert layout.range_of(name) is None


@pytest.mark.parametrize(
    ("belongs", "name"),
    [
        (layout.chunk_of, "/00000/00000-00001.parquet"),
        (layout.range_of, "/00000/00000.done.json"),
        (layout.is_timing, "/timings/00000/00000-00001.json"),
        (layout.shard_of, "/00009.tar"),
        (layout.shard_of, "/00009_stats.json"),
    ],
)
def test_a_name_that_ends_with_a_line_break_is_not_ours(belongs: Callable[[str], object], name: str) -> None:
    assert belongs(name)
    assert not belongs(name + "\n")


@pytest.mark.parametrize("sources", [0, 1, 1_000, 1_001, 12_345, 100_000, 123_456])
def test_each_source_has_one_start(sources: int) -> None:
    starts = layout.source_starts(sources)
    assert starts == sorted(set(starts))
    assert {layout.source_folder(number)[:2] for number in range(sources)} <= set(starts)
    assert len(starts) <= max(1, min(-(-sources // 1_000), 100))


def test_only_chunks_of_finished_ranges_are_needless() -> None:
    finished = ["00000-00000.parquet", "00000-00001.parquet"]
    others = ["00001-00000.parquet", "00000.done.json", "000000-00000.parquet", "00000.near.json", "00000-00002.txt"]
    others += ["00001.old.done.json", "._00001.done.json"]  # copies
    assert layout.chunks_of_finished([*others, *finished]) == set(finished)
