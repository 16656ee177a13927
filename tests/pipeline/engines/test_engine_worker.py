"""`gritmill-worker`: what it refuses, what it tells the engine, and how fast it ends."""

import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import time
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import grpc
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import (
    beam_fn_api_pb2,
    beam_fn_api_pb2_grpc,
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
    beam_runner_api_pb2,
)
from google.protobuf.struct_pb2 import Struct

from pipeline.engines import engine_worker, lasting_faults, submission
from pipeline.engines.versions import installed
from pipeline.faults import EnvironmentFault
from pipeline.files import lease as leases
from pipeline.files.holder import this_process
from pipeline.files.lease import LeaseFile, take
from pipeline.files.typed import publish_typed, read_typed

ROOT = Path(__file__).resolve().parents[3]


def job(folder: Path, **changes: str) -> Struct:
    """The options of a job on a run folder, as an engine hands them to workers. changes: of versions."""
    content = LeaseFile("run", "ground", "FlinkRunner", "job", "", 0.0, this_process())
    options = PipelineOptions([])
    submission.announce(options, take(str(folder), content), "ground")
    sent = options.get_all_options(drop_default=True)
    if changes:
        sent["gritmill_versions"] = json.dumps(asdict(replace(installed(), **changes)))
    struct = Struct()
    struct.update({f"beam:option:{name}:v1": value for name, value in sent.items()})
    return struct


def info(options: Struct, *staged: str) -> beam_provision_api_pb2.ProvisionInfo:
    dependencies = [
        beam_runner_api_pb2.ArtifactInformation(
            role_payload=beam_runner_api_pb2.ArtifactStagingToRolePayload(staged_name=name).SerializeToString()
        )
        for name in staged
    ]
    return beam_provision_api_pb2.ProvisionInfo(pipeline_options=options, dependencies=dependencies)


def refusal(job_info: beam_provision_api_pb2.ProvisionInfo, *checks: engine_worker.Check) -> str:
    with pytest.raises(EnvironmentFault) as raised:
        engine_worker.refuse(job_info, checks)
    return str(raised.value)


def test_a_job_of_the_same_versions_is_accepted(tmp_path):
    seen = []
    engine_worker.refuse(info(job(tmp_path), "submission_environment_dependencies.txt"), [seen.append])
    assert [(run.lease.run_id, run.step, run.lease.folder) for run in seen] == [("run", "ground", str(tmp_path))]
    assert lasting_faults.read(str(tmp_path), "run") == ""


def test_another_version_is_refused_and_the_run_folder_says_so(tmp_path):
    cause = f"gritmill {installed().gritmill} here, 9.9 in the driver; install the same versions"
    assert refusal(info(job(tmp_path, gritmill="9.9"))) == cause
    assert lasting_faults.read(str(tmp_path), "run") == f"worker on {socket.gethostname()}: {cause}"


def test_a_job_of_another_program_is_refused():
    assert refusal(info(Struct())).startswith("the driver is not gritmill ")


@pytest.mark.parametrize("name", ["pickled_main_session", "requirements.txt", "workflow.tar.gz"])
def test_a_job_that_brings_packages_is_refused(tmp_path, name):
    told = refusal(info(job(tmp_path), "submission_environment_dependencies.txt", name))
    assert told.startswith(f"the job brings {name}, and gritmill-worker fetches nothing")


