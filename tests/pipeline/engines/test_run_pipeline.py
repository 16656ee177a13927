import gc
import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import pytest

from pipeline.configuration import EngineSettings
from pipeline.engines import lasting_faults, run_pipeline, watch
from pipeline.engines.beam_options import parse_beam_options
from pipeline.engines.claim import Claim
from pipeline.engines.remote import RemoteEngine
from pipeline.engines.run_pipeline import run
from pipeline.faults import CallError, EnvironmentFault
from pipeline.files.lease import nobody
from pipeline.files.publish import publish_bytes
from pipeline.files.run_log import RunLog
from tests import once
from transforms import garbage


def write(uri: str) -> None:
    publish_bytes(uri, b"done")


def fail(uri: str) -> None:
    raise EnvironmentFault(f"{uri}: the disk is full")


def stumble(uri: str) -> None:
    raise PermissionError(13, "Permission denied", uri)


def test_a_pipeline_runs_to_its_end(tmp_path: Path) -> None:
    uri = str(tmp_path / "a")
    run(lambda pipeline: pipeline | beam.Create([uri]) | beam.Map(write), parse_beam_options([]))
    assert (tmp_path / "a").read_bytes() == b"done"


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_imported_is_frozen_while_a_pipeline_runs_and_no_longer(
    fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage, "_own", False)  # tests of the command have made this process its own
    during = []

    def build(pipeline: beam.Pipeline) -> object:
        during.append((gc.get_freeze_count(), gc.get_threshold()))
        if fails:
            raise EnvironmentFault("no")
        return pipeline | beam.Create([1])

    before = gc.get_threshold()
    with once.thawed():
        with pytest.raises(EnvironmentFault) if fails else nullcontext():
            run(build, parse_beam_options([]))
        ((frozen, threshold),) = during
        assert frozen > 10_000
        assert threshold == (garbage.COLLECT_AFTER, *before[1:])
        assert (gc.get_freeze_count(), gc.get_threshold()) == (0, before)


def test_the_reason_of_a_failure_is_one_line() -> None:
    with pytest.raises(EnvironmentFault) as failed:
        run(lambda pipeline: pipeline | beam.Create(["/data"]) | beam.Map(fail), parse_beam_options([]))
    assert str(failed.value) == "/data: the disk is full"
    with pytest.raises(EnvironmentFault) as failed:
        run(lambda pipeline: pipeline | beam.Create(["/data"]) | beam.Map(stumble), parse_beam_options([]))
    assert str(failed.value) == "/data: Permission denied"


def test_a_fault_of_ours_while_building_keeps_its_status() -> None:
    def build(pipeline: beam.Pipeline) -> None:
        raise CallError("--input: nothing there")

    with pytest.raises(CallError, match=r"^--input: nothing there$"):
        run(build, parse_beam_options([]))


class Job:
    """A pipeline, and its job on an engine that tries again and again: it ends when it is cancelled, or after the
    seconds, with the error of the engine."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.cancelled = threading.Event()
        self._seconds = seconds

    def run(self) -> "Job":
        return self

    def wait_until_finish(self) -> None:
        if not self.cancelled.wait(self._seconds):
            raise RuntimeError("Pipeline failed in state FAILED: java.lang.Exception: Process died with exit code 127")

    def cancel(self) -> None:
        self.cancelled.set()


@pytest.mark.parametrize("first", ["watch", "engine"])
def test_what_a_worker_cannot_do_ends_the_call_and_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    job = Job(60.0 if first == "watch" else 0.0)
    monkeypatch.setattr(run_pipeline, "_pipeline", lambda _: job)
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.01 if first == "watch" else 60.0)
    folder, line = str(tmp_path), "worker on host7: no module named mine"
    claim = Claim(folder, replace(nobody(), run=tmp_path.name), RunLog(folder), EngineSettings(), print)
    claim.take()
    with pytest.raises(EnvironmentFault) as failed:
        run(lambda _: lasting_faults.write(folder, claim.run_id, line), parse_beam_options([]), claim)
    claim.stop()
    assert (str(failed.value), failed.value.status) == (line, 3)
    assert job.cancelled.is_set()
    assert claim.lease
    assert claim.lease.is_revoked(now=True)


def test_an_error_of_the_engine_is_told_with_what_the_driver_knows_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_pipeline, "_pipeline", lambda _: Job())
    engine = RemoteEngine("Spark", "spark://master:7077", "gritmill-1f", (), command="/opt/gritmill-worker")
    line = "^the worker command /opt/gritmill-worker ended with status 127 on a worker's machine of Spark at spark://master"
    with pytest.raises(EnvironmentFault, match=line):
        run(lambda _: None, parse_beam_options([]), engine=engine)
