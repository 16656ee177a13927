"""Asks a Flink cluster through its REST interface, and cancels its jobs there.

Beam's own `cancel` on Flink only ends the job server's invocation: the job of the cluster runs on.
"""

import json
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
    UnknownHandler,
)

from pipeline.engines.addresses import NO_ANSWER, TIMEOUT_SECONDS, in_time

_ENDED = ("FINISHED", "CANCELED", "FAILED")
"""States of a job that runs no more. All others can still write, SUSPENDED and RESTARTING too."""

# No proxies: the job server reads no proxy variables, and a cluster's address is rarely reachable through one. No other
# schemes: urllib's own opener would read a local file for file://.
_direct = OpenerDirector()
for _handler in (HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler, HTTPRedirectHandler, HTTPErrorProcessor):
    _direct.add_handler(_handler())
_direct.add_handler(UnknownHandler())


class NoAnswer(OSError):
    """Nobody answers at the address, or not as Flink does. The message says why, without the address."""


def ask(address: str, path: str, method: str = "GET") -> Any:
    """The JSON that the cluster answers; None for an empty answer. address: `host:port` or `http[s]://host:port`.

    Raises:
      NoAnswer: nobody answers within five seconds, or not with JSON. HTTPError: the cluster refuses the request.
    """
    url = (address if "://" in address else f"http://{address}").rstrip("/") + path

    def read() -> bytes:
        with _direct.open(Request(url, method=method), timeout=TIMEOUT_SECONDS) as response:
            return bytes(response.read())

    try:
        body = in_time(read)
        return json.loads(body) if body.strip() else None
    except HTTPError:
        raise
    except OSError as error:  # URLError is one
        reason = getattr(error, "reason", error)
        raise NoAnswer(str(getattr(reason, "strerror", None) or reason) or NO_ANSWER) from error
    except (HTTPException, ValueError) as error:
        raise NoAnswer("what answers there is no REST interface of Flink") from error


def live_jobs(rest_address: str) -> list[tuple[str, str, str]]:
    """Id, name and state of each job that has not ended."""
    jobs = ask(rest_address, "/jobs/overview")["jobs"]
    return [(job["jid"], job["name"], job["state"]) for job in jobs if job["state"] not in _ENDED]


def cancel_flink_job(rest_address: str, job_name: str) -> int:
    """Cancels every job of this name that has not ended. Returns their number; the cluster ends them within seconds.

    Raises:
      NoAnswer: nobody answers at the address. HTTPError: the cluster refuses.
    """
    cancelled = 0
    for job_id, name, _ in live_jobs(rest_address):
        if name == job_name:
            try:
                ask(rest_address, f"/jobs/{job_id}?mode=cancel", "PATCH")
                cancelled += 1
            except HTTPError as error:
                if error.code not in (404, 409):  # it has ended since
                    raise
    return cancelled


class Failure(NamedTuple):
    """host: on which a task failed, and trace: its stack trace; "" if unknown. time: of the failure that Flink restarts
    the job for, in milliseconds since 1970; 0 if there is none."""

    host: str
    trace: str
    time: int


def newest_failure(rest_address: str, job_name: str) -> Failure:
    """The last failure of the newest job of this name. Empty if there is none, or nobody answers."""
    time = 0
    try:
        jobs = [job for job in ask(rest_address, "/jobs/overview")["jobs"] if job["name"] == job_name]
        job_id = max(jobs, key=lambda job: job["start-time"])["jid"]
        failure = ask(rest_address, f"/jobs/{job_id}/exceptions")["exceptionHistory"]["entries"][0]
        time = int(failure.get("timestamp", 0))
        # Only a task's failure has a place. After the last restart, it is below a failure of the whole job.
        for one in (failure, *failure.get("concurrentExceptions", ())):
            if place := one.get("endpoint") or one.get("location"):
                return Failure(str(place).partition(":")[0], str(one["stacktrace"]), time)
    except (OSError, LookupError, TypeError, ValueError):
        pass
    return Failure("", "", time)
