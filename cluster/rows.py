"""What is tried on each engine. Each row has the number that docs/reliability.md gives it."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster.beam import External, Loopback
from cluster.engine import Cluster, Engine
from cluster.flink import Flink
from cluster.processes import wait_for
from cluster.spark import Spark
from cluster.trial import Lab, Run, computed_again, difference, noted

_EMBEDDED = "scene-grounder"


@dataclass(frozen=True)
class Outcome:
    """wrong: what broke the promise; empty if it was kept."""

    engine: str
    row: int
    what: str
    seconds: float
    wrong: str


Row = Callable[[Engine, Lab, Path], Iterator[tuple[str, str]]]
"""Tries something on an engine. Yields what was tried, and what was wrong."""


def clean_run(engine: Engine, lab: Lab, folder: Path) -> Iterator[tuple[str, str]]:
    """1: a run that nothing disturbs. Same bytes, and work on every worker."""
    with engine.started(folder) as cluster:
        run = Run(lab, cluster.processes, folder / "run", cluster.options(), _EMBEDDED)
        wrong = _same(run, lab, _EMBEDDED)
        workers = len(run.workers())
        yield f"clean run, {workers} workers", wrong or ("" if workers == engine.workers else f"{workers} workers")


def killed_worker(engine: Engine, lab: Lab, folder: Path) -> Iterator[tuple[str, str]]:
    """2: `kill -9` after the first finished range. Same bytes, and nothing computed again that was committed."""
    with noted(folder / "notes") as notes, engine.started(folder / "engine", impatient=True) as cluster:
        for number, (victim, word) in enumerate(cluster.victims().items()):
            for kill in range(int(os.environ.get("KILLS", "1"))):
                run = Run(lab, cluster.processes, folder / f"run-{number}-{kill}", cluster.options())
                run.wait_for_a_range()
                pid = _kill(cluster, word)
                cluster.replace(victim)
                wrong = _same(run, lab)
                again = computed_again(notes, run.committed())
                yield f"kill -9 of {victim} {pid}", wrong or (f"{again} pictures computed again" if again else "")
                for note in notes.glob("*"):
                    note.unlink()
                cluster.ready()


ROWS: dict[int, Row] = {1: clean_run, 2: killed_worker}

ENGINES: dict[str, list[Engine]] = {
    "beam": [Loopback(), External()],
    "flink": [Flink(), Flink(streaming=False)],
    "spark": [Spark()],
}


def trials(engine: Engine, number: int, lab: Lab, folder: Path) -> Iterator[Outcome]:
    """Runs a row on an engine."""
    started = time.monotonic()
    row = ROWS[number]
    try:
        for what, wrong in row(engine, lab, folder):
            yield Outcome(engine.title, number, what, time.monotonic() - started, wrong)
            started = time.monotonic()
    except Exception as error:  # one row that cannot be tried does not end the others
        yield Outcome(
            engine.title, number, row.__name__, time.monotonic() - started, f"{type(error).__name__}: {error}"
        )


def _same(run: Run, lab: Lab, detector: str | None = None) -> str:
    """What is wrong with the end of a run that should be that of the local engine."""
    status = run.wait()
    if status:
        return f"status {status}: {run.last_line}"
    return difference(run.output, lab.expected(detector) if detector else lab.expected())


def _kill(cluster: Cluster, word: str) -> int:
    """Kills a process of an engine with -9, and waits until it is gone."""
    pid = wait_for(f"a process {word}", lambda: cluster.processes.found(word), 60)[0]
    os.kill(pid, signal.SIGKILL)
    wait_for("its end", lambda: pid not in cluster.processes.found(word), 60)
    return pid
