from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.ground import commit_rows
from pipeline.ground.commit_rows import CommitRows
from pipeline.ids import RangeId
from pipeline.stages.base import DetectionsStage
from pipeline.tables.detections import open_detections
from pipeline.tables.table import Table
from tests.pipeline.builders import PROVENANCE
from transforms.records import Chunk, FailureStage, Fault, Pair, Reason


def test_the_timing_of_a_chunk_is_there_before_the_summary_of_its_range(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a worker that is killed between them leaves an unfinished timing where `ground` does not search for it."""
    table = open_detections(str(tmp_path / "detections"))
    step = commit_rows._CommitDoFn(CommitRows(table, DetectionsStage(), PROVENANCE))
    step.setup()
    pairs = (Pair("k", "s", 0, "a dog"),)
    finished: list[bool] = []

    def noted(*_: object) -> None:
        finished.append(table.is_finished(RangeId(0, 0)))

    monkeypatch.setattr(Table, "note_timing", noted)
    for chunk in (Chunk(0, 0, 0, pairs, rows=pairs), Chunk(0, 0, 1, closes_range=True)):
        list(step.process(chunk))
    assert finished == [False]
    assert table.is_finished(RangeId(0, 0))


def test_what_a_step_commits_is_counted_once_for_the_page_of_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: Counter[str] = Counter()

    def counter(namespace: str, name: str) -> SimpleNamespace:
        return SimpleNamespace(inc=lambda number: counted.update({f"{namespace}/{name}": number}))

    monkeypatch.setattr(commit_rows.Metrics, "counter", counter)
    step = commit_rows._CommitDoFn(
        CommitRows(open_detections(str(tmp_path / "detections")), DetectionsStage(), PROVENANCE)
    )
    step.setup()
    pairs = tuple(Pair(f"k{number}", "s", number, "a dog") for number in range(3))
    rows = (pairs[0].failed(Fault(FailureStage.IMAGE, Reason.CRASH)), *pairs[1:])
    closing = Chunk(0, 0, 1, closes_range=True, faults=("cut",))
    for _ in range(2):  # an engine may process a range twice
        for chunk in (Chunk(0, 0, 0, pairs, rows=rows), closing):
            assert len(list(step.process(chunk))) == 1
    of = "gritmill.detections"
    assert counted == {f"{of}/chunks": 1, f"{of}/pairs": 3, f"{of}/failed_rows": 1, f"{of}/source_faults": 1}
