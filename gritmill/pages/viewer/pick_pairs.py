"""Chooses the pairs that are shown, by a seed, from a few files however large the data set is."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.ids import ChunkId, RangeId
from pipeline.plan.plan import Plan
from pipeline.tables import chunk_files, detections
from pipeline.tables.pair_rows import from_table
from transforms.records import Fault, Pair
from transforms.selection.judge import Kept, Policy, Rejected, judge

_MIN_CHUNKS = 16  # of different ranges where there are so many
_ROWS_PER_PAIR = 4  # looked at for every pair that is shown, so that what is rare has a chance
_RARE_DIVISOR = 20  # each reason of a rejection or failure gets up to a 20th of the samples before all others

Outcome = Kept | Rejected | Fault


@dataclass(frozen=True)
class Picked:
    """A pair that is shown, and what became of it."""

    pair: Pair
    outcome: Outcome

    @property
    def outcome_key(self) -> tuple[str, str, str]:
        """kept, rejected or failed; the stage, of a failure; the reason's code."""
        if isinstance(self.outcome, Kept):
            return "kept", "", ""
        if isinstance(self.outcome, Rejected):
            return "rejected", "", str(self.outcome.reason)
        return "failed", str(self.outcome.stage), str(self.outcome.reason)


@dataclass(frozen=True)
class _ChunkEntry:
    """A committed chunk, as recorded for its range."""

    chunk: ChunkId
    rows: int
    digest: str | None
    failed: int


def pick_pairs(folder: str, plan: Plan, policy: Policy, samples: int, seed: int) -> list[Picked]:
    """`samples` pairs in input order, the same for the same rows, policy and seed; all of them where there are fewer.

    The rows come from a few chunks. Each reason of a rejection or failure gets up to a 20th of the samples first, the
    others are drawn from all rows alike: frequencies among the samples are not those of the data set.

    Raises:
      EnvironmentFault: a file of `detections/` is gone, or is not the one that was committed.
    """
    rng = random.Random(f"rows {seed}")
    entries = list(_choose_chunks(folder, plan, seed, samples))
    rows_per_chunk = -(-_ROWS_PER_PAIR * samples // max(1, len(entries)))
    looked_at = [
        Picked(p, judge(p, policy)) for entry in entries for p in _read_rows(folder, entry, rows_per_chunk, rng)
    ]
    rng.shuffle(looked_at)
    return sorted(_choose_pairs(looked_at, samples), key=lambda picked: (picked.pair.source, picked.pair.index))


def _choose_chunks(folder: str, plan: Plan, seed: int, samples: int) -> Iterator[_ChunkEntry]:
    """16 chunks of different ranges, more where these hold fewer than twice the samples; those with failures first."""
    rng = random.Random(f"chunks {seed}")
    ranges = list(plan.range_ids())
    rng.shuffle(ranges)
    done = detections.finished_ranges(folder)
    lists: list[list[_ChunkEntry]] = []
    rows = 0
    for range_id in ranges:
        entries = _list_chunks(folder, range_id, range_id in done)
        rng.shuffle(entries)
        entries.sort(key=lambda entry: entry.failed == 0)
        lists.append(entries)
        rows += sum(entry.rows for entry in entries)
        if len(lists) >= _MIN_CHUNKS and rows >= 2 * samples:
            break
    rows = 0
    for number, entry in enumerate(_round_robin(lists)):
        if number >= _MIN_CHUNKS and rows >= 2 * samples:
            return
        rows += entry.rows
        yield entry


def _round_robin(lists: list[list[_ChunkEntry]]) -> Iterator[_ChunkEntry]:
    """The first of each list, then the second of each."""
    for turn in range(max(map(len, lists), default=0)):
        yield from (entries[turn] for entries in lists if turn < len(entries))


def _list_chunks(folder: str, range_id: RangeId, done: bool) -> list[_ChunkEntry]:
    if not done:
        chunks = detections.committed_chunks(folder, range_id)
        return [_ChunkEntry(chunk, chunk_files.row_count(folder, chunk), None, 0) for chunk in chunks]
    return [
        _ChunkEntry(
            ChunkId(range_id.source, range_id.range, entry["chunk"]),
            entry["rows"],
            entry["digest"],
            sum(entry.get("failed", {}).values()),
        )
        for entry in detections.read_range_summary(folder, range_id)["chunks"]
    ]


def _read_rows(folder: str, entry: _ChunkEntry, number: int, rng: random.Random) -> list[Pair]:
    """Some pairs of a chunk, in order: up to `number` of all, and up to `number` more of the failed ones."""
    table = chunk_files.read_table(folder, entry.chunk, entry.digest)
    failed = [index for index, good in enumerate(table["error"].is_null().to_pylist()) if not good]
    chosen = set(rng.sample(range(len(table)), min(number, len(table))))
    chosen.update(rng.sample(failed, min(number, len(failed))))
    return list(from_table(table.take(sorted(chosen))))


def _choose_pairs(shuffled: list[Picked], samples: int) -> list[Picked]:
    quota = max(1, samples // _RARE_DIVISOR)
    counts: Counter[tuple[str, str, str]] = Counter()
    first: list[Picked] = []
    others: list[Picked] = []
    for picked in shuffled:
        key = picked.outcome_key
        counts[key] += 1
        (first if key[0] != "kept" and counts[key] <= quota else others).append(picked)
    return (first + others)[:samples]
