from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.ground import commit_rows
from pipeline.ground.commit_rows import CommitRows
from pipeline.stages.base import DetectionsStage
from pipeline.tables.detections import open_detections
from tests.pipeline.builders import PROVENANCE
from transforms.records import Chunk, FailureStage, Fault, Pair, Reason


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
