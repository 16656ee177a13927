"""`--limit N`: a plan of its own, of runs of at most 32 consecutive pairs, evenly spread over the input."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

from pipeline.configuration import SourceSettings
from pipeline.faults import SourceFault
from pipeline.plan.plan import PlannedSource
from pipeline.sources import Position, RangeSpec, Source

RUN_LENGTH = 32
"""Pairs of one run: enough for a detector's batch, few enough to show many places of the input."""

_FIRST_LOOK = 8
_THREADS = 8


def limit_plan(sources: Sequence[PlannedSource], limit: int, settings: SourceSettings) -> list[PlannedSource]:
    """The sources with only those ranges that `limit` pairs need; fewer if the input holds fewer.

    Counting the pairs of a tar means going through it, so only as many sources are counted as the limit needs,
    spread evenly over the input.
    """
    counted: dict[int, _Counted] = {}
    n_sources = max(_FIRST_LOOK, 2 * -(-limit // RUN_LENGTH))
    while True:
        new = [number for number in evenly_spaced(len(sources), n_sources) if number not in counted]
        with ThreadPoolExecutor(_THREADS) as pool:
            counted |= zip(new, pool.map(lambda n: _Counted.from_planned(sources[n], settings), new), strict=True)
        total = sum(source.pairs for source in counted.values())
        if total >= limit or n_sources >= len(sources):
            break
        n_sources *= 2
    chosen: dict[int, list[RangeSpec]] = {}
    for source, first, pairs in _runs({n: counted[n].pairs for n in sorted(counted)}, min(limit, total)):
        chosen.setdefault(source, []).append(RangeSpec(counted[source].position(first), pairs))
    return [replace(source, ranges=tuple(chosen.get(n, ()))) for n, source in enumerate(sources)]


@dataclass(frozen=True)
class _Counted:
    """A source and its number of pairs. `starts`: their positions, for a source whose plan does not count them."""

    source: Source
    ranges: tuple[RangeSpec, ...]
    pairs: int
    starts: list[Position]

    @classmethod
    def from_planned(cls, planned: PlannedSource, settings: SourceSettings) -> "_Counted":
        source = planned.open(settings)
        counts = [spec.pairs for spec in planned.ranges]
        if None not in counts:
            return cls(source, planned.ranges, sum(count or 0 for count in counts), [])
        starts: list[Position] = []
        # What lies behind a fault is lost to a run without a limit as well.
        with suppress(SourceFault):
            starts.extend(source.starts(planned.ranges[0].start))
        return cls(source, planned.ranges, len(starts), starts)

    def position(self, index: int) -> Position:
        """Where pair number `index` starts."""
        if self.starts:
            return self.starts[index]
        spec = next(spec for spec in reversed(self.ranges) if spec.start["index"] <= index)
        return next(islice(self.source.starts(spec.start), index - spec.start["index"], None))


def evenly_spaced(total: int, number: int) -> list[int]:
    """At most `number` numbers below `total`, evenly spread, ascending."""
    if number >= total:
        return list(range(total))
    return [(2 * i + 1) * total // (2 * number) for i in range(number)]


def _runs(counts: dict[int, int], limit: int) -> list[tuple[int, int, int]]:
    """(source, first pair, pairs) of every run. Runs are cut at the borders of sources, so that none crosses one."""
    total = sum(counts.values())
    runs = -(-limit // RUN_LENGTH)
    pieces: list[tuple[int, int, int]] = []
    for run in range(runs):
        # The pairs left out lie in equal parts before the runs, so that no run reaches into the next.
        before, after = limit * run // runs, limit * (run + 1) // runs
        pieces += _pieces(counts, before + run * (total - limit) // runs, after - before)
    return pieces


def _pieces(counts: dict[int, int], first: int, length: int) -> list[tuple[int, int, int]]:
    pieces = []
    before = 0
    for source, count in counts.items():
        start, end = max(first - before, 0), min(first + length - before, count)
        if start < end:
            pieces.append((source, start, end - start))
        before += count
    return pieces
