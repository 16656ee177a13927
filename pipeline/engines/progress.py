"""Progress of a run, from committed chunks and, on a local disk, from a small file of each worker."""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from glob import escape, glob
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from pipeline.engines.pace import Pace
from pipeline.faults import printable
from pipeline.files.run_log import RunLog
from pipeline.layout import PROGRESS

_BAR_SECONDS = 1.0
_LINE_SECONDS = 10.0
_REMOTE_SECONDS = 30.0
_SHARE = 10
"""The pause before the next look is at least this many times as long as the last one, which lists an object store: 200
requests for 100,000 chunks."""
_LAST_LOOK_SECONDS = 10.0


@dataclass(frozen=True)
class State:
    """How far a run is.

    done: pairs or shards, of earlier runs too. share: of all work, 0..1; if it is 0 and something is done, it is not
    known. total: of pairs or shards; None if unknown.
    earlier: how many of `done` earlier runs did; None if not known yet. working: the work of which nothing is done yet.
    """

    done: int
    share: float
    total: int | None = None
    earlier: int | None = 0
    working: str = ""

    def counted(self, done: int, unit: str) -> str:
        """A number of pairs or shards, with their total if it is known."""
        of_total = "" if self.total is None or done > self.total else f" of {self.total:,}"
        return f"{done:,}{of_total} {unit}"


@dataclass(frozen=True)
class ChunkInWork:
    """What a worker says about its chunk.

    pairs: finished. chunk: its name; empty if there is none. size: its pairs. loading: the stage whose model is being
    loaded, or empty. since: Unix time of the start of the chunk, or of that loading. next: the position of the next
    chunk in the source, as in `Timing`.
    """

    pairs: int
    chunk: str = ""
    size: int = 0
    since: float = 0.0
    loading: str = ""
    next: Mapping[str, Any] | None = field(default_factory=dict)


@dataclass
class WorkerProgress:
    """Rewrites the progress file of a worker's thread: at the start and end of a chunk, else at most twice a second.

    clock: Unix time.
    """

    folder: str
    _last: float = 0.0
    clock: Callable[[], float] = time.time
    _chunks: dict[int, ChunkInWork] = field(default_factory=dict)

    def begin(self, chunk: str, size: int, next_position: Mapping[str, Any] | None) -> None:
        """Says that a chunk of `size` pairs is in work, and where the next one starts; None after the last one."""
        self._chunks[threading.get_ident()] = ChunkInWork(0, chunk, size, self.clock(), next=next_position)
        self(0)

    def end(self) -> None:
        """Says that the chunk is about to be committed."""
        self._chunks.pop(threading.get_ident(), None)
        self(0)

    @contextmanager
    def loading(self, stage: str) -> Iterator[None]:
        """Says that the model of a stage is being loaded while the block runs. Does nothing without a chunk."""
        thread = threading.get_ident()
        chunk = self._chunks.get(thread)
        if chunk is None:
            yield
            return
        self._chunks[thread] = replace(chunk, loading=stage, since=self.clock())
        self(0)
        try:
            yield
        finally:
            self._chunks[thread] = chunk
            self(0)

    def __call__(self, pairs: int) -> None:
        now = time.monotonic()
        if pairs == 0 or now - self._last > 0.5:
            self._last = now
            thread = threading.get_ident()
            content: dict[str, Any] = {"pairs": pairs}
            if chunk := self._chunks.get(thread):
                content |= {name: value for name, value in vars(chunk).items() if name != "pairs"}
            path = os.path.join(self.folder, f"{PROGRESS}{os.getpid()}-{thread}.json")
            # A run must not fail because of its progress. Of a position that is no JSON, the commit says so.
            with suppress(OSError, TypeError, ValueError):
                with open(path + "~", "w", encoding="ascii") as file:
                    json.dump(content, file)
                os.replace(path + "~", path)


