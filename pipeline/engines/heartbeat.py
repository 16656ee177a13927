"""Heartbeats: small files in which the driver and the workers of a run on an engine say that they are alive.

A process rewrites its file every 20 seconds, with a number of beats and a counter of what it has done. It removes the
file when it writes nothing more: at its end, or when its lease is revoked and no step is in progress. Until then, a
process with a revoked lease rewrites it only while it is still changing a file of the run, which a store may finish
minutes later. Others see that a file changes; they never compare its times with their own clock.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import ClassVar

from pipeline import files, layout
from pipeline.files.guards import is_changing, unguarded
from pipeline.files.holder import Holder, this_process
from pipeline.files.lease import Lease
from pipeline.files.typed import find_typed, publish_typed
from transforms.read_ahead import map_in_threads

BEAT_SECONDS = 20.0
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Beat:
    """The content of a heartbeat.

    beats: how many times it was written. counter: grows with each batch, read, upload or loaded model. step: what the
    process does now.
    """

    REMEDY: ClassVar[str] = "remove it if the process has ended"

    process: Holder
    beats: int
    counter: int
    step: str


_counter = 0
_step = ""


def advance(step: str = "") -> None:
    """Says that this process has done something: a batch, a read, an upload, or loading a model. step: what it is."""
    global _counter, _step
    _counter += 1  # two threads may count as one: only that it changes matters
    _step = step or _step


def counter() -> int:
    """How much this process has done."""
    return _counter


class Heart:
    """Writes the heartbeat of this process under a lease, in a thread, from `start` on.

    name: of the file; "" for that of a worker. tick: called every 20 seconds; for tests.
    """

    def __init__(self, lease: Lease, name: str = "") -> None:
        self._lease = lease
        self._process = this_process()
        self._uri = files.join(lease.folder, layout.heartbeat(lease.run_id, name or self._process.name))
        self._beats = 0
        self._working = 0
        self._beaten = float("-inf")
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="heartbeat")

    def start(self) -> None:
        """Begins to beat."""
        self._thread.start()

    def start_now(self) -> None:
        """Begins to beat. The first beat is written on return: whoever revokes the lease after that sees it.

        Raises what writing a file raises.
        """
        self._write()
        self._thread.start()

    def stop(self) -> None:
        """Removes the file, and beats no more."""
        self._stopped.set()
        self._wake.set()
        self._thread.join(5.0)

    @contextmanager
    def working(self, step: str) -> Iterator[None]:
        """While the block runs, the file stays even if the lease is revoked: something may still be written."""
        advance(step)
        with self._lock:
            self._working += 1
        try:
            yield
        finally:
            with self._lock:
                self._working -= 1
            advance()
            with suppress(Exception):  # the step itself asks, too
                if self._lease.is_revoked():
                    self._wake.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            with suppress(Exception):  # a beat that fails is replaced by the next one
                if self._lease.is_revoked(now=True):
                    break
                self._write()
                if self._lease.is_revoked(now=True):  # whoever revoked it may have removed the file before
                    break
            self._wake.wait(BEAT_SECONDS)
            self._wake.clear()
        while self._working and not self._stopped.wait(_POLL_SECONDS):
            if is_changing() and time.monotonic() - self._beaten >= BEAT_SECONDS:
                with suppress(Exception):
                    self._write()
        with suppress(Exception), unguarded():
            files.delete([self._uri])

    def _write(self) -> None:
        self._beats += 1
        self._beaten = time.monotonic()
        with unguarded():
            publish_typed(self._uri, Beat(self._process, self._beats, _counter, _step))


_hearts: dict[tuple[Lease, int], Heart] = {}
_hearts_lock = threading.Lock()


def of_worker(lease: Lease) -> Heart:
    """The heart of this process under a lease. It begins to beat with the first call, which raises what writing a file
    raises."""
    with _hearts_lock:
        key = lease, this_process().pid
        if key not in _hearts:
            heart = Heart(lease)
            heart.start_now()
            _hearts[key] = heart
        return _hearts[key]


class Beats:
    """Reads the heartbeats below a run folder again and again.

    run_id: only those of this run; "": of all runs but `without`.
    """

    def __init__(self, folder: str, run_id: str = "", without: str = "") -> None:
        self._folder = files.join(folder, layout.HEARTBEATS)
        self._run_id, self._without = run_id, without
        self._stamps: dict[str, tuple[int, float]] = {}
        self._known: dict[str, Beat] = {}

    def look(self) -> dict[str, Beat]:
        """The heartbeats by URI. Reads only the files that have changed since the last look."""
        found = {}
        for info in files.list_folder(self._folder, f"{self._run_id or '*'}/*.json"):
            run_id, name = info.uri.split("/")[-2:]
            if run_id != self._without and not name.startswith(layout.TEMPORARY):
                found[info.uri] = (info.size, info.stamp)
        changed = [uri for uri, stamp in found.items() if not stamp[1] or self._stamps.get(uri) != stamp]
        for uri, beat in zip(changed, map_in_threads(_read, changed), strict=True):
            if beat:
                self._known[uri] = beat
        self._known = {uri: beat for uri, beat in self._known.items() if uri in found}
        self._stamps = {uri: stamp for uri, stamp in found.items() if uri in self._known}
        return dict(self._known)


def _read(uri: str) -> Beat | None:
    """The heartbeat in a file; None if it is removed, or damaged: the next beat replaces it."""
    with suppress(Exception):
        return find_typed(uri, Beat)
    return None
