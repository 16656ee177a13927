"""What is tried on each engine. Each row has the number that docs/reliability.md gives it."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cluster.beam import External, Loopback
from cluster.engine import WORKER_PROCESS, Cluster, Engine
from cluster.flink import Flink
from cluster.noted_grounder import notes
from cluster.processes import Processes, Running, TimedOut, below, running, wait_for
from cluster.spark import Spark
from cluster.trial import TARS, Lab, Run, computed_again, difference, differing, noted, rows_of
from stress.commands import RUN_FILES, digests
from transforms.wording import counted

_EMBEDDED = "scene-grounder"


@dataclass(frozen=True)
class Outcome:
    """wrong: what broke the promise; empty if it was kept."""

    engine: str
    row: int
    what: str
    seconds: float
    wrong: str


Trials = Iterator[tuple[str, str]]
"""What was tried, and what was wrong; empty if nothing was."""

Row = Callable[[Engine, Lab, Path], Trials]

_START_SECONDS, _ORPHAN_SECONDS = 60.0, 5.0

_PROGRESS = re.compile(r"(ground|hashes|pack|run): ")
"""A line about the progress of a run."""

_EXCEPTION = re.compile(r"gritmill: [\w.]*(Error|Exception|Fault|Forbidden)\b|.*GRITMILL_DEBUG=1")

_STALL_MINUTES = 1.0

_CALLS = 3
"""So many calls with a picture may kill the process of the model."""

_DRAINED = 10.0
"""Seconds after the end of a driver, after which its job writes nothing."""


def clean_run(engine: Engine, lab: Lab, folder: Path) -> Trials:
    """1: a run that nothing disturbs. Same bytes, and work on every worker."""
    with engine.started(folder / "engine") as cluster:
        run = Run(lab, cluster.processes, folder / "run", cluster.options(), _EMBEDDED)
        wrong = _same(run, lab, _EMBEDDED)
        workers = len(run.workers())
        yield f"clean run, {workers} workers", wrong or ("" if workers == engine.workers else f"{workers} workers")


def killed_worker(engine: Engine, lab: Lab, folder: Path) -> Trials:
    """2: `kill -9` after the first finished range. Same bytes, and nothing computed again that was committed."""
    with noted(folder / "notes") as notes, engine.started(folder / "engine", impatient=True) as cluster:
        for victim, word in engine.victims.items():
            for kill in range(int(os.environ.get("KILLS", "1"))):
                cluster.ready()
                run = Run(lab, cluster.processes, folder / f"run-{victim.replace(' ', '-')}-{kill}", cluster.options())
                run.wait_for_a_range()
                _kill(cluster, word, kill)
                late = _late(run)
                cluster.replace(victim)
                wrong = _same(run, lab) or late
                again = computed_again(notes, run.committed())
                yield f"kill -9 of a {victim}", wrong or (f"{again} pictures computed again" if again else "")
                for note in notes.glob("*"):
                    note.unlink()
        for victim, word in engine.missed.items():
            yield from _killed_and_missed(cluster, lab, folder / "run", victim, word)


def _killed_and_missed(cluster: Cluster, lab: Lab, output: Path, victim: str, word: str) -> Trials:
    """The engine waits for ever. Status 3 after `engine.stall_minutes`; then the same command gives the same bytes."""
    more = ["--set", f"engine.stall_minutes={_STALL_MINUTES}"]
    run = Run(lab, cluster.processes, output, cluster.options(), more=more)
    run.wait_for_a_range()
    _kill(cluster, word)
    killed = time.monotonic()
    wrong, seconds = _one_line(run, 3), time.monotonic() - killed
    late = f"after {seconds:.0f} s" if seconds > _STALL_MINUTES * 60 + 60 else ""
    yield f"kill -9 of a {victim}: {run.last_line}", wrong or late
    yield "the same command", _same(Run(lab, cluster.processes, output, cluster.options(), more=more), lab)


def killed_engine(engine: Engine, lab: Lab, folder: Path) -> Trials:
    """3: `kill -9` of the engine. Status 3 in one line, and the same bytes on a new engine. What only the start of a
    job needs ends `ground` no more, but `pack`, which is the next job."""
    with noted(folder / "notes"):
        for position, (victim, word) in enumerate({**engine.vital, **engine.spare}.items()):
            output = folder / f"run-{position}"
            with engine.started(folder / f"engine-{position}", impatient=True) as cluster:
                run = Run(lab, cluster.processes, output, cluster.options())
                run.wait_for_a_range()
                _kill(cluster, word)
                late = _late(run)
                wrong = _one_line(run, 3) or late
                if victim in engine.spare and run.finished_ranges() < TARS:
                    wrong = wrong or "ground has not finished"
            with engine.started(folder / f"new-engine-{position}") as cluster:
                again = Run(lab, cluster.processes, output, cluster.options())
                yield f"kill -9 of the {victim}: {run.last_line}", wrong or _same(again, lab)


def ended_driver(engine: Engine, lab: Lab, folder: Path) -> Trials:
    """4: SIGTERM of the driver: ten seconds later, nothing is written. `kill -9`: its job is refused, then taken over.
    Same bytes."""
    with noted(folder / "notes"), engine.started(folder / "engine") as cluster:
        for name, number in (("SIGTERM", signal.SIGTERM), ("kill -9", signal.SIGKILL)):
            output = folder / f"run-{number.name}"
            run = Run(lab, cluster.processes, output, cluster.options())
            run.wait_for_a_range()
            run.process.send_signal(number)
            status = run.wait()
            if number == signal.SIGTERM:
                wrong = "" if status == 130 else f"status {status}"
                time.sleep(_DRAINED)
                before = digests(output, RUN_FILES)
                time.sleep(_DRAINED)
                wrong = wrong or difference(output, before)
                again = Run(lab, cluster.processes, output, cluster.options())
            else:
                refused = Run(lab, cluster.processes, output, cluster.options())
                wrong = _one_line(refused, 2) or ("" if "--take-over" in refused.last_line else refused.last_line)
                again = Run(lab, cluster.processes, output, cluster.options(), more=["--take-over"])
            yield f"{name} of the driver", _same(again, lab) or wrong


def deadly_picture(engine: Engine, lab: Lab, folder: Path) -> Trials:
    """5: a picture that kills the process with the model. At most three calls with it, one row `crash`, all other rows
    are those of the local engine, and no other chunk is computed again, so no task of another worker was restarted."""
    local = list(rows_of(lab.local_run()))
    chunk, deadly = local[len(local) // 2]
    digest, neighbours = deadly["image_digest"], {row["image_digest"] for path, row in local if path == chunk}
    with noted(folder / "notes", digest) as written, engine.started(folder / "engine") as cluster:
        run = Run(lab, cluster.processes, folder / "run", cluster.options())
        status = run.wait()
        calls = notes(written)
    failed = [row for _, row in rows_of(run.output) if row["error"]]
    other = differing(run.output, lab.expected(), "detections/")
    own = {f"detections/{chunk.parent.name}/{name}" for name in (chunk.name, f"{chunk.stem[:5]}.done.json")}
    again = {one for one, times in calls.items() if len(times) > 1} - neighbours
    wrong = {
        f"status {status}: {run.last_line}": status != 0,
        f"{len(failed)} rows failed": [row["image_digest"] for row in failed] != [digest],
        "the reason is not crash": any(row["error"]["reason"] != "crash" for row in failed),
        f"{len(calls.get(digest, ()))} calls": len(calls.get(digest, ())) > _CALLS,
        f"{counted(len(other - own), 'file')} of other chunks differ": other != own,
        f"{counted(len(again), 'picture')} of other chunks computed again": again,
        f"{len(run.workers())} workers": len(run.workers()) > engine.workers,
    }
    yield (
        f"a deadly picture: {len(calls.get(digest, ()))} calls",
        "; ".join(what for what, is_so in wrong.items() if is_so),
    )


def unfit_worker(engine: Engine, lab: Lab, folder: Path) -> Trials:
    """6: a worker of another version, and one that does not see the output. Status 3 in one line."""
    folder.mkdir(parents=True)
    for what, start, told in (
        ("a worker of another version", _OTHER_VERSION, "gritmill 9.9 here"),
        ("a worker that does not see the output", _OTHER_DISK, "not there, or not the folder that the driver sees"),
    ):
        worker = folder / f"worker-{len(list(folder.iterdir()))}"
        output = folder / f"{worker.name}-run"
        worker.write_text(start.format(output=output, python=sys.executable))
        worker.chmod(0o755)
        with (
            noted(folder / f"{worker.name}-notes"),
            engine.started(folder / f"{worker.name}-engine", worker=worker) as one,
        ):
            run = Run(lab, one.processes, output, one.options())
            wrong = _one_line(run, 3)
            yield f"{what}: {run.last_line}", wrong or ("" if told in run.last_line else "the line does not say so")


def unfit_engine(engine: Engine, lab: Lab, folder: Path) -> Trials:
    """7: no engine at the address, no such worker command, too few slots. One line within ten seconds;
    on Spark, when the first executor has started."""
    with engine.started(folder / "engine") as cluster:
        for position, (missing, options) in enumerate(cluster.unfit_options().items()):
            started = time.monotonic()
            run = Run(lab, cluster.processes, folder / f"run-{position}", options)
            wrong, seconds = _one_line(run, 2), time.monotonic() - started
            late = f"after {seconds:.0f} s" if seconds > engine.refuses_after else ""
            yield f"no {missing}: {run.last_line}", wrong or late


def orphans(engine: Engine, lab: Lab, folder: Path) -> Trials:
    """8: `kill -9` of the process that starts workers leaves none of these after five seconds, nor a child."""
    with noted(folder / "notes"), engine.started(folder / "engine") as cluster:
        for victim, word in engine.hosts.items():
            run = Run(lab, cluster.processes, folder / "run", cluster.options())
            run.wait_for_a_range()
            pid, workers = wait_for(
                f"a {victim} with a worker", partial(_with_workers, cluster.processes, word), _START_SECONDS
            )
            os.kill(pid, signal.SIGKILL)
            yield f"kill -9 of a {victim} with {counted(len(workers), 'process')} below it", _left(workers)


def _with_workers(processes: Processes, word: str) -> tuple[int, list[Running]] | None:
    """A process that has started a worker, and all processes below it."""
    for pid in processes.found(word):
        started = below(pid)
        if any(WORKER_PROCESS in one.command for one in started):
            return pid, started
    return None


def _left(workers: list[Running]) -> str:
    """Which of these processes live longer than five seconds; empty if none does."""
    pids = {one.pid for one in workers}

    def alive() -> list[Running]:
        return [one for one in running() if one.pid in pids]

    try:
        wait_for("their end", lambda: not alive(), _ORPHAN_SECONDS)
    except TimedOut:
        left = alive()
        return f"{len(left)} of them live on: {left[0].command}" if left else ""
    return ""


_OTHER_VERSION = """\
#!{python}
import importlib.metadata

