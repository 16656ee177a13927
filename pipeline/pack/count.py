"""The first pass of pack: counts the pairs that a policy keeps, rejects or fails, by chunk and range."""

import json
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from pipeline.engines import heartbeat
from pipeline.ids import ChunkId, RangeId
from pipeline.pack.ledger import ChunkCount, RangeCount, add_failure
from pipeline.pack.select_rows import SelectedRows
from pipeline.pack.statistics import Statistics
from pipeline.tables.decoys import decoys_of
from pipeline.tables.detections import open_detections
from pipeline.tables.table import Table
from transforms.annotations.annotate import given_links, left_out
from transforms.filters import explain, unknown_columns
from transforms.records import Fault, Grounding, Pair, Reason
from transforms.selection.check_kept import SelectedPair, open_claims, threshold_checkers
from transforms.selection.contradictions import rejecting_claims
from transforms.selection.judge import Kept, Policy, Rejected
from transforms.selection.threshold_sweep import sweep
from transforms.text import dialects

_MAX_SHOWN = 80  # characters of a caption or of names of fields


def count_range(
    folder: str,
    range_id: RangeId,
    chunks: int | None,
    policy: Policy,
    source: str = "",
    columns: Collection[str] = (),
    duplicates: Sequence[int] = (),
    decoys: int | None = 0,
) -> tuple[RangeCount, Statistics]:
    """Judges every row of a range.

    chunks: how many are counted, from the first on; None: the range is finished, and all are counted. Their files must
    then match the recorded digests. source: URI of the source, for the count. columns: those that the settings name;
    the count says which of them no pair has. duplicates: rows of the range that are rejected as duplicates, in order.
    decoys: how many of the chunks have decoys, see `Work`.
    """
    total, statistics = RangeCount(range_id, source=source), Statistics.empty(policy.threshold)
    total.unknown_columns = set(columns)
    table = open_detections(folder)
    if chunks is None:
        total.faults = list(table.read_summary(range_id).faults)
    entries = table.entries(range_id, chunks is None, chunks)
    of_decoys = decoys_of(folder, range_id, decoys, entries)
    for entry, its_decoys in zip(entries, of_decoys, strict=True):
        rows = duplicates[bisect_left(duplicates, total.read) : bisect_left(duplicates, total.read + entry.rows)]
        again = tuple(row - total.read for row in rows)
        kept, size = _count_chunk(table, range_id.chunk(entry.chunk), entry.digest, policy, total, statistics, again)
        total.chunks.append(ChunkCount(range_id.chunk(entry.chunk), kept, size, entry.digest, again, its_decoys))
    total.unknown_columns &= policy.given.without_alternatives(total.unknown_columns)
    statistics.truncate_heads()
    return total, statistics


def _count_chunk(
    table: Table,
    chunk: ChunkId,
    digest: str,
    policy: Policy,
    total: RangeCount,
    statistics: Statistics,
    duplicates: tuple[int, ...],
) -> tuple[int, int]:
    """Adds the rows of a chunk to the total. Returns how many are kept, and the bytes of their images."""
    heartbeat.advance()
    kept = size = 0
    rows = table.read(chunk, digest)
    if not policy.rejects_claims:
        rows = rows.drop_columns(["claims"])  # nobody asks for them
    selected = SelectedRows.from_table(rows, policy.selection, 0.0, policy.given)
    position = (chunk.source, chunk.range, chunk.number)
    for row, (pair, outcome) in enumerate(judge_rows(selected, policy, position, statistics, duplicates)):
        total.read += 1
        if total.unknown_columns and not pair.error:
            total.unknown_columns.intersection_update(unknown_columns(total.unknown_columns, [pair]))
        for what, number in (*left_out(pair, policy.given), *selected.left_out(row, policy.threshold)):
            total.left_out[what] = total.left_out.get(what, 0) + number
            total.left_out_examples.setdefault(what, f"{pair.key} of {pair.source}")
        if isinstance(outcome, Kept):
            kept += 1
            size += pair.image.length
        elif isinstance(outcome, Rejected):
            total.rejected[outcome.reason] = total.rejected.get(outcome.reason, 0) + 1
            total.rejected_examples.setdefault(outcome.reason, _describe_rejected(pair, outcome.reason))
        else:
            add_failure(total.failed, total.failed_examples, pair, outcome)
    return kept, size


