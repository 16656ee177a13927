"""Which pairs are shown: as many as wanted, by a seed, out of few files however large the data set is."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.ids import ChunkId, RangeId
from pipeline.plan.plan import Plan
from pipeline.tables import detections
from pipeline.tables.pair_rows import from_table
from transforms.records import Fault, Pair
from transforms.selection.judge import Kept, Policy, Rejected, judge

_CHUNKS = 16  # of different ranges where there are so many
_ROWS = 4  # looked at for every pair that is shown, so that what is rare has a chance
_RARE = 20  # each way of being rejected or of failing gets up to a 20th of the places before all others

Outcome = Kept | Rejected | Fault


@dataclass(frozen=True)
class Picked:
    """A pair that is shown, and what became of it."""

    pair: Pair
    outcome: Outcome

    @property
    def way(self) -> tuple[str, str, str]:
        """kept, rejected or failed; the stage, of a failure; the reason's code."""
        return _way(self.outcome)


@dataclass(frozen=True)
class _Entry:
    """A committed chunk, as its range says."""

    chunk: ChunkId
    rows: int
    digest: str | None
    failed: int


def pick(folder: str, plan: Plan, policy: Policy, samples: int, seed: int) -> list[Picked]:
    """`samples` pairs in input order, the same for the same rows, policy and seed; all of them where there are fewer.

    The rows come from `chunks`. Each way of being rejected or of failing that is met gets up to a 20th of the places
    first, the others are drawn from all rows alike: shares among the samples are not those of the data set.

    Raises:
      EnvironmentFault: a file of `detections/` is gone, or is not the one that was committed.
    """
    chance = random.Random(f"rows {seed}")
    found = list(_chosen(folder, plan, seed, samples))
    each = -(-_ROWS * samples // max(1, len(found)))
    looked_at = [Picked(p, judge(p, policy)) for entry in found for p in _rows(folder, entry, each, chance)]
    chance.shuffle(looked_at)
    return sorted(_spread(looked_at, samples), key=lambda picked: (picked.pair.source, picked.pair.index))


def _chosen(folder: str, plan: Plan, seed: int, samples: int) -> Iterator[_Entry]:
    """16 chunks of different ranges, more where these hold fewer than twice the samples; those with failures first."""
    chance = random.Random(f"chunks {seed}")
    ranges = list(plan.ids())
    chance.shuffle(ranges)
    done = detections.finished(folder)
    lists: list[list[_Entry]] = []
    rows = 0
    for identity in ranges:
        entries = _entries(folder, identity, identity in done)
        chance.shuffle(entries)
        entries.sort(key=lambda entry: entry.failed == 0)
        lists.append(entries)
        rows += sum(entry.rows for entry in entries)
        if len(lists) >= _CHUNKS and rows >= 2 * samples:
            break
    rows = 0
    for number, entry in enumerate(_in_turn(lists)):
        if number >= _CHUNKS and rows >= 2 * samples:
            return
        rows += entry.rows
        yield entry


def _in_turn(lists: list[list[_Entry]]) -> Iterator[_Entry]:
    """The first of each list, then the second of each."""
    for turn in range(max(map(len, lists), default=0)):
        yield from (entries[turn] for entries in lists if turn < len(entries))


def _entries(folder: str, identity: RangeId, done: bool) -> list[_Entry]:
    if not done:
        chunks = detections.committed(folder, identity)
        return [_Entry(chunk, detections.rows(folder, chunk), None, 0) for chunk in chunks]
    return [
        _Entry(
            ChunkId(identity.source, identity.range, entry["chunk"]),
            entry["rows"],
            entry["digest"],
            sum(entry.get("failed", {}).values()),
        )
        for entry in detections.read_done(folder, identity)["chunks"]
    ]


def _rows(folder: str, entry: _Entry, number: int, chance: random.Random) -> list[Pair]:
    """Some pairs of a chunk, in order; as many of those that failed come besides."""
    table = detections.read_table(folder, entry.chunk, entry.digest)
    failed = [at for at, good in enumerate(table["error"].is_null().to_pylist()) if not good]
    taken = set(chance.sample(range(len(table)), min(number, len(table))))
    taken.update(chance.sample(failed, min(number, len(failed))))
    return list(from_table(table.take(sorted(taken))))


def _spread(shuffled: list[Picked], samples: int) -> list[Picked]:
    places = max(1, samples // _RARE)
    taken: dict[tuple[str, str, str], int] = {}
    first, rest = [], []
    for picked in shuffled:
        way = picked.way
        if way[0] != "kept" and taken.get(way, 0) < places:
            taken[way] = taken.get(way, 0) + 1
            first.append(picked)
        else:
            rest.append(picked)
    return (first + rest)[:samples]


def _way(outcome: Outcome) -> tuple[str, str, str]:
    if isinstance(outcome, Kept):
        return "kept", "", ""
    if isinstance(outcome, Rejected):
        return "rejected", "", str(outcome.reason)
    return "failed", str(outcome.stage), str(outcome.reason)
