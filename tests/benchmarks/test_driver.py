"""The driver of a run of 300 sources: how often it lists and reads what is there."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.driver import FakeRun
from pipeline import files
from pipeline.faults import EnvironmentFault
from pipeline.files import typed
from pipeline.ground.progress import GroundProgress
from pipeline.ids import RangeId
from pipeline.pack.driver import rows_by_range
from pipeline.plan.plan import Plan, read_plan, write_plan
from pipeline.tables.detections import open_detections
from pipeline.tables.table import list_tables
from tests.pipeline import builders

SOURCES = 300
PAIRS = 7_000
"""Of each source, in four chunks."""


@pytest.fixture
def run(tmp_path: Path) -> FakeRun:
    """A run of which half of the sources are done."""
    run = FakeRun(tmp_path)
    run.write_sources(SOURCES)
    write_plan(str(tmp_path / "out/detections"), builders.plan(sorted((tmp_path / "in").iterdir())))
    run.finish(range(SOURCES // 2))
    return run


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts listings and, by URI, the files that are read."""
    counts = Counter[str]()

    def count(name: Callable[[Any], str], function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            counts[name(arguments)] += 1
            return function(*arguments)

        return call

    for name in ("list_folder", "iter_folders", "list_tree"):
        monkeypatch.setattr(files, name, count(lambda _: "listings", getattr(files, name)))
    monkeypatch.setattr(typed, "read_bytes", count(lambda arguments: files.name(files.parent(arguments[0])), read))
    return counts


def read(uri: str) -> bytes:
    return Path(uri).read_bytes()


def planned(folder: Path) -> tuple[Plan, dict[str, Any]]:
    plan = read_plan(str(folder / "out/detections"))
    assert plan is not None
    return plan, {"detections": open_detections(str(folder / "out/detections"))}


def test_a_look_is_one_listing_and_no_summary_is_read_twice(run: FakeRun, tmp_path: Path, asked: Counter[str]) -> None:
    plan, tables = planned(tmp_path)
    progress = GroundProgress(plan, tables, list_tables(tables))
    asked.clear()
    state = progress.state()
    assert (state.done, state.earlier, state.share) == (150 * PAIRS, 150 * PAIRS, 0.5)
    assert asked == Counter({f"{source:05}": 1 for source in range(150)} | {"listings": 1})
    asked.clear()
    assert progress.state().done == 150 * PAIRS
    assert asked == {"listings": 1}
    run.finish(range(150, 155))
    asked.clear()
    assert progress.state().done == 155 * PAIRS
    assert len(list(progress.news())) == 5
    assert asked == Counter({f"{source:05}": 1 for source in range(150, 155)} | {"listings": 1})


def test_chunks_in_work_are_read_once_and_do_not_count_twice(run: FakeRun, tmp_path: Path, asked: Counter[str]) -> None:
    plan, tables = planned(tmp_path)
    summary = Path(tables["detections"].summary_uri(RangeId(149, 0)))
    content = summary.read_bytes()
    summary.unlink()
    progress = GroundProgress(plan, tables, list_tables(tables))
    asked.clear()
    assert progress.state().done == 150 * PAIRS
    assert (asked["00149"], asked["listings"]) == (4, 1)  # the timings of its chunks
    summary.write_bytes(content)
    asked.clear()
    assert progress.state().done == 150 * PAIRS
    assert asked == {"listings": 1, "00149": 1}


def test_a_first_look_that_fails_counts_nothing_twice(
    run: FakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, tables = planned(tmp_path)
    Path(tables["detections"].summary_uri(RangeId(149, 0))).unlink()
    progress = GroundProgress(plan, tables, list_tables(tables))
    with monkeypatch.context() as failing:
        failing.setattr("pipeline.ground.progress.read_typed", None)  # so the rows are read, which are empty files
        with pytest.raises(EnvironmentFault):
            progress.state()
    state = progress.state()
    assert (state.done, state.earlier, state.share) == (150 * PAIRS, 150 * PAIRS, 0.5)


def test_a_reopened_range_has_its_chunks_back(run: FakeRun, tmp_path: Path) -> None:
    _, tables = planned(tmp_path)
    (table,) = tables.values()
    listing = list_tables(tables)["detections"]
    assert listing == replace(table.listing(), chunks={})
    again = table.reopen([RangeId(7, 0), RangeId(200, 0)], listing)
    assert listing.finished - again.finished == {RangeId(7, 0)}
    assert sorted(again.chunks) == [RangeId(7, 0).chunk(number) for number in range(4)]


def test_pack_reads_each_summary_once(run: FakeRun, tmp_path: Path, asked: Counter[str]) -> None:
    run.finish(range(150, SOURCES))
    plan, tables = planned(tmp_path)
    table = tables["detections"]
    asked.clear()
    rows = rows_by_range(plan, table, table.finished_ranges())
    assert sum(row.pairs for row in rows) == SOURCES * PAIRS
    assert asked == Counter(
        {f"{source:05}": 1 for source in range(SOURCES)} | {"listings": 1, "decoys": 1}
    )  # the table of decoys may be there


def test_the_graph_needs_no_torch_until_a_model_is_loaded() -> None:
    code = "import sys, pipeline.ground.graph; print('torch' in sys.modules, 'spacy' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["False", "False"]
