"""`gritmill-worker`: the worker process of an engine such as Flink or Spark.

An engine starts it with Beam's flags for workers (`--environment_type=PROCESS`); so does a worker pool
(`--container_executable=gritmill-worker`). It asks the engine for the options of the job, refuses a job that it must
not do before it unpickles anything of it, and then is Beam's own worker.

Its output goes nowhere: engines discard it, and a pool never reads it. Logs go to the engine.
"""

import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from pipeline.faults import EnvironmentFault, RunFault, first_line, printable

Check = Callable[[Any], None]
"""Looks at the `Submission` of a job before its graph is unpickled. Raises RunFault to refuse it."""

_ENDPOINTS = ("logging", "artifact", "provision", "control")
_SECONDS = 60.0
_PARENT_SECONDS = 1.0
_LAST_SECONDS = 2.0
_STAGED_ALWAYS = "submission_environment_dependencies.txt"
"""Beam's list of the packages that are installed where the driver runs: no worker needs it."""

_USAGE = (
    "gritmill-worker: an engine starts this command: --environment_type=PROCESS "
    '--environment_config=\'{"command": "/path/to/gritmill-worker"}\', or a worker pool: '
    "python -m apache_beam.runners.worker.worker_pool_main --service_port=50000 "
    "--container_executable=/path/to/gritmill-worker"
)


def main(arguments: Sequence[str] | None = None, checks: Sequence[Check] = ()) -> NoReturn:
    """Works until the engine ends the process or its connection. It then ends within 300 ms: what it has not committed
    by then, another worker does.

    Exit status: 0 if the engine has closed the connection, 1 if the connection failed, 2 for wrong flags, 143 for
    SIGTERM.
    """
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for all processes of a terminal; the engine ends its workers
    flags = _parse(arguments)
    os.environ["WORKER_ID"] = flags.id  # Beam's handler of logs reads it from here
    _watch_parent()
    os.dup2(2, 1)  # a pool never reads what its workers print: a full pipe would stop them
    status = 1
    try:
        _work(flags, checks)
        status = 0
    except BaseException:
        with suppress(Exception):
            traceback.print_exc()
    finally:
        # Not sys.exit: Python would wait for threads that still read, compute and commit.
        os._exit(status)


def _parse(arguments: Sequence[str] | None) -> Namespace:
    """Parses all flags of Beam's `boot`, which containers run."""
    parser = ArgumentParser("gritmill-worker", allow_abbrev=False, usage=_USAGE)
    parser.add_argument("--id", default="")
    parser.add_argument("--semi_persist_dir", help="Accepted and not used: nothing is fetched.")
    for endpoint in _ENDPOINTS:
        parser.add_argument(f"--{endpoint}_endpoint", default="")
    flags = parser.parse_args(arguments)
    if not flags.id or not flags.provision_endpoint:
        print(_USAGE, file=sys.stderr)
        raise SystemExit(2)
    return flags


