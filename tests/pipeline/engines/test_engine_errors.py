"""The messages are those of Beam 2.77 with Flink 1.19 and Spark 3.5."""

import time

import grpc
import pytest

from pipeline.engines import engine_errors, worker_errors
from pipeline.engines.engine_errors import explain
from pipeline.engines.remote import RemoteEngine
from pipeline.faults import CallError, EnvironmentFault
from tests.flink_server import closed_port, flink_server


def engine(name, address="", **known):
    return RemoteEngine(name, address, "gritmill-1f", (), **known)


def flink(address):
    return engine("Flink", address, rest_address=address, command="/opt/gritmill-worker")


FLINK = engine("Flink", "flink:8081", environment="PROCESS", command="/opt/gritmill-worker")


MISSING = 'java.io.IOException: Cannot run program "/opt/gritmill-worker": error=2, No such file or directory'
FAILURE = {
    "stacktrace": "org.apache.flink.runtime.JobException: Recovery is suppressed by NoRestartBackoffTimeStrategy",
    "concurrentExceptions": [{"endpoint": "host7:4711", "stacktrace": f"UncheckedExecutionException: {MISSING}"}],
}
"""What Flink 1.19 says of a job that has ended."""


def failed(text):
    return RuntimeError(f"Pipeline BeamApp_1f failed in state FAILED: {text}")


class Broken(grpc.RpcError):
    def __init__(self, code, details=""):
        self.code, self.details = lambda: code, lambda: details


@pytest.mark.parametrize(
    ("why", "text"), [("does not exist", "error=2, No such file or directory"), ("cannot be executed", "error=13, x")]
)
def test_a_worker_command_that_is_not_there(why, text):
    fault = explain(failed(f"java.io.IOException: {text}"), FLINK)
    assert isinstance(fault, CallError)
    assert str(fault) == (
        f"the worker command /opt/gritmill-worker {why} on a worker's machine of Flink at flink:8081; install gritmill"
        " at the same path on each machine, or name gritmill-worker in --environment_config"
    )


def test_the_host_comes_from_flink_or_from_spark():
    error = failed("java.io.IOException: error=2, No such file or directory")
    with flink_server(jobs={"a": ("gritmill-1f", "FAILED")}) as cluster:
        cluster.failures = {"a": FAILURE}
        there = flink(cluster.address)
        assert "/opt/gritmill-worker does not exist on host7; " in str(explain(error, there))
    text = (
        "org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 0.0 failed 4 times, most "
        "recent failure: Lost task 0.3 in stage 0.0 (TID 6) (10.0.0.7 executor 1): java.lang.RuntimeException: "
        'java.io.IOException: Cannot run program "/opt/gritmill-worker": error=2, No such file or directory'
    )
    assert "the worker command /opt/gritmill-worker does not exist on 10.0.0.7; " in str(
        explain(failed(text), engine("Spark"))
    )


REFUSED = """java.lang.RuntimeException: Error received from SDK harness for instruction 2: \
pipeline.faults.EnvironmentFault: worker on host7: --output /runs/a: not there; give workers the folder
\tat org.apache.beam.runners.fnexecution.control.FnApiControlClient"""


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (MISSING, "the worker command /opt/gritmill-worker does not exist on host7; install"),
        (REFUSED, "worker on host7: --output /runs/a: not there; give workers the folder"),
    ],
)
def test_a_job_that_no_worker_can_do_is_not_restarted_in_vain(monkeypatch, failure, line):
    monkeypatch.setattr(engine_errors, "_LOOK_SECONDS", 0.01)
    with flink_server(jobs={"a": ("gritmill-1f", "RESTARTING")}) as cluster:
        there = flink(cluster.address)
        with engine_errors.no_vain_restarts(there, print) as found:
            while not any("exceptions" in request for request in cluster.asked):
                time.sleep(0.01)
            assert found == []
            cluster.failures = {"a": {"endpoint": "host7:4711", "stacktrace": failure}}
            while cluster.jobs["a"][1] != "CANCELED":
                time.sleep(0.01)
        assert str(found[0]).startswith(line)


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        ("org.apache.flink.JobMasterException: TaskManager with id host7:4711 is no longer reachable", "a task failed"),
        (
            "java.lang.IllegalStateException: Process died with exit code 1",
            "the worker command /opt/gritmill-worker ended with status 1",
        ),
    ],
)
def test_each_restart_of_a_job_is_told_once(monkeypatch, failure, line):
    monkeypatch.setattr(engine_errors, "_LOOK_SECONDS", 0.01)
    told = []
    with (
        flink_server(jobs={"a": ("gritmill-1f", "RUNNING")}) as cluster,
        engine_errors.no_vain_restarts(flink(cluster.address), told.append),
    ):
        for number in (1, 2):
            cluster.failures = {"a": {"endpoint": "host7:4711", "stacktrace": failure, "timestamp": number}}
            while len(told) < number:
                time.sleep(0.01)
        asked = len(cluster.asked)
        while len(cluster.asked) < asked + 4:
            time.sleep(0.01)
    assert told == [f"{line} on host7; Flink restarts the job, and finished ranges are kept"] * 2


def test_a_failure_inside_the_job_server_names_the_option_for_a_cluster():
    text = "org.apache.flink.core.fs.RpcLoaderException: Could not load RpcSystem."
    assert str(explain(failed(text), engine("Flink"))) == (
        f"Flink inside Beam's job server failed (Pipeline BeamApp_1f failed in state FAILED: {text}); give"
        " --flink_master=HOST:PORT to run on a cluster"
    )
    assert explain(failed(text), FLINK) is None


