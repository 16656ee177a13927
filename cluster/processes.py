"""Processes of engines and drivers, and all that they start: each has the mark of the block that it belongs to."""

import os
import re
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TypeVar

_POLL_SECONDS = 0.05
_END_SECONDS = 30.0

_MARK = "GRITMILL_CLUSTER_PROCESSES"
"""Environment variable. Children inherit it, also in a session of their own, and keep it when their parent ends."""

_T = TypeVar("_T")


class TimedOut(Exception):
    """What was waited for has not happened."""


@dataclass
class Processes:
    """Processes that end with the block, with all that they have started. logs: of their output, one file each."""

    logs: Path
    _started: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    _mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __enter__(self) -> "Processes":
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        def look() -> bool:
            left = self.found("")
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not left

        wait_for(f"the end of all processes of {self.logs}", look, _END_SECONDS)  # some may start others meanwhile
        for process in self._started:
            process.wait()

    def start(
        self, name: str, command: Sequence[str | Path], variables: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        """Starts a process in a session of its own, in the folder of the logs. name: of its log. variables: more ones
        for its environment."""
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                list(map(str, command)),
                cwd=self.logs,
                env={**os.environ, **(variables or {}), _MARK: self._mark},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def found(self, pattern: str) -> list[int]:
        """The processes whose command matches a pattern somewhere, in the order of their start."""
        mark = f"{_MARK}={self._mark}".encode()
        return [one.pid for one in running() if re.search(pattern, one.command) and mark in _environment(one.pid)]


def _environment(pid: int) -> list[bytes]:
    """The environment with which a process was started; empty if it belongs to somebody else."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return []


@dataclass(frozen=True)
class Running:
    """A process. parent: its process id. command: with its arguments."""

    pid: int
    parent: int
    command: str


def running() -> Iterator[Running]:
    """The processes of this machine, without those that have ended and are not yet waited for."""
    for name in sorted((name for name in os.listdir("/proc") if name.isdigit()), key=int):
        with suppress(OSError):  # it has ended in the meantime
            state, parent, *_ = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            command = Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if state != "Z":
                yield Running(int(name), int(parent), command)


def below(pid: int) -> list[Running]:
    """The processes that a process has started, and those that they have started."""
    found, parents = [], {pid}
    everybody = list(running())
    while children := [one for one in everybody if one.parent in parents and one not in found]:
        found += children
        parents = {one.pid for one in children}
    return found


def wait_for(what: str, look: Callable[[], _T | None], seconds: float) -> _T:
    """Looks until the answer is true, and returns it. Raises TimedOut after a number of seconds."""
    until = time.monotonic() + seconds
    while not (answer := look()):
        if time.monotonic() > until:
            raise TimedOut(f"{what}: not within {seconds:.0f} s")
        time.sleep(_POLL_SECONDS)
    return answer


def free_ports(number: int) -> list[int]:
    """Ports that nobody uses now."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def answers(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