def judge_rows(
    selected: SelectedRows,
    policy: Policy,
    chunk_position: tuple[int, int, int],
    statistics: Statistics,
    duplicates: Collection[int] = (),
) -> Iterator[tuple[Pair, Kept | Rejected | Fault]]:
    """Yields the pair and outcome of each row, some without texts, and adds all rows but duplicates to `statistics`.

    selected: boxes selected without a threshold. chunk_position: source, range and chunk. duplicates: rows that are
    rejected as duplicates, whatever the threshold.
    """
    # No threshold rejects these pairs. They are nearly all pairs, so they are added as arrays.
    never_rejected, kept = np.zeros((2, len(selected.table)), bool)
    others: dict[int, Pair] = {}
    excluded = frozenset(duplicates)
    needed = selected.subset(selected.is_best | (selected.score >= policy.threshold))
    for row, (pair, groundings, outcome) in enumerate(needed.outcomes(policy, excluded, written=False)):
        yield pair, outcome
        kept[row] = isinstance(outcome, Kept)
        if groundings and not isinstance(outcome, Fault) and row not in excluded:
            statistics.add(pair, groundings[0].box.score, outcome, policy.threshold, (*chunk_position, row))
            claims = open_claims(pair, rejecting_claims(pair.claims, policy.selection), groundings)
            never_rejected[row] = not claims and _is_never_rejected(
                pair, groundings, outcome, policy, statistics.thresholds
            )
            if not never_rejected[row]:
                others[row] = replace(pair, claims=tuple(claims))
    statistics.add_levels(selected.subset(never_rejected[selected.row]))
    statistics.add_boxes(needed.subset(kept[needed.row] & (needed.score >= policy.threshold)))
    found = [
        SelectedPair(row, pair, groundings, given_links(pair, policy.given))
        for (row, pair), groundings in zip(others.items(), selected.groundings(others), strict=True)
    ]
    for one, checker in zip(found, threshold_checkers(found, selected.candidates, policy.selection), strict=True):
        statistics.add_sweep(sweep(one.pair, one.groundings, policy, statistics.thresholds, checker=checker))


def _is_never_rejected(
    pair: Pair, groundings: Sequence[Grounding], outcome: Kept | Rejected, policy: Policy, thresholds: Sequence[float]
) -> bool:
    """pair: without open claims. groundings: at least the best one of every phrase, as `judge_rows` selects them."""
    phrases = len(pair.phrases)
    if len({phrase.start for phrase in pair.phrases}) < phrases and len(set(pair.phrases)) < phrases:
        return False
    if isinstance(outcome, Kept) and all(map(dialects.by_caption, policy.text.dialect)):
        return True
    written_phrases = len({grounding.phrase for grounding in outcome.groundings}) if isinstance(outcome, Kept) else 0
    return not any(step.rejection for step in sweep(pair, groundings, policy, thresholds, written_phrases))


def _describe_rejected(pair: Pair, reason: str) -> str:
    pair_name = f"{pair.key} of {pair.source}"
    if pair.error:
        return f"{pair_name}: {pair.error.detail}"
    if explained := explain(pair, reason):
        return f"{pair_name}: {explained}"
    if reason != Reason.NO_CAPTION and not reason.startswith(f"{Reason.MISSING_VALUE}: "):
        return f"{pair_name}: {pair.caption[:_MAX_SHOWN]!r}"
    fields = ", ".join(json.loads(pair.meta)) or "none"
    return f"{pair_name}: its other fields: {fields[:_MAX_SHOWN]}"
