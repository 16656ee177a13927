"""The first pass of pack: what each range holds under a policy, in a few numbers a chunk."""

import json
from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.ids import ChunkId, RangeId
from pipeline.pack.ledger import ChunkCount, RangeCount, add_failure
from pipeline.pack.select_rows import Selected
from pipeline.pack.statistics import Statistics
from pipeline.tables import detections
from transforms.records import Fault, Grounding, Pair, Reason
from transforms.selection.boxes import in_record_order
from transforms.selection.judge import Kept, Policy, Rejected, judge_selected
from transforms.selection.threshold_sweep import is_rejected_anywhere, sweep

_SHOWN = 80  # characters of a caption or of names of fields


def count_range(folder: str, identity: RangeId, done: bool, policy: Policy) -> tuple[RangeCount, Statistics]:
    """Judges every row of a range. A range that is `done` must hold what was recorded of it, to the byte."""
    total, statistics = RangeCount(identity), Statistics.at(policy.threshold)
    chunks: list[tuple[ChunkId, str | None]]
    if done:
        recorded = detections.read_done(folder, identity)
        total.faults = list(recorded["faults"])
        chunks = [(ChunkId(identity.source, identity.range, c["chunk"]), c["digest"]) for c in recorded["chunks"]]
    else:
        chunks = [(chunk, None) for chunk in detections.committed(folder, identity)]
    for chunk, digest in chunks:
        _count_chunk(folder, chunk, digest, policy, total, statistics)
    statistics.close()
    return total, statistics


def _count_chunk(
    folder: str, chunk: ChunkId, digest: str | None, policy: Policy, total: RangeCount, statistics: Statistics
) -> None:
    kept = size = 0
    selected = Selected.of(detections.read_table(folder, chunk, digest), policy.selection, 0.0)
    for pair, outcome in judged(selected, policy, (chunk.source, chunk.range, chunk.number), statistics):
        total.read += 1
        if isinstance(outcome, Kept):
            kept += 1
            size += pair.image.length
        elif isinstance(outcome, Rejected):
            total.rejected[outcome.reason] = total.rejected.get(outcome.reason, 0) + 1
            total.rejected_examples.setdefault(outcome.reason, _rejected(pair, outcome.reason))
        else:
            add_failure(total.failed, total.failed_examples, pair, outcome)
    total.chunks.append(ChunkCount(chunk, kept, size, digest))


def judged(
    selected: Selected, policy: Policy, where: tuple[int, int, int], statistics: Statistics
) -> Iterator[tuple[Pair, Kept | Rejected | Fault]]:
    """Each row's pair and outcome, and in the end all of them in the statistics.

    selected: without a threshold. where: source, range and chunk.
    """
    plain = np.zeros(len(selected.table), bool)  # pairs without a refusal at any threshold: nearly all, added as arrays
    needed = selected.only(selected.first | (selected.score >= policy.threshold))
    for row, (pair, found) in enumerate(needed.pairs()):
        good = in_record_order(grounding for grounding in found if grounding.box.score >= policy.threshold)
        outcome = judge_selected(pair, good, policy.text)
        yield pair, outcome
        if found and not isinstance(outcome, Fault):
            statistics.add(pair, found[0].box.score, outcome, policy.threshold, (*where, row))
            plain[row] = _is_plain(pair, found, outcome, policy, statistics.grid)
            if not plain[row]:
                every = selected.only(selected.row == row).groundings(pair)
                statistics.add_steps(sweep(pair, every, policy, statistics.grid))
    statistics.add_levels(selected.only(plain[selected.row]))


def _is_plain(
    pair: Pair, found: Sequence[Grounding], outcome: Kept | Rejected, policy: Policy, grid: Sequence[float]
) -> bool:
    best = {grounding.phrase: grounding for grounding in reversed(found)}
    told = len({grounding.phrase for grounding in outcome.groundings}) if isinstance(outcome, Kept) else 0
    ranked = [grounding for grounding in found if best[grounding.phrase] is grounding]
    return len(set(pair.phrases)) == len(pair.phrases) and not is_rejected_anywhere(pair, ranked, policy, grid, told)


def _rejected(pair: Pair, reason: str) -> str:
    where = f"{pair.key} of {pair.source}"
    if reason != Reason.NO_CAPTION:
        return f"{where}: {pair.caption[:_SHOWN]!r}"
    fields = ", ".join(json.loads(pair.meta)) or "none"
    return f"{where}: its other fields: {fields[:_SHOWN]}"
