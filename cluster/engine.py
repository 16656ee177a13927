"""What all engines have in common."""

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from cluster.processes import Processes

SECONDS = 90.0
"""Within this time, each part of an engine is up."""

WORKER = "gritmill-worker"

WORKER_PROCESS = "--provision_endpoint="
"""In the command of each worker process, and of no driver."""

CHILD_PROCESS = "transforms.isolation.child_process"
"""In the command of each child of a worker: one checks pictures, another has the models."""

NO_COMMAND = ["--environment_type=PROCESS", '--environment_config={"command": "/nowhere/gritmill-worker"}']


class Missing(Exception):
    """Something that an engine needs is not on this machine. The message says what, and how to get it."""


class Engine(ABC):
    """An engine with two places for work.

    name: on the command line. title: with its version. workers: the number of its worker processes. left_out: rows that
    say nothing about it. refuses_after: within so many seconds, a command says what is missing.

    Its processes, as a pattern that their commands match, by name. victims: may be killed, and the run goes on. missed:
    the engine waits for ever for one that was killed. hosts: start worker processes. vital: end the run if they are
    killed. spare: are needed only when a job starts.
    """

    name: str
    title: str
    workers: int = 2
    refuses_after: float = 10.0
    left_out: tuple[int, ...] = ()
    victims: ClassVar[Mapping[str, str]] = {"child of a worker": CHILD_PROCESS}
    missed: ClassVar[Mapping[str, str]] = {}
    hosts: ClassVar[Mapping[str, str]] = {}
    vital: ClassVar[Mapping[str, str]] = {}
    spare: ClassVar[Mapping[str, str]] = {}

    def rows(self, known: Iterable[int]) -> list[int]:
        """The rows that are tried on it."""
        return [row for row in known if row not in self.left_out]

    @abstractmethod
    def need(self) -> None:
        """Raises Missing if a program is not there and cannot be fetched. Fetches what it can."""

    @contextmanager
    @abstractmethod
    def started(self, folder: Path, impatient: bool = False, worker: Path | None = None) -> Iterator["Cluster"]:
        """Runs the engine during the block.

        folder: of its logs and temporary files. impatient: it gives up a silent host after seconds, not after its
        default time. worker: the command that starts a worker, in place of gritmill's default.
        """


class Cluster:
    """An engine that runs."""

    def __init__(self, processes: Processes, worker: Path | None = None) -> None:
        self.processes, self.worker = processes, worker

    def options(self) -> list[str]:
        """The Beam options with which gritmill runs on it."""
        raise NotImplementedError

    def environment(self) -> list[str]:
        """The options for another command than gritmill's default."""
        if self.worker is None:
            return []
        return ["--environment_type=PROCESS", f"--environment_config={json.dumps({'command': str(self.worker)})}"]

    def unfit_options(self) -> dict[str, list[str]]:
        """Options that ask for what is not there, by what is missing."""
        raise NotImplementedError

    def replace(self, victim: str) -> None:
        """Starts again what an operator would start again after a kill. Nothing, if the engine does it itself."""
        del victim

    def ready(self) -> None:
        """Waits until the engine can run the next job."""
        return


def worker_command() -> Path:
    """The command of a worker. Raises Missing if it is not installed."""
    path = Path(sys.executable).with_name(WORKER)
    if not path.exists():
        raise Missing(f"{path}: no such command; run make install")
    return path