def test_an_output_that_the_worker_does_not_see_is_refused_and_nothing_is_written(tmp_path):
    options = job(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    assert refusal(info(options)).startswith(f"--output {tmp_path}/out: not there, or not the folder that the driver")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_the_same_name_on_another_disk_is_not_the_output(tmp_path):
    options = job(tmp_path)
    lease = tmp_path / "lease" / "000001.json"
    publish_typed(str(lease), replace(read_typed(str(lease), LeaseFile), run="another"))
    assert "--output" in refusal(info(options))
    assert not (tmp_path / "faults").exists()


def test_a_job_whose_lease_was_revoked_is_not_refused(tmp_path):
    """Its steps end without output. A refusal would make the engine try again."""
    options = job(tmp_path)
    job(tmp_path)
    engine_worker.refuse(info(options))


def test_a_check_of_the_job_is_a_lasting_fault(tmp_path):
    def check(run: object) -> None:
        raise EnvironmentFault("detector.model: /m: not there")

    assert refusal(info(job(tmp_path)), check) == "detector.model: /m: not there"
    assert lasting_faults.read(str(tmp_path), "run").endswith(": detector.model: /m: not there")


def test_an_error_of_a_check_is_one_line(tmp_path):
    def check(run: object) -> None:
        raise PermissionError(13, "Permission denied", "/m")

    assert refusal(info(job(tmp_path)), check) == "PermissionError: [Errno 13] Permission denied: '/m'"


@pytest.mark.parametrize("place", ["lease", "check"])
def test_a_store_that_does_not_answer_is_no_lasting_fault(tmp_path, monkeypatch, place):
    def check(*_: object) -> None:
        raise ConnectionError("503 Slow Down")

    options = job(tmp_path)
    if place == "lease":
        monkeypatch.setattr(leases, "find_typed", check)
    with pytest.raises(ConnectionError, match="503"):
        engine_worker.refuse(info(options), [check])
    assert not (tmp_path / "faults").exists()


def test_a_worker_lists_no_leases_if_it_sees_its_own(tmp_path, monkeypatch):
    """A listing of a network disk may be half a minute old."""
    options = job(tmp_path)
    monkeypatch.setattr(leases, "_numbers", lambda _: pytest.fail("listed"))
    engine_worker.refuse(info(options))


def test_a_check_that_fails_for_now_ends_the_worker_and_the_engine_logs_why(tmp_path):
    options = job(tmp_path)
    (tmp_path / "lease" / "000001.json").unlink()
    (tmp_path / "lease" / "000001.json").mkdir()  # reading it fails with neither "not there" nor "not allowed"
    with engine(options) as one, started(one) as process:
        line = f"worker on {socket.gethostname()}: IsADirectoryError: "
        assert any(message.startswith(line) for message in iter(lambda: one.logged.get(timeout=120), ""))
        assert process.wait(60) == 1
    assert not (tmp_path / "faults").exists()


def test_the_environment_is_that_of_beams_boot(tmp_path):
    asked = info(job(tmp_path))
    asked.control_endpoint.url, asked.logging_endpoint.url = "localhost:1", "localhost:2"
    asked.runner_capabilities.append("beam:protocol:control_response_elements_embedding:v1")
    environment = engine_worker.environment_of(Namespace(id="1-1"), asked)
    assert environment["WORKER_ID"] == "1-1"
    assert environment["CONTROL_API_SERVICE_DESCRIPTOR"] == 'url: "localhost:1"\n'
    assert environment["LOGGING_API_SERVICE_DESCRIPTOR"] == 'url: "localhost:2"\n'
    assert environment["RUNNER_CAPABILITIES"] == "beam:protocol:control_response_elements_embedding:v1"
    assert "SEMI_PERSISTENT_DIRECTORY" not in environment
    assert "beam:option:gritmill_run:v1" in json.loads(environment["PIPELINE_OPTIONS"])


def test_without_an_engine_one_line_says_what_starts_it():
    command = [sys.executable, "-c", "from gritmill.worker import main; main()"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("gritmill-worker: an engine starts this command: --environment_type=PROCESS")
    assert done.stderr.count("\n") == 1


class Engine(
    beam_fn_api_pb2_grpc.BeamFnControlServicer,
    beam_fn_api_pb2_grpc.BeamFnLoggingServicer,
    beam_fn_api_pb2_grpc.BeamFnDataServicer,
    beam_provision_api_pb2_grpc.ProvisionServiceServicer,
):
    """An engine on one port: tells a worker about its job, sends requests, and keeps what comes back."""

    def __init__(self, options: Struct) -> None:
        self.options = options
        self.url = ""
        self.requests: queue.Queue[beam_fn_api_pb2.InstructionRequest | None] = queue.Queue()
        self.responses: queue.Queue[beam_fn_api_pb2.InstructionResponse] = queue.Queue()
        self.connected: queue.Queue[str] = queue.Queue()
        self.with_data: queue.Queue[str] = queue.Queue()
        self.logged: queue.Queue[str] = queue.Queue()

    def GetProvisionInfo(self, request, context):
        asked = info(self.options)
        asked.control_endpoint.url = asked.logging_endpoint.url = self.url
        return beam_provision_api_pb2.GetProvisionInfoResponse(info=asked)

    def GetProcessBundleDescriptor(self, request, context):
        port = beam_fn_api_pb2.RemoteGrpcPort()
        port.api_service_descriptor.url = self.url
        spec = beam_runner_api_pb2.FunctionSpec(urn="beam:runner:source:v1", payload=port.SerializeToString())
        source = beam_runner_api_pb2.PTransform(spec=spec)
        return beam_fn_api_pb2.ProcessBundleDescriptor(id="1", transforms={"source": source})

    def Data(self, elements, context):
        self.with_data.put(dict(context.invocation_metadata())["worker_id"])
        yield from ()

    def Logging(self, entries, context):
        for entry in entries:
            for one in entry.log_entries:
                self.logged.put(one.message)
        yield from ()

    def Control(self, responses, context):
        self.connected.put(dict(context.invocation_metadata())["worker_id"])
        pool = ThreadPoolExecutor(1)
        pool.submit(lambda: [self.responses.put(one) for one in responses])
        yield from iter(self.requests.get, None)


@contextmanager
def engine(options: Struct):
    with ThreadPoolExecutor(8) as pool:
        server, one = grpc.server(pool), Engine(options)
        beam_fn_api_pb2_grpc.add_BeamFnControlServicer_to_server(one, server)
        beam_fn_api_pb2_grpc.add_BeamFnDataServicer_to_server(one, server)
        beam_fn_api_pb2_grpc.add_BeamFnLoggingServicer_to_server(one, server)
        beam_provision_api_pb2_grpc.add_ProvisionServiceServicer_to_server(one, server)
        one.url = f"localhost:{server.add_insecure_port('localhost:0')}"
        server.start()
        try:
            yield one
        finally:
            one.requests.put(None)
            server.stop(0).wait()


@contextmanager
def worker(one: Engine):
    """A worker that is connected to the engine."""
    with started(one) as process:
        assert one.connected.get(timeout=120) == "1-1"
        yield process


@contextmanager
def started(one: Engine):
    """A worker that was started."""
    code = "from gritmill.worker import main; main()"
    command = [sys.executable, "-P", "-c", code, "--id=1-1", f"--provision_endpoint={one.url}"]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_refusal_reaches_the_engine_and_the_end_of_its_connection_ends_the_worker(tmp_path):
    with engine(job(tmp_path, beam="1.0")) as one, worker(one) as process:
        bundle = beam_fn_api_pb2.ProcessBundleRequest(process_bundle_descriptor_id="1")
        one.requests.put(beam_fn_api_pb2.InstructionRequest(instruction_id="7", process_bundle=bundle))
        response = one.responses.get(timeout=60)
        line = f"worker on {socket.gethostname()}: Beam {installed().beam} here, 1.0 in the driver"
        assert response.instruction_id == "7"
        assert one.with_data.get(timeout=60) == "1-1"  # Flink reads no answer before it has this connection
        assert response.error == f"pipeline.faults.EnvironmentFault: {line}; install the same versions\n"
        assert lasting_faults.read(str(tmp_path), "run").startswith(line)
        assert any(message.startswith(line) for message in iter(lambda: one.logged.get(timeout=60), ""))
        one.requests.put(None)
        assert process.wait(60) == 0


@pytest.mark.slow
def test_sigterm_ends_a_worker_at_once(tmp_path):
    with engine(job(tmp_path)) as one, worker(one) as process:
        started = time.monotonic()
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
        assert time.monotonic() - started < 5  # a thread pool of Beam would wait for its bundles


@pytest.mark.slow
def test_an_engine_that_dies_ends_its_workers(tmp_path):
    with engine(job(tmp_path)) as one, worker(one) as process:
        one.requests.put(None)
        assert process.wait(60) == 0