def chunks_in_work(folder: str) -> list[ChunkInWork]:
    """What the local workers say about their chunks."""
    found = []
    for path in glob(os.path.join(escape(folder), f"{PROGRESS}*.json")):
        with suppress(Exception), open(path, encoding="ascii") as file:
            said = json.load(file)
            chunk, size, since = said.get("chunk", ""), said.get("size", 0), said.get("since", 0.0)
            loading, position = str(said.get("loading", "")), said.get("next", {})
            position = None if position is None else dict(position)
            found.append(ChunkInWork(int(said["pairs"]), str(chunk), int(size), float(since), loading, position))
    return found


def describe_silent(chunks: Iterable[ChunkInWork], now: float) -> str:
    """The chunks of which no pair is reported as finished: the oldest one, with its time, or the model that it waits
    for. Empty if there are none.

    A detector without `progress` never reports one. now: Unix time.
    """
    silent = [chunk for chunk in chunks if chunk.chunk and not chunk.pairs]
    if not silent:
        return ""
    oldest = min(silent, key=lambda chunk: (chunk.since, chunk.chunk))
    duration = _duration(max(now - oldest.since, 0.0))
    if oldest.loading:
        return f"loading the model of {oldest.loading} for {duration}"
    others = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
    return f"chunk {oldest.chunk} ({oldest.size:,} pairs){others} in work for {duration}"


def delete_progress_files(folder: str) -> None:
    """Removes the workers' progress files."""
    for path in glob(os.path.join(escape(folder), f"{PROGRESS}*")):
        os.remove(path)


def tell(title: str, line: str, quiet: bool) -> None:
    """Prints a line on standard error, unless `quiet` or without one, as in a daemon."""
    if not quiet and sys.stderr is not None:  # print(file=None) would write to standard output
        print(f"{title}: {line}", file=sys.stderr, flush=True)


def announce(title: str, lines: Iterable[str], quiet: bool, log: RunLog | None) -> None:
    """Prints lines about the engine on standard error, unless `quiet`, and logs them."""
    for line in lines:
        tell(title, printable(line), quiet)
        if log:
            log.note("engine", f"{title}: {line}")


News = Callable[[], Iterable[tuple[str, str]]]
"""Returns what has happened since its last call, as events and texts for the log."""


@contextmanager
def show_progress(
    title: str,
    unit: str,
    state: Callable[[], State],
    quiet: bool = False,
    local: bool = True,
    log: RunLog | None = None,
    news: News = tuple,
    lines: bool = True,
) -> Iterator[None]:
    """Shows `state()` on standard error while the block runs: a bar on a terminal, else a line every ten seconds, if
    `lines` are wanted.

    Args:
      local: whether `state` is cheap. If False, it lists an object store, and is called at most every 30 seconds.
      log: gets the news, also if `quiet`.
    """
    # None: a process without standard error, such as a daemon
    quiet = quiet or sys.stderr is None or not (lines or sys.stderr.isatty())
    if quiet and log is None:
        yield
        return
    on_terminal = not quiet and sys.stderr.isatty()
    display = _Bar(title, unit) if on_terminal else _Nothing() if quiet else _Lines(title, unit)
    every = _BAR_SECONDS if on_terminal else _LINE_SECONDS
    watch = _Watch(title, unit, _safe(state), log, news, display)
    ended = threading.Event()
    pause = every if local else max(every, _REMOTE_SECONDS)
    thread = threading.Thread(target=watch.run, args=(ended, pause), daemon=True, name="progress")
    try:
        display.open()
        thread.start()
        yield
    finally:
        ended.set()
        with suppress(RuntimeError):  # interrupted before it started
            thread.join(timeout=_LAST_LOOK_SECONDS)
        display.close()


def _safe(state: Callable[[], State]) -> Callable[[], State]:
    """Wraps `state`: if it raises, returns its last result, because a run must not fail because of its progress."""
    last = State(0, 0.0, earlier=None)

    def ask() -> State:
        nonlocal last
        with suppress(Exception):
            last = state()
        return last

    return ask


class _Display(Protocol):
    at_once: bool

    def open(self) -> None: ...

    def say(self, line: str) -> None: ...

    def show(self, state: State, pace: Pace, now: float, elapsed: float) -> None: ...

    def close(self) -> None: ...


