"""The progress of a run of `ground`, computed from committed chunks."""

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from statistics import mean
from typing import Any

from pipeline import files, layout
from pipeline.engines import progress
from pipeline.faults import SourceFault
from pipeline.files.typed import read_many, read_typed
from pipeline.ground import retry
from pipeline.ground.chunks import FAULT
from pipeline.ids import ChunkId, RangeId
from pipeline.plan.plan import Plan
from pipeline.source_kinds import unpacked_name
from pipeline.tables.detections import detections_of
from pipeline.tables.range_summary import RangeSummary, Timing
from pipeline.tables.table import Listing, Table
from transforms.wording import counted


class GroundProgress:
    """The progress of a run. All tables have equal weight.

    The share of a table is that of all pairs if their number is known, else that of all source bytes. Of a source that
    is read only forward (a compressed file, an Arrow file), nobody knows how many of its bytes a chunk has; they count
    when the source is finished. Pairs are counted in the last table, where they are complete.

    Create it before the run starts: what the tables have then, as `listings` say, was done earlier, except chunks that
    are to be processed again.
    """

    def __init__(
        self,
        plan: Plan,
        tables: Mapping[str, Table],
        listings: Mapping[str, Listing],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = detections_of(tables)
        self._tables = [
            _TableProgress(
                plan,
                table,
                listings[name],
                [tables[parent] for parent in table.parents],
                retry.pending(table),
            )
            for name, table in tables.items()
        ]
        counts = [spec.pairs for source in plan.sources for spec in source.ranges]
        self._total = None if None in counts else sum(filter(None, counts))
        self._earlier: int | None = None
        self._clock = clock

    def state(self) -> progress.State:
        """Committed pairs; on a local disk, plus the finished pairs of chunks that workers are processing."""
        last = self._tables[-1]
        if self._earlier is None:
            for table in self._tables:
                table.count_earlier()
            self._earlier = last.pairs
        for table in self._tables:
            table.update()
        chunks = progress.chunks_in_work(self._folder) if files.is_local(self._folder) else []
        in_progress = sum(chunk.pairs for chunk in chunks)
        share = mean(table.share for table in self._tables) + sum(map(last.share_in_work, chunks))
        working = progress.describe_silent(chunks, self._clock())
        return progress.State(last.pairs + in_progress, min(share, 1.0), self._total, self._earlier, working)

    def news(self) -> Iterator[tuple[str, str]]:
        """The ranges that have been finished since the last call, with the faults of their sources."""
        for table in self._tables:
            yield from table.news()


@dataclass(slots=True)
class _OpenRange:
    """A range that is not finished. pairs: of its committed chunks, by number. last: the highest of these numbers.
    done: the work up to its end; 0 if that is not known."""

    pairs: dict[int, int] = field(default_factory=dict)
    last: int = -1
    done: float = 0.0

    @property
    def work(self) -> float:
        """The work of the committed chunks: chunks in between may be processed again."""
        return self.done * len(self.pairs) / (self.last + 1)


class _TableProgress:
    """The progress of one table. Opens only chunks that are new since the last call of `update`.

    again: chunks that are committed, but will be processed again. They count when their files have been replaced. So do
    chunks that were computed from other chunks of the `parents`.
    """

    def __init__(
        self, plan: Plan, table: Table, earlier: Listing, parents: Sequence[Table], again: Collection[ChunkId]
    ) -> None:
        self._plan = plan
        self._table = table
        self._parents = parents
        self._counts = [sum(spec.pairs or 0 for spec in source.ranges) for source in plan.sources]
        self._known = all(spec.pairs is not None for source in plan.sources for spec in source.ranges)
        self._sizes = self._counts if self._known else [source.size if source.ranges else 0 for source in plan.sources]
        self._total = sum(self._sizes) or 1
        self._seen = dict(earlier.chunks)
        self._finished = set(earlier.finished)
        self._earlier = (frozenset(self._finished), sorted(self._seen.keys() - set(again)))
        self._new: list[tuple[RangeId, RangeSummary]] = []
        self._finished_pairs = 0
        self._finished_work = 0.0
        self._open: dict[RangeId, _OpenRange] = {}

    @property
    def pairs(self) -> int:
        """The pairs of committed chunks."""
        return self._finished_pairs + sum(sum(one.pairs.values()) for one in self._open.values())

    @property
    def share(self) -> float:
        """The finished share of all work, 0..1."""
        return min((self._finished_work + sum(one.work for one in self._open.values())) / self._total, 1.0)

    def share_in_work(self, chunk: progress.ChunkInWork) -> float:
        """The share of the finished pairs of a chunk: a part of what its commit will add, 0 if that is not known."""
        if self._known:
            return chunk.pairs / self._total
        with suppress(TypeError, ValueError, LookupError, ArithmeticError):  # the file is of no chunk, or damaged
            range_id = ChunkId(*map(int, re.split("[/-]", chunk.chunk))).range_id
            before = self._open.get(range_id, _OpenRange())
            work = self._work_until(range_id, chunk.next) - before.done if chunk.next != {} else 0.0
            if work < 0:  # it is processed again
                work = before.done / (before.last + 1)
            return work / self._total * min(chunk.pairs / chunk.size, 1.0)
        return 0.0

    def count_earlier(self) -> None:
        """Counts what was there when this object was created; from the start, if a call before this one failed."""
        finished, chunks = self._earlier
        self._finished_pairs, self._finished_work, self._open = 0, 0.0, {}
        rows = read_many(map(self._table.summary_uri, finished), RangeSummary, lambda summary: summary.rows)
        for range_id, pairs in zip(finished, rows, strict=True):
            self._count_range(range_id, pairs)
        for chunk in reversed(chunks):  # the last one of a range says how much of its work is done
            if chunk.range_id not in finished and self._is_current(chunk):
                self._count_chunk(chunk)

    def update(self) -> None:
        """Counts what is new."""
        now = self._table.listing(open_only=True, sources=len(self._plan.sources))
        for chunk in sorted(chunk for chunk, stamp in now.chunks.items() if self._seen.get(chunk) != stamp):
            if chunk.range_id not in self._finished:
                self._count_chunk(chunk)
            self._seen[chunk] = now.chunks[chunk]
        for range_id in sorted(now.finished - self._finished):
            summary = self._table.read_summary(range_id)
            self._finished.add(range_id)
            self._count_range(range_id, summary.rows)
            self._new.append((range_id, summary))
        self._seen = {chunk: stamp for chunk, stamp in self._seen.items() if chunk.range_id not in self._finished}

    def news(self) -> Iterator[tuple[str, str]]:
        """The ranges that `update` has found since the last call."""
        new, self._new = self._new, []
        for range_id, summary in new:
            source, _ = self._plan.range(range_id)
            failed = sum(sum(entry.failed.values()) for entry in summary.chunks)
            pairs = f"{counted(summary.rows, 'pair')}, {failed:,} failed"
            yield "range", f"{self._table.name}/{range_id.stem}: {pairs}; {source.uri}"
            yield from (("fault", f"{source.uri}: {fault}") for fault in summary.faults)

    def _is_current(self, chunk: ChunkId) -> bool:
        if not self._parents:
            return True
        return self._table.find(chunk, {parent.name: parent.open(chunk).digest for parent in self._parents}) is not None

    def _count_range(self, range_id: RangeId, pairs: int) -> None:
        self._open.pop(range_id, None)
        self._finished_pairs += pairs
        self._finished_work += self._range_work(range_id)

    def _count_chunk(self, chunk: ChunkId) -> None:
        pairs, next_position = self._read_chunk(chunk)
        counted = self._open.setdefault(chunk.range_id, _OpenRange())
        counted.pairs[chunk.number] = pairs
        if chunk.number > counted.last:
            counted.last, counted.done = chunk.number, self._work_until(chunk.range_id, next_position)

    def _read_chunk(self, chunk: ChunkId) -> tuple[int, Mapping[str, Any] | None]:
        """The number of pairs, and where the next chunk starts: from the timing, which is small, else from the rows."""
        with suppress(Exception):  # the timing is missing, damaged, or cannot be read
            timing = read_typed(files.join(self._table.uri, layout.timing(chunk)), Timing)
            if timing.next != {}:
                return timing.pairs, timing.next
        file = self._table.open(chunk)
        return len(file.rows()), file.metadata["next"]

    def _range_work(self, range_id: RangeId) -> float:
        """The work of a range: in proportion to its pairs if known, else an equal part of the source."""
        source, spec = self._plan.range(range_id)
        size, pairs = self._sizes[range_id.source], self._counts[range_id.source]
        return size * (spec.pairs or 0) / pairs if pairs else size / len(source.ranges)

    def _work_until(self, range_id: RangeId, position: Mapping[str, Any] | None) -> float:
        """The work of a range up to a position; 0 if that is not known."""
        source, spec = self._plan.range(range_id)
        work = self._range_work(range_id)
        if not position or FAULT in position:
            return work
        if spec.pairs:
            return work * int(position["index"] - spec.start["index"]) / spec.pairs
        if source.kind == "webdataset" and _is_plain(source.uri):
            return min(float(position["offset"]), work)
        return 0.0  # the position is not in bytes of the file


@cache
def _is_plain(uri: str) -> bool:
    """Whether a tar is not compressed. Its first bytes say so; on a store, where they cost a request, its name."""
    if not files.is_local(uri):
        name = uri.lower()
        return unpacked_name(name) == name and not name.endswith(".tgz")
    with suppress(OSError, SourceFault), files.open_read(uri) as raw:
        return files.unpacked(raw) is raw
    return False