def _watch_parent() -> None:
    """Ends this process when the one that started it is gone. Until the engine's connection is open, nothing else
    would say so for a minute."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent").start()


def _work(flags: Namespace, checks: Sequence[Check]) -> None:
    from apache_beam.runners.worker import sdk_worker_main  # seconds

    info = _provision(flags)
    environment = environment_of(flags, info)
    refusal, failure = "", None
    try:
        refuse(info, checks)
    except RunFault as fault:
        refusal = f"worker on {socket.gethostname()}: {fault}"
    except Exception as error:
        failure = error
    logs, harness, _ = sdk_worker_main.create_harness(environment)
    if failure:
        _tell_engine(logs, f"worker on {socket.gethostname()}: {type(failure).__name__}: {first_line(failure)}")
        raise failure  # the engine starts the worker again, as often as it may
    if refusal:
        logging.getLogger(__name__).error("%s", refusal)
        _answer_with(harness, refusal)
    # Beam calls this when the connection has ended, and then waits for what is still running.
    harness._worker_thread_pool.shutdown = lambda wait=True: os._exit(0)
    harness.run()


def _tell_engine(logs: Any, line: str) -> None:
    """Sends a last line to the engine's log. logs: Beam's handler, whose `close` waits for the engine."""
    logging.getLogger(__name__).error("%s", printable(line))
    thread = threading.Thread(target=logs.close, daemon=True, name="logs")
    thread.start()
    thread.join(_LAST_SECONDS)


def _provision(flags: Namespace) -> Any:
    """What the engine says about the job. The endpoints that it does not name are those of the flags."""
    import grpc
    from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
    from apache_beam.runners.worker.worker_id_interceptor import WorkerIdInterceptor

    channel = grpc.intercept_channel(grpc.insecure_channel(flags.provision_endpoint), WorkerIdInterceptor(flags.id))
    stub = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
    request = beam_provision_api_pb2.GetProvisionInfoRequest()
    info = stub.GetProvisionInfo(request, timeout=_SECONDS, wait_for_ready=True).info
    for name in ("logging", "artifact", "control"):
        endpoint, given = getattr(info, f"{name}_endpoint"), getattr(flags, f"{name}_endpoint")
        if not endpoint.url and given:
            endpoint.url = given
    return info


def environment_of(flags: Namespace, info: Any) -> dict[str, str]:
    """The variables with which Beam's `boot` would start the worker. No folder of fetched files: it has none.

    info: a `ProvisionInfo`.
    """
    from google.protobuf import json_format, text_format

    environment = {
        "WORKER_ID": flags.id,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "LOGGING_API_SERVICE_DESCRIPTOR": text_format.MessageToString(info.logging_endpoint),
        "CONTROL_API_SERVICE_DESCRIPTOR": text_format.MessageToString(info.control_endpoint),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
    }
    if info.status_endpoint.url:
        environment["STATUS_API_SERVICE_DESCRIPTOR"] = text_format.MessageToString(info.status_endpoint)
    return environment


def refuse(info: Any, checks: Sequence[Check] = ()) -> None:
    """Raises RunFault if this process must not do the job. If it sees the run folder, it leaves a lasting fault there.
    Other exceptions, such as that a store does not answer now, may not last: nothing is left.

    info: a `ProvisionInfo`. checks: of the job, after those that need nothing but `info`.
    """
    from pipeline.engines import lasting_faults, submission

    options = options_of(info)
    run = submission.announced_run(options)
    try:
        _check_versions(options)
        _check_packages(info)
        if run is None:
            raise EnvironmentFault("the job does not say which run it belongs to; submit it with gritmill")
        _check_output(run)
        for check in checks:
            check(run)
    except (RunFault, PermissionError) as error:
        fault = (
            error if isinstance(error, RunFault) else EnvironmentFault(f"{type(error).__name__}: {first_line(error)}")
        )
        with suppress(Exception):  # the engine reports the fault, too, after its retries
            if run and not run.lease.is_revoked(now=True):
                lasting_faults.write(run.lease.folder, run.lease.run_id, f"worker on {socket.gethostname()}: {fault}")
        raise fault from error


def options_of(info: Any) -> dict[str, Any]:
    """The pipeline options of a job by name. info: a `ProvisionInfo`."""
    from google.protobuf import json_format

    given = json_format.MessageToDict(info.pipeline_options)
    given = given.get("options", given)  # older engines
    return {name.removeprefix("beam:option:").removesuffix(":v1"): value for name, value in given.items()}


def _check_versions(options: dict[str, Any]) -> None:
    from pipeline.engines import submission
    from pipeline.engines.versions import installed

    driver = submission.announced_versions(options)
    if driver is None:
        raise EnvironmentFault(f"the driver is not gritmill {installed().gritmill}, which is installed here")
    if difference := installed().difference(driver):
        raise EnvironmentFault(f"{difference}; install the same versions")


def _check_packages(info: Any) -> None:
    from apache_beam.portability.api import beam_runner_api_pb2

    brought = []
    for artifact in info.dependencies:
        payload = beam_runner_api_pb2.ArtifactStagingToRolePayload()
        payload.ParseFromString(artifact.role_payload)
        if payload.staged_name != _STAGED_ALWAYS:
            brought.append(payload.staged_name or artifact.type_urn)
    if brought:
        raise EnvironmentFault(
            f"the job brings {', '.join(sorted(brought))}, and gritmill-worker fetches nothing; install packages on "
            "the workers, and leave out --save_main_session, --setup_file, --requirements_file and --extra_package"
        )


def _check_output(run: Any) -> None:
    """Raises EnvironmentFault if the run folder of the driver is not there, or if this process may not write there. If
    the lease was revoked, it may: the steps of the job then end without output."""
    from pipeline import files

    folder = run.lease.folder
    run.lease.is_revoked(now=True)  # raises
    if files.is_local(folder) and not os.access(folder, os.W_OK | os.X_OK):
        raise EnvironmentFault(f"--output {folder}: this process (user {os.getuid()}) may not write there")


def _answer_with(harness: Any, refusal: str) -> None:
    """Answers each request for work with an error. Beam's own `deferred_exception` ends the connection instead, and the
    engine then reports only that it has lost the worker."""
    from apache_beam.portability.api import beam_fn_api_pb2

    text = "".join(traceback.format_exception(EnvironmentFault(printable(refusal))))

    def answer(request: Any) -> None:
        with suppress(Exception):
            _connect_data(harness, request.process_bundle.process_bundle_descriptor_id)
        response = beam_fn_api_pb2.InstructionResponse(instruction_id=request.instruction_id, error=text)
        harness._responses.put(response)

    harness._request_process_bundle = answer


def _connect_data(harness: Any, descriptor_id: str) -> None:
    """Opens the connection for the data of a bundle. Flink waits for it, three minutes at most, before any answer."""
    from apache_beam.portability.api import beam_fn_api_pb2
    from apache_beam.runners.worker.bundle_processor import DATA_INPUT_URN, DATA_OUTPUT_URN

    for transform in harness._fns[descriptor_id].transforms.values():
        if transform.spec.urn in (DATA_INPUT_URN, DATA_OUTPUT_URN):
            port = beam_fn_api_pb2.RemoteGrpcPort.FromString(transform.spec.payload)
            harness._data_channel_factory.create_data_channel(port)
