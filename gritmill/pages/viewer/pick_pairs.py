"""Chooses the pairs that are shown, by a seed, from a few files however large the data set is."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from pipeline.ids import ChunkId
from pipeline.plan.plan import Plan
from pipeline.tables.detections import open_detections
from pipeline.tables.pair_rows import from_table
from pipeline.tables.range_summary import ChunkEntry
from pipeline.tables.table import Table
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


_Chunk = tuple[ChunkId, ChunkEntry]
"""A committed chunk, and what is recorded of it."""


def pick_pairs(folder: str, plan: Plan, policy: Policy, samples: int, seed: int) -> list[Picked]:
    """`samples` pairs in input order, the same for the same rows, policy and seed; all of them where there are fewer.

    The rows come from a few chunks. Each reason of a rejection or failure gets up to a 20th of the samples first, the
    others are drawn from all rows alike: frequencies among the samples are not those of the data set.

    Raises:
      EnvironmentFault: a file of `detections/` is gone, or is not the one that was committed.
    """
    rng = random.Random(f"rows {seed}")
    table = open_detections(folder)
    chunks = list(_choose_chunks(table, plan, seed, samples))
    rows_per_chunk = -(-_ROWS_PER_PAIR * samples // max(1, len(chunks)))
    looked_at = [Picked(p, judge(p, policy)) for chunk in chunks for p in _read_rows(table, chunk, rows_per_chunk, rng)]
    rng.shuffle(looked_at)
    return sorted(_choose_pairs(looked_at, samples), key=lambda picked: (picked.pair.source, picked.pair.index))


def _choose_chunks(table: Table, plan: Plan, seed: int, samples: int) -> Iterator[_Chunk]:
    """16 chunks of different ranges, more where these hold fewer than twice the samples; those with failures first."""
    rng = random.Random(f"chunks {seed}")
    ranges = list(plan.range_ids())
    rng.shuffle(ranges)
    done = table.finished_ranges()
    lists: list[list[_Chunk]] = []
    rows = 0
    for range_id in ranges:
        chunks = [(range_id.chunk(entry.chunk), entry) for entry in table.entries(range_id, range_id in done)]
        rng.shuffle(chunks)
        chunks.sort(key=lambda chunk: not chunk[1].failed)
        lists.append(chunks)
        rows += sum(entry.rows for _, entry in chunks)
        if len(lists) >= _MIN_CHUNKS and rows >= 2 * samples:
            break
    rows = 0
    round_robin = (chunk for turn in zip_longest(*lists) for chunk in turn if chunk)
    for number, chunk in enumerate(round_robin):
        if number >= _MIN_CHUNKS and rows >= 2 * samples:
            return
        rows += chunk[1].rows
        yield chunk


def _read_rows(table: Table, chunk: _Chunk, number: int, rng: random.Random) -> list[Pair]:
    """Some pairs of a chunk, in order: up to `number` of all, and up to `number` more of the failed ones."""
    chunk_id, entry = chunk
    rows = table.read(chunk_id, entry.digest)
    failed = [index for index, good in enumerate(rows["error"].is_null().to_pylist()) if not good]
    chosen = set(rng.sample(range(len(rows)), min(number, len(rows))))
    chosen.update(rng.sample(failed, min(number, len(failed))))
    return list(from_table(rows.take(sorted(chosen))))


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
