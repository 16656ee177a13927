"""Converts what a remote engine says about its failure into one line with address, culprit and cure.

An engine reports the last cause of a chain of Java exceptions: no host, no command, no address.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import grpc

from pipeline.engines.claim import Tell
from pipeline.engines.flink_rest import NoAnswer, ask, cancel_flink_job, newest_failure
from pipeline.engines.remote import RemoteEngine
from pipeline.engines.worker_environment import WORKER
from pipeline.faults import CallError, EnvironmentFault, RunFault, first_line, printable

_AGAIN = "run the same command to resume"
_LOOK_SECONDS = 5.0

_OF_A_STEP = re.compile(r"Traceback \(most recent call last\)|pipeline\.faults\.")  # of Python: a worker has sent it
_OF_AN_ENGINE = re.compile(r"failed in state|java\.|org\.apache\.")
_CANNOT_START = re.compile(r"error=(2|13)\b|CreateProcess error|Cannot run program")
_DIED = re.compile(r"Process died with exit code (-?\d+)")
_REFUSED = re.compile(r"ConnectException|Connection refused")
_REFUSED_BY_WORKER = re.compile(r"EnvironmentFault: (worker on .*)")  # of `engine_worker`, without an output folder
_NO_SLOTS = re.compile(r"NoResourceAvailableException|Could not acquire the minimum required resources|Slot request")
_NO_SERVER = re.compile(r"Service failed to start up with error (-?\d+)")
_NO_MASTER = re.compile(r"stopped SparkContext|All masters are unresponsive")
_CLUSTERS = {"Flink": "--flink_master=HOST:PORT", "Spark": "--spark_master_url=spark://HOST:PORT"}
_SPARK_HOST = re.compile(r"\((?P<host>[\w.:-]+) executor \w+\)")


def explain(error: Exception, engine: RemoteEngine) -> RunFault | None:
    """The fault that the user sees; None if the error says enough itself, as those of our own steps do."""
    text = str(error)
    server = f"Beam's job server{f' at {engine.job_endpoint}' if engine.job_endpoint else ''}"
    if isinstance(error, grpc.FutureTimeoutError):
        return EnvironmentFault(f"{server} does not answer; start it again, then {_AGAIN}")
    if isinstance(error, grpc.RpcError):
        return _server_ended(error, server, engine)
    if failed := _NO_SERVER.search(text):
        cure = "GRITMILL_DEBUG=1 shows its output; Beam's job servers need Java 11 or later"
        return EnvironmentFault(f"Beam's job server ended with status {failed[1]} when it was started; {cure}")
    if _OF_A_STEP.search(text) or not _OF_AN_ENGINE.search(text):
        return None
    host = newest_failure(engine.rest_address, engine.job_name).host if engine.rest_address else ""
    if match := _SPARK_HOST.search(text):
        host = match["host"]
    where = _place(host, engine)
    if _CANNOT_START.search(text):
        return _no_command(text, where, engine)
    if died := _DIED.search(text):
        cure = f"run it there by hand, or look into the log of its TaskManager or executor; then {_AGAIN}"
        return EnvironmentFault(f"{_ended(died[1], where, engine)}; {cure}")
    if _NO_SLOTS.search(text):
        wanted = f" {engine.slots}" if engine.slots else ""
        cure = f"start more TaskManagers or give a lower --parallelism, then {_AGAIN}"
        return EnvironmentFault(f"{engine.place} has not got{wanted} free slots within its time limit; {cure}")
    if _NO_MASTER.search(text):
        why = "Spark's master does not answer, or Spark has ended the application (its page says why)"
        return EnvironmentFault(f"{engine.place}: {why}; start what is missing, then {_AGAIN}")
    if _REFUSED.search(text):
        return _refused(where, engine)
    if not engine.address and (cluster := _CLUSTERS.get(engine.name)):
        inside = f"{engine.name} inside Beam's job server failed ({first_line(error)})"
        return EnvironmentFault(f"{inside}; give {cluster} to run on a cluster")
    return None


@contextmanager
def no_vain_restarts(engine: RemoteEngine | None, tell: Tell) -> Iterator[list[RunFault]]:
    """While the block runs, says when Flink restarts the job, and cancels it if its worker command cannot be started,
    or a worker refuses it. Yields the fault, if it comes.

    Flink would restart the job as often as it may, and say so only then.
    """
    found: list[RunFault] = []
    ended = threading.Event()

    def watch(engine: RemoteEngine) -> None:
        told = 0
        while not ended.wait(_LOOK_SECONDS) and not found:
            host, trace, when = newest_failure(engine.rest_address, engine.job_name)
            refused = _REFUSED_BY_WORKER.search(trace)
            if refused or (host and _CANNOT_START.search(trace) and not _OF_A_STEP.search(trace)):
                no_command = _no_command(trace, _place(host, engine), engine)
                found.append(EnvironmentFault(refused[1]) if refused else no_command)
                with suppress(OSError):
                    cancel_flink_job(engine.rest_address, engine.job_name)
            elif when > told:
                told = when
                died = None if _OF_A_STEP.search(trace) else _DIED.search(trace)
                place = _place(host, engine)
                what = _ended(died[1], place, engine) if died else f"a task failed {place}"
                tell(printable(f"{what}; Flink restarts the job, and finished ranges are kept"))

    if engine and engine.rest_address:
        threading.Thread(target=watch, args=(engine,), daemon=True, name="flink-failures").start()
    try:
        yield found
    finally:
        ended.set()


def _place(host: str, engine: RemoteEngine) -> str:
    return f"on {host}" if host else f"on a worker's machine of {engine.place}"


def _ended(status: str, where: str, engine: RemoteEngine) -> str:
    return f"the worker command {engine.command} ended with status {status} {where}"


def _server_ended(error: grpc.RpcError, server: str, engine: RemoteEngine) -> RunFault:
    """The stream of messages broke. What the job server started on a Flink cluster runs on without it."""
    code = error.code() if callable(getattr(error, "code", None)) else None
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return EnvironmentFault(f"{server}: no answer within --job_server_timeout; give a larger one, and {_AGAIN}")
    if code == grpc.StatusCode.UNAVAILABLE or code == grpc.StatusCode.CANCELLED:
        return EnvironmentFault(f"{server} has ended, and its job may still run; start it again, then {_AGAIN}")
    details = " ".join(str(getattr(error, "details", lambda: "")() or error).split())
    return EnvironmentFault(f"{server}: {details}")


def _no_command(text: str, where: str, engine: RemoteEngine) -> RunFault:
    program = re.search(r'Cannot run program "([^"]+)"', text)
    command = program[1] if program else engine.command or ("docker" if engine.environment == "DOCKER" else WORKER)
    why = "cannot be executed" if "error=13" in text else "does not exist"
    if command == "docker":
        cure = "install Docker there, or give --environment_type=PROCESS or EXTERNAL"
    else:
        cure = f"install gritmill at the same path on each machine, or name {WORKER} in --environment_config"
    return CallError(f"the worker command {command} {why} {where}; {cure}")


def _refused(where: str, engine: RemoteEngine) -> RunFault:
    """Nobody listens: the engine itself has ended, or, if it answers, the worker pool beside it."""
    try:
        answers = bool(engine.rest_address) and bool(ask(engine.rest_address, "/overview"))
    except (NoAnswer, OSError):
        answers = False
    if answers and engine.environment == "EXTERNAL":
        return CallError(f"no worker pool answers {where}; start one beside each TaskManager, then {_AGAIN}")
    if answers:
        return EnvironmentFault(f"{engine.place} lost the connection to a worker {where}; {_AGAIN}")
    return EnvironmentFault(f"{engine.place} does not answer any more; start it again, then {_AGAIN}")
