"""What a command asks a remote engine, and when; and a run on Beam's job service, in this process."""

import os
import pickle
import shutil
import sys

import pytest
from apache_beam.runners.portability.local_job_service import LocalJobServicer

import gritmill
from pipeline.engines import remote
from pipeline.engines.remote import RemoteEngine
from pipeline.faults import CallError
from pipeline.ground import graph
from tests import sample_pairs
from tests.flink_server import closed_port

MIDDLE = "tests.plugin_detectors:factory"


@pytest.fixture(scope="module")
def finished(tmp_path_factory, parser):
    """Configuration, input and output of a finished run."""
    folder = tmp_path_factory.mktemp("finished")
    config = sample_pairs.settings(parser, MIDDLE)
    pattern = sample_pairs.as_tars(sample_pairs.drawn(4), folder / "in")
    gritmill.run(config, inputs=[pattern], output=folder / "out")
    return config, pattern, folder / "out"


@pytest.fixture
def gone():
    """Beam's options of a cluster that is not there."""
    with closed_port() as address:
        yield ["--runner=FlinkRunner", f"--flink_master={address}", "--job_server_java_launcher=/bin/sh"]


@pytest.fixture
def job_service(tmp_path):
    """Beam's options of its job service in Python. The workers are threads of the driver. No request, and no job, takes
    longer than a minute."""
    service = LocalJobServicer(staging_dir=str(tmp_path / "staging"))
    port = service.start_grpc_server(0)
    yield [
        *("--runner=PortableRunner", f"--job_endpoint=localhost:{port}", "--environment_type=LOOPBACK"),
        "--job_server_timeout=300",
    ]
    service.stop()


def test_beams_job_service_gives_the_bytes_of_the_local_engine(tmp_path, finished, job_service):
    config, pattern, here = finished
    limits = {"engine": {"start_minutes": 1, "stall_minutes": 1}}
    gritmill.run(config | limits, inputs=[pattern], output=tmp_path / "out", beam=job_service)
    names = ("detections/0*/*", "shards/*", "manifest.json", "statistics.json")
    there = sample_pairs.files_of(tmp_path / "out", *names)
    assert len(there) > 4
    assert there == sample_pairs.files_of(here, *names)
    assert not {"heartbeats", "faults"} & {path.name for path in (tmp_path / "out").iterdir()}


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_remote_engine_that_is_not_there_is_told_before_anything_is_written(tmp_path, finished, gone):
    config, pattern, _ = finished
    with pytest.raises(CallError, match="nobody answers there"):
        gritmill.run(config, inputs=[pattern], output=tmp_path / "out", beam=gone)
    assert not content(tmp_path)


def test_a_finished_run_needs_no_engine(tmp_path, finished, gone):
    config, pattern, out = finished
    shutil.copytree(out, tmp_path / "out")
    manifest = gritmill.run(config, inputs=[pattern], output=tmp_path / "out", beam=gone)
    assert manifest["ledger"]["written"] == 4
    assert not (tmp_path / "out" / "lease").exists()


def test_a_half_finished_run_and_a_pack_lose_nothing_if_the_engine_is_gone(tmp_path, finished, gone):
    config, pattern, out = finished
    shutil.copytree(out, tmp_path / "out")
    next((tmp_path / "out" / "detections").rglob("*.done.json")).unlink()
    before = content(tmp_path)
    with pytest.raises(CallError, match="nobody answers there"):
        gritmill.run(config, inputs=[pattern], output=tmp_path / "out", beam=gone)
    with pytest.raises(CallError, match="nobody answers there"):
        gritmill.pack(config, output=tmp_path / "two", detections=out, fresh=True, beam=gone)
    after = content(tmp_path)
    logs = {path for path in after if path.name == "run.log"}
    assert {path: data for path, data in after.items() if path not in logs} == {
        path: data for path, data in before.items() if path not in logs
    }


class Submitted(Exception):
    """In place of a job."""


@pytest.mark.parametrize("engine", [["--runner=FlinkRunner", "--flink_master=flink:8081"], []])
def test_the_driver_finds_user_code_in_its_working_directory_and_sends_it_to_local_workers_only(
    tmp_path, finished, monkeypatch, engine
):
    config, pattern, _ = finished
    home = tmp_path / "working-directory"
    home.mkdir()
    module = f"code_in_{'the_' * bool(engine)}working_directory"
    (home / f"{module}.py").write_text("from tests.plugin_detectors import factory as detector\n")
    (home / f"{module}_too.py").write_text("from tests.plugin_stages import brightness as stage\n")
    monkeypatch.chdir(home)
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setattr(
        remote, "connect", lambda beam, run_id: RemoteEngine("Flink", "", "job", beam) if beam else None
    )
    sent = []

    def run(plan, stages, tables, listings, provenance, options):
        sent.extend(stages)
        assert bool(options.engine) == bool(engine)
        raise Submitted

    monkeypatch.setattr(graph, "run", run)
    own = {
        "detector": {**config["detector"], "model": f"{module}:detector"},
        "stages": {"factories": [f"{module}_too:stage"]},
    }
    with pytest.raises(Submitted):
        gritmill.ground({**config, **own}, inputs=[pattern], output=tmp_path / "out", beam=engine)
    assert [stage.name for stage in sent] == ["phrases", "boxes", "brightness"]
    assert [os.getcwd().encode() in pickle.dumps(stage) for stage in sent] == [False, not engine, not engine]
