"""What killed runs leave is removed, and folders that have nothing of it are not searched."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import files, layout
from pipeline.files.publish import publish_bytes
from pipeline.ids import ChunkId, RangeId
from pipeline.tables.detections import open_detections
from pipeline.tables.sweep import sweep_for_ground, sweep_for_pack
from pipeline.tables.table import list_tables
from tests import fake_object_store

PLACES = (
    ".",
    "shards",
    "00000",
    "detections",
    "detections/working",
    "detections/00000",
    "detections/timings/00000",
    "detections/timings/00001",
    "masks/00000",
    "masks/timings/00000",
)
ROWS = {place for place in PLACES if place.startswith(("detections/0", "detections/t", "masks"))}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with an unfinished file in each place, and a complete one of a similar name."""
    run = tmp_path / "run"
    for place in PLACES:
        (run / place).mkdir(parents=True, exist_ok=True)
        for name in (".gritmill-tmp-1-a.json", "gritmill-tmp-1-a.json"):
            (run / place / name).write_bytes(b"half")
    (run / "detections/plan.json").touch()
    (run / "masks/table.json").touch()
    return run


def left(run: Path) -> set[str]:
    """The places that still have their unfinished file. All have the other one."""
    assert len(list(run.rglob("gritmill-tmp-*"))) == len(PLACES)
    return {path.parent.relative_to(run).as_posix() for path in run.rglob(".gritmill-tmp-*")}


def searched(run: Path, sweep: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The folders that a sweep lists."""
    found, scandir = set(), os.scandir

    def noted(path: str) -> Any:
        found.add(os.path.relpath(path, run))
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", noted)
        sweep()
    return found


@pytest.mark.parametrize(
    ("unfinished", "not_searched"),
    [
        (None, {"detections/00000"}),
        ([RangeId(0, 0), RangeId(1, 0)], {"detections/00000"}),
        ([RangeId(1, 0), RangeId(1, 7)], {"detections/00000", "detections/timings/00000"}),
        ([], {"detections/00000", "detections/timings", "detections/timings/00000", "detections/timings/00001"}),
    ],
)
def test_ground_searches_timings_only_of_unfinished_ranges(
    run: Path, unfinished: list[RangeId] | None, not_searched: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = {"detections": open_detections(str(run / "detections"))}
    ranges = None if unfinished is None else {"detections": unfinished}
    found = searched(run, lambda: sweep_for_ground(str(run), tables, ranges), monkeypatch)
    assert {*PLACES, "detections/timings", "masks", "masks/timings"} - found == not_searched
    assert left(run) == not_searched & set(PLACES)
    list_tables(tables, sweep=True)
    assert "detections/00000" not in left(run)


def test_ground_searches_all_timings_if_an_engine_may_have_finished_the_ranges_of_a_killed_worker(run: Path) -> None:
    (run / "lease").mkdir()
    sweep_for_ground(str(run), {"detections": open_detections(str(run / "detections"))}, {"detections": []})
    assert left(run) == {"detections/00000"}


def test_pack_searches_no_rows_and_timings_of_tables(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = searched(run, lambda: sweep_for_pack(str(run)), monkeypatch)
    assert {*PLACES, "masks"} - found == left(run) == ROWS


def test_a_link_to_timings_of_another_run_is_not_followed(run: Path) -> None:
    (run / "detections/timings").rename(run.parent / "others")
    (run / "detections/timings").symlink_to(run.parent / "others")
    sweep_for_ground(
        str(run), {"detections": open_detections(str(run / "detections"))}, {"detections": [RangeId(0, 0)]}
    )
    assert len(list((run.parent / "others").rglob(".gritmill-tmp-*"))) == 2


@pytest.mark.parametrize("place", ["local", "shelf"])
def test_until_then_nobody_takes_them_for_files_of_a_run(tmp_path: Path, place: str) -> None:
    """As after a `ground` that was killed, if `pack --partial` or a reader comes next."""
    fake_object_store.use(tmp_path)
    folder = str(tmp_path / "out") if place == "local" else "shelf://out"
    kinds = {
        layout.ALL_CHUNKS: layout.chunk(ChunkId(0, 0, 0)),
        layout.ALL_RANGE_SUMMARIES: layout.range_summary(RangeId(0, 0)),
        layout.ALL_TIMINGS: layout.timing(ChunkId(0, 0, 0)),
        layout.ALL_WORKING: layout.working(ChunkId(0, 0, 0)),
        layout.ALL_SHARD_STATS: layout.shard_stats(0),
    }
    for path in kinds.values():
        above, name = path.rsplit("/", 1)
        publish_bytes(f"{folder}/{path}", b"whole")
        publish_bytes(f"{folder}/{above}/{layout.TEMPORARY}1-{name}", b"half")
    for pattern, path in kinds.items():
        assert [info.uri for info in files.list_folder(folder, pattern)] == [f"{folder}/{path}"]
