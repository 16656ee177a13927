"""Processes of engines and drivers. Each one has a process group, with all that it starts."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TypeVar

_POLL_SECONDS = 0.05

_T = TypeVar("_T")


class TimedOut(Exception):
    """What was waited for has not happened."""


@dataclass
class Processes:
    """Processes that end with the block. logs: the folder of their output, one file each."""

    logs: Path
    _started: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def __enter__(self) -> "Processes":
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._started:
            end(process)

    def start(
        self, name: str, command: Sequence[str | Path], variables: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        """Starts a process in a group of its own, in the folder of the logs. name: of its log. variables: added to its
        environment."""
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                list(map(str, command)),
                cwd=self.logs,
                env={**os.environ, **(variables or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def found(self, word: str) -> list[int]:
        """The processes of all groups whose command contains a word, in the order of their start."""
        groups = {process.pid for process in self._started}
        return [one.pid for one in running() if one.group in groups and word in one.command]


def end(process: "subprocess.Popen[bytes]") -> None:
    """Kills a process and its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@dataclass(frozen=True)
class Running:
    """A process. parent, group: process ids. command: with its arguments."""

    pid: int
    parent: int
    group: int
    command: str


def running() -> Iterator[Running]:
    """The processes of this machine, without those that have ended and are not yet waited for."""
    for name in sorted((name for name in os.listdir("/proc") if name.isdigit()), key=int):
        with suppress(OSError):  # it has ended in the meantime
            state, parent, group, *_ = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            command = Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if state != "Z":
                yield Running(int(name), int(parent), int(group), command)


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
