from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.engines import heartbeat
from pipeline.faults import EnvironmentFault
from pipeline.files import lease as leases
from pipeline.files.lease import Lease, nobody, take
from pipeline.files.publish import publish_bytes
from pipeline.ground.attempts import AttemptLog
from pipeline.ground.read_chunks import _ReadChunksDoFn
from pipeline.ids import RangeId
from pipeline.tables.detections import open_detections


def reader(folder: Path, lease: Lease | None) -> _ReadChunksDoFn:
    detections = open_detections(f"{folder}/detections")
    made = _ReadChunksDoFn({"detections": detections}, AttemptLog(detections.uri), lease)
    made.setup()
    return made


def test_a_reader_whose_run_was_taken_over_asks_for_no_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run has changed the folder. An engine repeats a `setup` that raises."""
    lease = take(str(tmp_path), replace(nobody(), run=tmp_path.name))
    heartbeat.of_worker(lease).stop()
    monkeypatch.setattr(leases, "GOOD_SECONDS", 60.0)
    assert not lease.is_revoked(now=True)
    publish_bytes(f"{tmp_path}/detections/plan.json", b"of a later release")
    take(str(tmp_path), nobody())  # this process does not know it yet
    assert list(reader(tmp_path, lease).process(RangeId(0, 0))) == []


def test_a_plan_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="detections: the plan is not there any more; run the same command"):
        list(reader(tmp_path, None).process(RangeId(0, 0)))
