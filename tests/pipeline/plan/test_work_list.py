"""The list of ranges that a graph processes; steps that an engine computes again give the same."""

import os
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline import files
from pipeline.faults import EnvironmentFault, PermissionFault, WorkerDied
from pipeline.files.guards import guarded
from pipeline.ground import graph as ground_graph
from pipeline.ids import RangeId
from pipeline.pack import graph as pack_graph
from pipeline.pack.count import count_range
from pipeline.pack.duplicates import hash_range
from pipeline.plan.plan import write_plan
from pipeline.plan.work_list import Work, read_work, work_list
from pipeline.tables.detections import open_detections
from tests.pipeline import builders
from tests.pipeline.pack.test_count import POLICY, RAW
from transforms.records import Chunk

FIRST, SECOND = RangeId(0, 0), RangeId(1, 0)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """The detections of two sources: one chunk of each is committed, and the first range is finished."""
    sources = [tmp_path / f"{name}.tar" for name in "ab"]
    for source in sources:
        builders.stored(source, builders.tar(builders.samples(2)))
    folder = str(tmp_path / "detections")
    write_plan(folder, builders.plan(sources))
    for range_id in (FIRST, SECOND):
        builders.commit(folder, Chunk(range_id.source, 0, 0, (builders.grounded(RAW),)))
    open_detections(folder).finish(FIRST, 1, [])
    return folder


def finish_second(folder: str) -> None:
    builders.commit(folder, Chunk(1, 0, 1, (builders.grounded(RAW),)))
    open_detections(folder).finish(SECOND, 2, [])


def test_a_list_is_removed_also_if_workers_in_this_process_may_write_no_more(tmp_path: Path) -> None:
    with ExitStack() as worker, work_list(str(tmp_path), [Work(FIRST)]):
        worker.enter_context(guarded(str(tmp_path), lambda: False))
    assert not list(tmp_path.iterdir())


def test_a_list_exists_as_long_as_the_graph(tmp_path: Path) -> None:
    with work_list(str(tmp_path), [Work(FIRST), Work(SECOND, 3)]) as uri:
        assert read_work(uri) == [Work(FIRST), Work(SECOND, 3)]
        shutil.copy(uri, tmp_path / ".gritmill.work-of-a-run-that-was-killed.json")
        with work_list(str(tmp_path / "other"), []) as other:
            assert read_work(other) == []
    with work_list(str(tmp_path), []):
        assert len(list(tmp_path.glob(".gritmill.work-*"))) == 1
    assert not files.list_folder(str(tmp_path), "**")
    with pytest.raises(EnvironmentFault, match="is missing: this worker does not see the folder"):
        read_work(uri)


def test_what_ended_the_run_is_worth_more_than_the_removal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WorkerDied), work_list(str(tmp_path), []):  # noqa: PT012
        monkeypatch.setattr(files, "delete", refused)
        raise WorkerDied("a worker was killed")
    with pytest.raises(PermissionFault), work_list(str(tmp_path / "other"), []):
        monkeypatch.setattr(files, "delete", refused)


def refused(uris: object) -> None:
    raise PermissionFault("no permission to delete")


def test_the_ranges_stay_although_some_are_finished(folder: str) -> None:
    with work_list(folder, [Work(SECOND)]) as uri:
        assert list(ground_graph.ranges_of(uri)) == [SECOND]
        finish_second(folder)
        assert list(ground_graph.ranges_of(uri)) == [SECOND]


def test_a_partial_pack_counts_the_same_although_more_is_committed(folder: str) -> None:
    with work_list(folder, [Work(FIRST), Work(SECOND, 1)]) as uri:
        items = list(pack_graph.ranges_of(uri, folder))
        before = _counted(items, folder)
        finish_second(folder)
        assert list(pack_graph.ranges_of(uri, folder)) == items
        assert _counted(items, folder) == before
        assert count_range(folder, SECOND, None, POLICY)[0].read == 2


def _counted(items: list[pack_graph.RangeItem], folder: str) -> object:
    counts = [count_range(folder, work.range_id, work.chunks, POLICY)[0] for work, _, _ in items]
    return counts, [list(hash_range(folder, work.range_id, work.chunks)) for work, _, _ in items]


@pytest.mark.parametrize("fresh", [False, True])
def test_what_this_pack_has_written_is_not_stale(tmp_path: Path, fresh: bool) -> None:
    """`PlanShards` removes what others wrote, and may be computed again when all is written."""
    out, shards = str(tmp_path), tmp_path / "shards"
    shards.mkdir()
    for name in ("manifest.json", "shards/00000_stats.json"):
        (tmp_path / name).write_text("old")
    [old] = files.list_folder(out, "manifest.json")
    stale = pack_graph.Stale(fresh, old.stamp)
    found = {f"{out}/shards/00000_stats.json": "old"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pack_graph, "shard_fingerprints", lambda *_, **__: dict(found))
        pack_graph._remove_stale(out, "new", stale)
        assert not files.list_folder(out, "**")
        for name in ("manifest.json", "shards/00000_stats.json"):
            (tmp_path / name).write_text("new")
        os.utime(tmp_path / "manifest.json", (old.stamp + 1, old.stamp + 1))
        found = {f"{out}/shards/00000_stats.json": "new"}
        pack_graph._remove_stale(out, "new", stale)
    assert [files.name(info.uri) for info in files.list_folder(out, "**")] == ["manifest.json", "00000_stats.json"]
