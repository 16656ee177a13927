"""Progress of a run, from committed chunks and, on a local disk, from a small file of each worker."""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import escape, glob

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from pipeline.layout import PROGRESS

_BAR_SECONDS = 1.0
_LINE_SECONDS = 10.0
_REMOTE_SECONDS = 30.0


@dataclass(frozen=True)
class State:
    """How far a run is: pairs or shards done, and the share of all work, 0..1."""

    done: int
    share: float


@dataclass
class WorkerProgress:
    """Rewrites a worker's progress file, at most twice a second. 0 pairs: the chunk is about to be committed."""

    folder: str
    _last: float = 0.0

    def __call__(self, pairs: int) -> None:
        now = time.monotonic()
        if pairs == 0 or now - self._last > 0.5:
            self._last = now
            path = os.path.join(self.folder, f"{PROGRESS}{os.getpid()}-{threading.get_ident()}.json")
            with suppress(OSError):  # a run must not fail because of its progress
                with open(path + "~", "w", encoding="ascii") as file:
                    json.dump({"pairs": pairs}, file)
                os.replace(path + "~", path)


def pairs_in_progress(folder: str) -> int:
    """The number of finished pairs in chunks that are not committed yet."""
    total = 0
    for path in glob(os.path.join(escape(folder), f"{PROGRESS}*.json")):
        with suppress(Exception), open(path, encoding="ascii") as file:  # a damaged file leaves out its own pairs
            total += int(json.load(file)["pairs"])
    return total


def delete_progress_files(folder: str) -> None:
    """Removes the workers' progress files."""
    for path in glob(os.path.join(escape(folder), f"{PROGRESS}*")):
        os.remove(path)


@contextmanager
def show_progress(
    title: str, unit: str, state: Callable[[], State], quiet: bool = False, local: bool = True
) -> Iterator[None]:
    """Shows `state()` on standard error while the block runs: a bar on a terminal, else a line every ten seconds.

    local: whether `state` is cheap. If False, it lists an object store, and is called at most every 30 seconds.
    """
    if quiet or sys.stderr is None:  # None: a process without standard error, such as a daemon
        yield
        return
    ended = threading.Event()
    state = _safe(state)
    display, every = (_bar, _BAR_SECONDS) if sys.stderr.isatty() else (_lines, _LINE_SECONDS)
    pause = every if local else max(every, _REMOTE_SECONDS)
    thread = threading.Thread(target=display, args=(title, unit, state, ended, pause), daemon=True, name="progress")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=2)


def _safe(state: Callable[[], State]) -> Callable[[], State]:
    """Wraps `state`: if it raises, returns its last result, because a run must not fail because of its progress."""
    last = State(0, 0.0)

    def ask() -> State:
        nonlocal last
        with suppress(Exception):
            last = state()
        return last

    return ask


def _bar(title: str, unit: str, state: Callable[[], State], ended: threading.Event, pause: float) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[done]} {task.fields[unit]}  {task.fields[rate]}/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    first, started = state(), time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=1.0, done=first.done, unit=unit, rate="-")
        progress.update(task, completed=first.share)
        while not ended.wait(pause):
            current = state()
            rate = (current.done - first.done) / (time.monotonic() - started)
            progress.update(task, completed=current.share, done=current.done, rate=f"{rate:.1f}")


def _lines(title: str, unit: str, state: Callable[[], State], ended: threading.Event, pause: float) -> None:
    first, started = state(), time.monotonic()
    while not ended.wait(pause):
        current, elapsed = state(), time.monotonic() - started
        rate, gained = (current.done - first.done) / elapsed, current.share - first.share
        remaining_time = f", {_duration((1 - current.share) * elapsed / gained)} left" if gained > 0 else ""
        print(
            f"{title}: {current.share:.0%}, {current.done} {unit}, {rate:.1f}/s{remaining_time}",
            file=sys.stderr,
            flush=True,
        )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
