"""What all engines have in common."""

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.processes import Processes

SECONDS = 90.0
"""Within this time, each part of an engine is up."""

WORKER = "gritmill-worker"


class Missing(Exception):
    """Something that an engine needs is not on this machine. The message says what, and how to get it."""


class Engine(ABC):
    """An engine with two places for work.

    name: on the command line. title: with its version. workers: the number of its worker processes. left_out: rows
    that say nothing about it.
    """

    name: str
    title: str
    workers: int = 2
    left_out: tuple[int, ...] = ()

    def rows(self, known: Iterable[int]) -> list[int]:
        """The rows that are tried on it."""
        return [row for row in known if row not in self.left_out]

    @abstractmethod
    def need(self) -> None:
        """Raises Missing if a program is not there and cannot be fetched. Fetches what it can."""

    @contextmanager
    @abstractmethod
    def started(self, folder: Path, impatient: bool = False) -> Iterator["Cluster"]:
        """Runs the engine during the block. folder: of its logs and temporary files. impatient: it gives up a silent
        host after seconds, not after its default time."""


class Cluster:
    """An engine that runs."""

    def __init__(self, processes: Processes) -> None:
        self.processes = processes

    def options(self) -> list[str]:
        """The Beam options with which gritmill runs on it."""
        raise NotImplementedError

    def victims(self) -> dict[str, str]:
        """What can be killed: a word of its command, by name."""
        return {"worker process": f"{WORKER} --id="}

    def replace(self, victim: str) -> None:
        """Starts again what an operator would start again after a kill. Nothing, if the engine does it itself."""

    def ready(self) -> None:
        """Waits until the engine can run the next job."""


def worker_command() -> Path:
    """The command of a worker. Raises Missing if it is not installed."""
    path = Path(sys.executable).with_name(WORKER)
    if not path.exists():
        raise Missing(f"{path}: no such command; run make install")
    return path


def process_environment() -> list[str]:
    """The Beam options for workers that the engine starts as processes."""
    return ["--environment_type=PROCESS", f"--environment_config={json.dumps({'command': str(worker_command())})}"]
