"""`--limit N`: a separate plan. Its ranges have at most 32 consecutive pairs and are evenly spread over the input."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice

from pipeline.configuration import SourceSettings
from pipeline.faults import SourceFault, first_line
from pipeline.plan.plan import PlannedSource
from pipeline.plan.spread import cut, evenly_spaced
from pipeline.sources import Position, RangeSpec, Source
from transforms.read_ahead import map_in_threads

RUN_LENGTH = 32
"""Pairs in one stretch: enough for a detector's batch, and few enough to cover many places of the input."""

_FIRST_LOOK = 8


def limit_plan(sources: Sequence[PlannedSource], limit: int, settings: SourceSettings) -> list[PlannedSource]:
    """The sources, with only the ranges that `limit` pairs need. Fewer pairs if the input has fewer.

    To count the pairs of a tar, all its headers must be read. So only as many sources are counted as the limit needs.
    They are evenly spread over the input.
    """
    counted: dict[int, _Counted] = {}
    n_sources = max(_FIRST_LOOK, 2 * -(-limit // RUN_LENGTH))
    while True:
        new = [number for number in evenly_spaced(len(sources), n_sources) if number not in counted]
        found = map_in_threads(lambda n: _Counted.from_planned(sources[n], settings), new, threads=8)
        counted |= zip(new, found, strict=True)
        total = sum(source.pairs for source in counted.values())
        if total >= limit or n_sources >= len(sources):
            break
        n_sources *= 2
    chosen: dict[int, list[RangeSpec]] = {}
    numbers = sorted(counted)
    ends = list(accumulate(counted[n].pairs for n in numbers))
    for first, last in _runs(total, min(limit, total)):
        for part, start, end in cut(ends, first, last):  # a range must not cross from one source to the next
            source = numbers[part]
            chosen.setdefault(source, []).append(RangeSpec(counted[source].position(start), end - start))
    limited = [replace(source, ranges=tuple(chosen.get(n, ()))) for n, source in enumerate(sources)]
    for n, one in counted.items():  # a range with a number of pairs ends before the fault, so it would not be told
        if one.fault and sum(spec.pairs or 0 for spec in chosen.get(n, ())) == one.pairs:
            limited[n] = replace(limited[n], fault=one.fault)
    return limited


@dataclass(frozen=True)
class _Counted:
    """A source and its number of pairs. starts: their positions, if the plan does not contain the number. fault: the
    SourceFault behind the last pair."""

    source: Source
    ranges: tuple[RangeSpec, ...]
    pairs: int
    starts: list[Position]
    fault: str = ""

    @classmethod
    def from_planned(cls, planned: PlannedSource, settings: SourceSettings) -> "_Counted":
        source = planned.open(settings)
        counts = [spec.pairs for spec in planned.ranges]
        if None not in counts:
            return cls(source, planned.ranges, sum(count or 0 for count in counts), [])
        starts: list[Position] = []
        fault = ""
        try:
            starts.extend(source.starts(planned.ranges[0].start))
        except SourceFault as error:  # a run without a limit cannot read the pairs after it either
            fault = first_line(error)
        return cls(source, planned.ranges, len(starts), starts, fault)

    def position(self, index: int) -> Position:
        """The start of pair number `index`."""
        if self.starts:
            return self.starts[index]
        spec = next(spec for spec in reversed(self.ranges) if spec.start["index"] <= index)
        return next(islice(self.source.starts(spec.start), index - spec.start["index"], None))


def _runs(total: int, limit: int) -> Iterator[tuple[int, int]]:
    """The first pair and the end of every stretch."""
    runs = -(-limit // RUN_LENGTH)
    for run in range(runs):
        # Skipped pairs are distributed evenly before the stretches, so that stretches do not overlap.
        skipped = run * (total - limit) // runs
        yield skipped + limit * run // runs, skipped + limit * (run + 1) // runs
