"""A server on loopback that answers like the REST interface of Flink 1.19."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class FlinkServer:
    """A session cluster.

    task_managers: slots in all and free slots of each. jobs: name and state, by id. config: of the JobManager.
    failures: the newest failure of a job, by id. asked: methods and paths of the requests so far.
    """

    version: str = "1.19.3"
    task_managers: list[tuple[int, int]] = field(default_factory=lambda: [(1, 1), (1, 1)])
    jobs: dict[str, tuple[str, str]] = field(default_factory=dict)
    config: dict[str, str] = field(default_factory=dict)
    failures: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def answer(self, method: str, path: str) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if method == "PATCH":
            _, _, job, mode = path.replace("?", "/").split("/")
            assert mode == "mode=cancel"
            if job not in self.jobs:
                return 404, {"errors": [f"Job {job} not found"]}
            name, state = self.jobs[job]
            if state in ("FINISHED", "CANCELED", "FAILED"):
                return 409, {"errors": ["Job cancellation failed because the job has already reached another state"]}
            self.jobs[job] = (name, "CANCELED")
            return 202, {}
        answers = {
            "/overview": {
                "taskmanagers": len(self.task_managers),
                "slots-total": sum(total for total, _ in self.task_managers),
                "slots-available": sum(free for _, free in self.task_managers),
                "jobs-running": sum(state == "RUNNING" for _, state in self.jobs.values()),
                "flink-version": self.version,
            },
            "/taskmanagers": {
                "taskmanagers": [
                    {"path": f"pekko.tcp://flink@127.0.0.1:{number}/user", "slotsNumber": total, "freeSlots": free}
                    for number, (total, free) in enumerate(self.task_managers)
                ]
            },
            "/jobs/overview": {
                "jobs": [
                    {"jid": jid, "name": name, "state": state, "start-time": start}
                    for start, (jid, (name, state)) in enumerate(self.jobs.items())
                ]
            },
            "/jobmanager/config": [{"key": key, "value": value} for key, value in self.config.items()],
        }
        for job, failure in self.failures.items():
            answers[f"/jobs/{job}/exceptions"] = {"exceptionHistory": {"entries": [failure]}}
        return (200, answers[path]) if path in answers else (404, {"errors": ["Not found."]})


@contextmanager
def flink_server(**state: Any) -> Iterator[FlinkServer]:
    """Serves a cluster on a free port for the duration of the block."""
    cluster = FlinkServer(**state)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve()

        def do_PATCH(self) -> None:
            self._serve()

        def _serve(self) -> None:
            status, body = cluster.answer(self.command, self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        cluster.address = f"127.0.0.1:{server.server_port}"
        try:
            yield cluster
        finally:
            server.shutdown()


@contextmanager
def closed_port() -> Iterator[str]:
    """An address on loopback at which nobody listens, and that nobody else takes for the duration of the block."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"