real = importlib.metadata.version
importlib.metadata.version = lambda name: "9.9" if name == "gritmill" else real(name)

from gritmill.worker import main

main()
"""

_OTHER_DISK = """\
#!/bin/sh
exec unshare --map-root-user --mount sh -c 'mount -t tmpfs none "$0" && exec "$@"' {output} {python} \\
    -P -c 'from gritmill.worker import main; main()' "$@"
"""

ROWS: dict[int, Row] = {
    1: clean_run,
    2: killed_worker,
    3: killed_engine,
    4: ended_driver,
    5: deadly_picture,
    6: unfit_worker,
    7: unfit_engine,
    8: orphans,
}

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


def _one_line(run: Run, status: int) -> str:
    """What is wrong with the end of a run that should be one line with a status, after lines about its progress."""
    found = run.wait()
    if found != status:
        return f"status {found} instead of {status}: {run.last_line}"
    *before, last = [*run.lines] or [""]
    if not last.startswith("gritmill: "):
        return "no line of gritmill"
    if _EXCEPTION.match(last):
        return "an exception, not a line for people"
    others = [line for line in before if not _PROGRESS.match(line)]
    return f"{counted(len(others), 'line')} before it: {others[0]}" if others else ""


def _late(run: Run) -> str:
    """What is wrong if `ground` has done everything, so that what was killed just now was of no use any more."""
    return "" if run.finished_ranges() < TARS else "ground had done everything when the kill hit"


def _kill(cluster: Cluster, word: str, turn: int = 0) -> None:
    """Kills a process of an engine with -9, and waits until it is gone. turn: which one, if there are several."""
    pids = wait_for(f"a process {word}", lambda: cluster.processes.found(word), 60)
    pid = pids[turn % len(pids)]
    os.kill(pid, signal.SIGKILL)
    wait_for("its end", lambda: pid not in cluster.processes.found(word), 60)