class _Watch:
    """Asks for the state of a run again and again, shows it, and logs what is new."""

    def __init__(
        self, title: str, unit: str, state: Callable[[], State], log: RunLog | None, news: News, display: _Display
    ) -> None:
        self._title, self._unit, self._state = title, unit, state
        self._log, self._news, self._display = log, news, display
        self._pace = Pace()
        self._highest = State(0, 0.0)
        self._started = False
        self._seconds = 0.0  # of the last look

    def run(self, ended: threading.Event, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Runs until `ended`. The last look is for the log only."""
        begin = clock()
        try:
            state = self._look(clock(), self._display)
            if self._display.at_once:
                self._display.show(state, self._pace, begin, 0.0)
            while not ended.wait(max(pause, _SHARE * self._seconds)):
                now = clock()
                state = self._look(now, self._display)
                self._display.show(state, self._pace, now, now - begin)
        finally:
            self._display.close()
        if self._log:
            self._look(clock(), _Nothing())

    def _look(self, now: float, display: _Display) -> State:
        started = time.monotonic()
        state = self._state()
        self._seconds = time.monotonic() - started
        # A chunk that is about to be committed counts neither as in work nor as done.
        state = replace(state, done=max(state.done, self._highest.done), share=max(state.share, self._highest.share))
        self._highest = state
        if state.earlier is not None:
            if not self._started and state.earlier:
                line = f"{state.counted(state.earlier, self._unit)} are done"
                display.say(f"{self._title}: resuming: {line}")
                self._note("resume", f"{self._title}: {line}")
            self._started = True
            self._pace.add(now, state.done, state.share)
        with suppress(Exception):
            for event, text in self._news():
                self._note(event, text)
        return state

    def _note(self, event: str, text: str) -> None:
        if self._log:
            self._log.note(event, text)


class _Nothing:
    at_once = False

    def open(self) -> None:
        pass

    def say(self, line: str) -> None:
        pass

    def show(self, state: State, pace: Pace, now: float, elapsed: float) -> None:
        pass

    def close(self) -> None:
        pass


class _Lines(_Nothing):
    def __init__(self, title: str, unit: str) -> None:
        self._title, self._unit = title, unit

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def show(self, state: State, pace: Pace, now: float, elapsed: float) -> None:
        self.say(f"{self._title}: {describe(state, self._unit, pace, now, elapsed)}")


class _Bar:
    at_once = True

    def __init__(self, title: str, unit: str) -> None:
        self._unit = unit
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            # Of all columns, a narrow terminal cuts only this one: it alone has a ratio.
            TextColumn("{task.fields[text]}", table_column=Column(ratio=1, no_wrap=True)),
        )
        # rich would move what is printed meanwhile to standard error: only where both are the terminal.
        printed = sys.stdout is not None and sys.stdout.isatty()
        self._bar = Progress(
            *columns, console=Console(stderr=True), transient=True, expand=True, redirect_stdout=printed
        )
        self._task = self._bar.add_task(title, total=None, text="")  # moves to and fro until a share is known

    def open(self) -> None:
        self._bar.start()

    def say(self, line: str) -> None:
        self._bar.console.print(line, markup=False, highlight=False)

    def show(self, state: State, pace: Pace, now: float, elapsed: float) -> None:
        total = 1.0 if state.share else None
        self._bar.update(self._task, total=total, completed=state.share, text=describe(state, self._unit, pace, now))

    def close(self) -> None:
        self._bar.stop()


def describe(state: State, unit: str, pace: Pace, now: float, elapsed: float | None = None) -> str:
    """The state in one line: share, if it is known, number, pace, time left.

    Before there is a pace, it says no time left, but the time since the start of this run (`elapsed`, if given).
    """
    rate, left = pace.rate(now), pace.seconds_left(now)
    percent = "<1%" if 0 < state.share < 0.01 else f"{int(state.share * 100)}%"
    parts = [percent] if state.share or not state.done else []
    parts += [state.counted(state.done, unit)]
    parts += [f"{rate:.1f}/s"] if rate is not None else []
    if left is not None:
        parts.append(f"{_duration(left)} left")
    elif elapsed is not None:
        parts.append(f"{_duration(elapsed)} elapsed")
    return ", ".join([*parts, *filter(None, [state.working])])


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
