"""Chooses the pairs to show, by a seed, from a few files, independent of the size of the data set."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest

from pipeline.ids import ChunkId
from pipeline.plan.plan import Plan
from pipeline.tables.detections import open_detections
from pipeline.tables.pair_rows import from_table
from pipeline.tables.range_summary import ChunkEntry
from pipeline.tables.table import Table
from transforms.records import Fault, Pair
from transforms.selection.judge import Kept, Policy, Rejected, judge

_MIN_CHUNKS = 16  # from different ranges, if there are enough ranges
_ROWS_PER_PAIR = 4  # rows judged for each pair shown, so that rare outcomes can occur
_RARE_DIVISOR = 20  # each reason for a rejection or failure first gets up to a 20th of the samples

Outcome = Kept | Rejected | Fault


@dataclass(frozen=True)
class Picked:
    """A pair to show, and its outcome. weight: how many of the judged rows with this kind of outcome it stands for."""

    pair: Pair
    outcome: Outcome
    weight: float = 1.0

    @property
    def outcome_key(self) -> tuple[str, str, str]:
        """kept, rejected or failed; the stage of a failure, or ""; the code of the reason, or ""."""
        if isinstance(self.outcome, Kept):
            return "kept", "", ""
        if isinstance(self.outcome, Rejected):
            return "rejected", "", str(self.outcome.reason)
        return "failed", str(self.outcome.stage), str(self.outcome.reason)


_Chunk = tuple[ChunkId, ChunkEntry]
"""A committed chunk and its entry in the summary of its range."""


def pick_pairs(folder: str, plan: Plan, policy: Policy, samples: int, seed: int) -> list[Picked]:
    """Chooses `samples` pairs, or all pairs if there are fewer. Returns them in input order.

    The result depends only on the rows, the policy and the seed. The rows come from a few chunks. Each reason for a
    rejection or failure first gets up to a 20th of the samples; the other samples are drawn uniformly from all rows.
    Therefore the frequencies among the samples are not those of the data set.

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
    """16 chunks from different ranges, more if these have fewer than 2 * samples rows. Chunks with failures first."""
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
    """Random pairs of a chunk, in order: up to `number` of all pairs, and up to `number` of the failed ones."""
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
    chosen = (first + others)[:samples]
    shown = Counter(picked.outcome_key for picked in chosen)
    return [replace(picked, weight=counts[picked.outcome_key] / shown[picked.outcome_key]) for picked in chosen]