def test_docker_that_is_not_there():
    text = 'java.io.IOException: Cannot run program "docker": error=2, No such file or directory'
    fault = explain(failed(text), engine("Flink", "flink:8081", environment="DOCKER"))
    assert str(fault).endswith("install Docker there, or give --environment_type=PROCESS or EXTERNAL")


def test_a_worker_command_that_ends_at_once():
    fault = explain(failed("java.lang.IllegalStateException: Process died with exit code 127"), FLINK)
    assert str(fault).startswith("the worker command /opt/gritmill-worker ended with status 127 on a worker's machine")


@pytest.mark.parametrize(
    "text",
    [
        "java.lang.IllegalStateException: Cannot call methods on a stopped SparkContext.",
        "org.apache.spark.SparkException: All masters are unresponsive! Giving up.",
    ],
)
def test_the_next_job_after_the_end_of_spark_s_master(text):
    fault = explain(failed(text), engine("Spark", "server:8099"))
    assert isinstance(fault, EnvironmentFault)
    assert str(fault) == (
        "Spark at server:8099: Spark's master does not answer, or Spark has ended the application (its page says why); "
        "start what is missing, then run the same command to resume"
    )


def test_an_engine_that_has_ended():
    error = failed("java.net.ConnectException: Connection refused")
    with closed_port() as address:
        fault = explain(error, flink(address))
    assert isinstance(fault, EnvironmentFault)
    assert str(fault) == (
        f"Flink at {address} does not answer any more; start it again, then run the same command to resume"
    )
    with flink_server() as cluster:
        fault = explain(error, engine("Flink", rest_address=cluster.address, environment="EXTERNAL"))
        assert str(fault).startswith(
            "no worker pool answers on a worker's machine of Flink; start one beside each Task"
        )
        fault = explain(error, engine("Flink", rest_address=cluster.address, environment="PROCESS"))
        assert str(fault).startswith("Flink lost the connection to a worker")


def test_too_few_slots_after_the_wait():
    text = "org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException: Could not acquire the minimum"
    fault = explain(failed(text), engine("Flink", "flink:8081", slots=8))
    assert str(fault).startswith("Flink at flink:8081 has not got 8 free slots within its time limit; start more")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            Broken(grpc.StatusCode.UNAVAILABLE, "Socket closed"),
            "Beam's job server at server:8099 has ended, and its job may still run; start it again, then run the same"
            " command to resume",
        ),
        (
            Broken(grpc.StatusCode.DEADLINE_EXCEEDED),
            "Beam's job server at server:8099: no answer within --job_server_timeout; give a larger one, and run the"
            " same command to resume",
        ),
        (Broken(grpc.StatusCode.INTERNAL, "a\nb"), "Beam's job server at server:8099: a b"),
        (
            grpc.FutureTimeoutError(),
            "Beam's job server at server:8099 does not answer; start it again, then run the same command to resume",
        ),
    ],
)
def test_a_job_server_that_has_ended(error, line):
    fault = explain(error, engine("Flink", job_endpoint="server:8099"))
    assert (fault.status, str(fault)) == (3, line)


def test_a_job_server_that_does_not_start():
    fault = explain(RuntimeError("Service failed to start up with error 1"), engine("Flink"))
    assert str(fault).startswith("Beam's job server ended with status 1 when it was started; ")


def test_other_errors_are_left_alone():
    assert explain(failed("java.lang.NullPointerException"), FLINK) is None
    assert explain(EnvironmentFault("/data: Connection refused"), FLINK) is None


REFUSAL = "pipeline.faults.EnvironmentFault: worker on host7: --output s3://b: Connection refused"
"""As `gritmill-worker` answers: without a traceback."""


@pytest.mark.parametrize(
    "said",
    [
        f"java.lang.RuntimeException: Error received from SDK harness for instruction 4: {REFUSAL}",
        f"Traceback (most recent call last):\n  raise RuntimeError(result.error)\nRuntimeError: {REFUSAL}\n",
    ],
    ids=["Flink", "Beam's job service"],
)
def test_a_refusal_of_a_worker_is_not_taken_for_an_error_of_the_engine(said):
    error = failed(said)
    assert explain(error, FLINK) is None
    assert str(worker_errors.explain(error)) == "worker on host7: --output s3://b: Connection refused"


def test_a_fault_of_a_step_that_sounds_like_a_missing_command_does_not_cancel_the_job(monkeypatch):
    monkeypatch.setattr(engine_errors, "_LOOK_SECONDS", 0.01)
    trace = f"java.lang.RuntimeException: pipeline.faults.EnvironmentFault: s3://b: {MISSING}"
    with flink_server(jobs={"a": ("gritmill-1f", "RESTARTING")}) as cluster:
        cluster.failures = {"a": {"endpoint": "host7:4711", "stacktrace": trace}}
        with engine_errors.no_vain_restarts(flink(cluster.address), print) as found:
            while sum("exceptions" in request for request in cluster.asked) < 2:  # one look has ended
                time.sleep(0.01)
        assert (found, cluster.jobs["a"][1]) == ([], "RESTARTING")


def test_an_error_of_a_step_is_not_taken_for_one_of_the_engine():
    trace = "Traceback (most recent call last):\n  File a.py, line 1\nEnvironmentFault: s3://b: Connection refused"
    error = failed(f"java.lang.RuntimeException: Error received from SDK harness for instruction 4: {trace}")
    assert explain(error, FLINK) is None
    assert str(worker_errors.explain(error)) == "s3://b: Connection refused"
