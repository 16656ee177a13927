"""Checks the shards of a run in several processes, a shard each. The findings are those of one process.

One process compares records with detections that it reads forward through all shards. A process that starts with a
later shard does not know where the shard before ends: it looks for the chunk of its first record, near to where this
should be. The parent learns where the shard before did end, and whether one process had found the same chunk from
there. If not, which needs a damaged run, it starts again with that shard from the right place.
"""

import pickle
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, chain
from operator import itemgetter
from typing import NamedTuple

from gritmill.validation.detections import PackedRows
from gritmill.validation.manifest import Shard, Sums
from gritmill.validation.record import Record
from gritmill.validation.shard import Finding, ShardCheck
from pipeline import files, layout
from pipeline.engines.worker import collect_rarely
from pipeline.faults import EnvironmentFault, RunFault, WorkerDied
from transforms.isolation.child_pool import stream_from_children
from transforms.isolation.child_process import ChildDied, note

_BATCH_SECONDS = 1.0
_ENTRY_COST = 200
_BATCH_COST, _MAX_COST = 1 << 18, 8 << 20
"""Bytes of findings in a message, and of those of a shard that wait for earlier shards: of 40,000 sound samples, while
a shard has 10,000. An entry has 200 bytes besides its text."""


class _Place(NamedTuple):
    """The chunk that has the first record of a shard with a uid; None if none was found."""

    uid: str
    at: int | None


class _End(NamedTuple):
    """What is known after a shard. at: where the detections were read last; None: they were not read. damaged: they
    cannot be read any further."""

    sums: Sums | None
    at: int | None
    damaged: bool


_Batch = tuple[int, list[tuple[str, str, str] | _Place]]
"""What it costs to keep the entries, in bytes, and the entries: the fields of findings, and before the first one that
depends on it, the place."""


@dataclass
class ChildChecks:
    """Checks shards in processes. check: what one process would do; gets the sums of each shard."""

    check: ShardCheck
    shards: Sequence[Shard]
    processes: int
    _yielded: int = 0
    """Findings of the current shard."""

    def findings(self) -> Iterator[Finding]:
        """Yields the findings of all shards, in order.

        Raises:
          WorkerDied: a process was killed.
        """
        while len(self.check.sums) < len(self.shards):
            yield from self._until_misplaced()

    def _until_misplaced(self) -> Iterator[Finding]:
        guesses = deque[int | None]()
        tasks = self._tasks(guesses)
        with closing(stream_from_children(_check_shard, tasks, self.processes, itemgetter(0), _MAX_COST)) as streams:
            for stream in streams:
                if guesses.popleft() is not None and (self.check.rows is None or self.check.rows.lost):
                    return
                again = self._yielded
                try:
                    for _, entries in stream:
                        for entry in entries:
                            if isinstance(entry, _Place):
                                if not self._is_next(entry):
                                    return
                            elif again:
                                again -= 1
                            else:
                                yield Finding(*entry)
                                self._yielded += 1
                    self._add(stream.result())
                except ChildDied as death:
                    tar = self.shards[len(self.check.sums)].tar
                    cure = "if the memory was not enough, use fewer --processes"
                    raise WorkerDied(f"{tar}: the process that checked it died ({death}); {cure}") from death

    def _tasks(self, guesses: deque[int | None]) -> Iterator[tuple[bytes, int, Shard, int | None]]:
        """Yields the arguments of `_check_shard`, and adds the guess of each to `guesses`."""
        data, rows = pickle.dumps(replace(self.check, sums=[])), self.check.rows
        first, known = len(self.check.sums), rows is None or rows.lost
        before = [0, *accumulate(shard.samples for shard in self.shards)]
        for number in range(first, len(self.shards)):
            guess = None
            if rows and not known and number > first:
                done = len(self.check.sums)
                share = (before[number] - before[done]) / max(1, before[-1] - before[done])
                guess = rows.at + int(share * (len(rows.chunks) - rows.at))
            guesses.append(guess)
            yield data, number, self.shards[number], guess

    def _add(self, end: _End) -> None:
        self.check.sums.append(end.sums)
        self._yielded = 0
        if end.damaged:
            self.check.rows = None
        elif self.check.rows and end.at is not None:
            self.check.rows.at = end.at

    def _is_next(self, place: _Place) -> bool:
        """Whether one process, which is where the shard before ends, would find the record in the same chunk."""
        rows = self.check.rows
        if rows is None or place.at is None or place.at < rows.at:
            return False
        try:
            return not any(place.uid in rows.uids(number) for number in range(rows.at, place.at))
        except RunFault:
            return False


def _check_shard(data: bytes, number: int, shard: Shard, guess: int | None) -> _End:
    """In a child: checks a shard and sends its findings in batches.

    data: a pickled `ShardCheck`. guess: the chunk in which the shard may begin; None: it is as in `data`.
    """
    common = _prepared(data)
    rows, searched = replace(common.rows) if common.rows else None, None
    if rows and guess is not None:
        rows = searched = _SearchedRows(**vars(rows) | {"at": guess})
    check = replace(common, rows=rows, sums=[])
    entries: list[tuple[str, str, str] | _Place] = []
    cost, sent, placed = 0, time.monotonic(), False
    for one in chain(check.shard(number, shard), [None]):
        if searched and searched.place and not placed:
            entries.append(searched.place)
            placed = True
        if one:
            entries.append((one.shard, one.key, one.text))
            cost += _ENTRY_COST + len(one.text)
        if not one or cost > _BATCH_COST or time.monotonic() > sent + _BATCH_SECONDS:
            note((cost, entries))
            entries, cost, sent = [], 0, time.monotonic()
    at = None if rows is None or (searched and not placed) else rows.at
    return _End(check.sums[0], at, damaged=bool(rows and not check.rows))


@lru_cache(maxsize=1)
def _prepared(data: bytes) -> ShardCheck:
    check: ShardCheck = pickle.loads(data)
    if not files.exists(files.join(check.folder, layout.MANIFEST)):
        text = f"{check.folder}: another process finds no {layout.MANIFEST} there; use --processes 1"
        raise EnvironmentFault(text)
    check.rules.allow_pixels()
    collect_rarely()
    return check


@dataclass
class _SearchedRows(PackedRows):
    """Rows from the chunk on that has the first record. at: a guess of it."""

    place: _Place | None = None

    def faults(self, record: Record, sheet: Counter[str]) -> Iterator[str]:
        """As `PackedRows.faults`."""
        if self.place is None:
            self.place = _Place(record.uid, self.nearest(record.uid, self.at))
            self.at = len(self.chunks) + 1 if self.place.at is None else self.place.at
        return super().faults(record, sheet)
