"""Attempts at chunks: which process works on a chunk, and how many processes died while they did.

A worker writes a record when its model starts on a chunk, or, if images are checked in the worker itself, when it reads
the chunk. The record is removed when the chunk is committed. If it remains and its process has ended, this is one more
death at the chunk. One death blames nobody: an engine ends workers for many reasons, and a process may leave records of
several chunks. After two, the chunk is processed with care (see `transforms.isolation.isolated_model`). A model that
runs in a child process blames its chunk with each death of the child, because the worker sees it.

A run that stops for another reason than a death (an interrupt, a full disk) clears "working" in the remaining records.
"""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import ClassVar

from pipeline import files, layout
from pipeline.engines import heartbeat
from pipeline.engines.signs_of_life import QUIET_SECONDS
from pipeline.faults import EnvironmentFault
from pipeline.files.holder import Holder, is_gone, is_running, this_process
from pipeline.files.typed import find_typed, publish_typed, read_typed
from pipeline.ids import ChunkId

BLAMED_AFTER = 2
"""So many workers that died at a chunk, one after the other, are its fault."""

_MOST_LOOKS = int(QUIET_SECONDS) + 15
"""One a second. After `QUIET_SECONDS`, the answer is known, unless the storage hangs."""


@dataclass(frozen=True)
class Mark:
    """Who works on a chunk, or did. run: the id of the call of gritmill that it belongs to. beats: whether the process
    has a heartbeat, as workers of an engine have."""

    run: str
    holder: Holder
    beats: bool = False


@dataclass(frozen=True)
class Attempts:
    """The content of a record.

    deaths: how many workers died at the chunk. working: whether an attempt is in progress, or has ended in a death.
    child_deaths: how many child processes with a model died at the chunk. mark: of the attempt; None in records of
    release 0.1. earlier: attempts on other hosts, of which it was not known whether they ended in a death.
    """

    REMEDY: ClassVar[str] = "remove it"

    deaths: int
    working: bool
    child_deaths: int = 0
    mark: Mark | None = None
    earlier: tuple[Mark, ...] = ()

    @property
    def crashes(self) -> int:
        """How many deaths are the fault of the chunk."""
        return self.child_deaths + (self.deaths if self.deaths >= BLAMED_AFTER else 0)

    @property
    def suspected(self) -> bool:
        """Whether a process died at the chunk."""
        return bool(self.deaths or self.child_deaths)


NONE = Attempts(0, False)


@dataclass(frozen=True)
class AttemptLog:
    """The records of a run. It is sent to the workers with the graph.

    folder: the detections. run: the id of the call. in_child: whether models and the check of images run in child
    processes. has_ended: on an engine, whether a worker of the call has ended; the answer is None as long as it is not
    known. killed: the workers of earlier calls that were killed.
    """

    folder: str
    run: str = ""
    in_child: bool = False
    has_ended: Callable[[Holder], bool | None] | None = None
    killed: Collection[Holder] = ()

    def reading(self, chunk: ChunkId) -> Attempts:
        """Called when a worker starts to read a chunk, perhaps while its model works on an earlier one."""
        return NONE if self.in_child else self.begin(chunk)

    def begin(self, chunk: ChunkId, sleep: Callable[[float], object] = time.sleep) -> Attempts:
        """Records the start of an attempt by this process. Returns the record.

        If another host was at the chunk, this waits for a minute at most until its heartbeat says whether its worker
        has died. Only chunks that a lost host left wait, and a chunk that kills workers would cost more.
        """
        record = self.find(chunk)
        for _ in range(_MOST_LOOKS if self.has_ended else 0):
            if not record.earlier:
                break
            heartbeat.advance("wait for the heartbeat of another worker")
            sleep(1.0)
            record = self.find(chunk)
        record = replace(record, working=True, mark=self._own_mark())
        publish_typed(self._uri(chunk), record)
        return record

    def find(self, chunk: ChunkId) -> Attempts:
        """The record of a chunk as another attempt sees it: attempts that have ended are counted.

        Without deaths if the record is damaged: no row depends on it.
        """
        with suppress(EnvironmentFault):
            record = find_typed(self._uri(chunk), Attempts) or NONE
            if record.working and record.mark is None:
                return Attempts(record.deaths + 1, False)
            marks = [*record.earlier, *([record.mark] if record.working and record.mark else ())]
            died = {mark: self._has_died(mark) for mark in marks}
            unknown = tuple(mark for mark in marks if died[mark] is None)
            return Attempts(record.deaths + sum(map(bool, died.values())), False, record.child_deaths, None, unknown)
        return NONE

    def add_child_death(self, chunk: ChunkId) -> None:
        """Counts the death of a child process at a chunk that this process works on."""
        record = self.find(chunk)
        deaths = record.child_deaths + 1
        publish_typed(self._uri(chunk), replace(record, working=True, mark=self._own_mark(), child_deaths=deaths))

    @contextmanager
    def releasing(self, chunk: ChunkId) -> Iterator[None]:
        """On an engine, ends the attempt if the block raises, because the process has not died. Elsewhere, the driver
        does this."""
        try:
            yield
        except Exception:
            with suppress(Exception):
                if self.in_child:
                    self.release(chunk)
            raise

    def release(self, chunk: ChunkId) -> None:
        """Ends an attempt that did not end in a commit, and not in a death."""
        record = self.find(chunk)
        if record.suspected or record.earlier:
            publish_typed(self._uri(chunk), record)
        else:
            end(self.folder, chunk)

    def _own_mark(self) -> Mark:
        return Mark(self.run, this_process(), self.has_ended is not None)

    def _has_died(self, mark: Mark) -> bool | None:
        if is_running(mark.holder):
            return False
        if mark.run != self.run:
            # Only one call uses a folder at a time, so the workers of another one have ended. Those with a heartbeat
            # may have ended because their lease was revoked: such steps end without an exception.
            return mark.holder in self.killed if mark.beats else True
        if is_gone(mark.holder):
            return True
        with suppress(Exception):  # of a store that does not answer now
            return self.has_ended(mark.holder) if self.has_ended else None
        return None

    def _uri(self, chunk: ChunkId) -> str:
        return files.join(self.folder, layout.working(chunk))


def end(detections: str, chunk: ChunkId) -> None:
    """Removes the record of a committed chunk."""
    files.delete([files.join(detections, layout.working(chunk))])


def clear_in_progress(detections: str, of: Collection[int] | None = None) -> None:
    """Clears "working" in all records, or in those of some processes of this host, because they were not killed by a
    chunk. Deletes a record that it cannot read or write."""
    for info in files.list_folder(detections, layout.ALL_WORKING):
        try:
            record = read_typed(info.uri, Attempts)
            if of is None or (record.mark and record.mark.holder.pid in of):
                publish_typed(info.uri, replace(record, working=False, mark=None, earlier=()))
        except (OSError, EnvironmentFault):
            with suppress(Exception):  # the disk may refuse deletions too
                files.delete([info.uri])


def delete_all(detections: str) -> None:
    """Removes all records."""
    files.delete([info.uri for info in files.list_folder(detections, layout.ALL_WORKING)])
