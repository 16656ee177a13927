"""The ledger: what becomes of every pair that was read, as counts of a range and as the sum of a pack."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.ids import ChunkId, RangeId
from transforms.records import Fault, Pair

Failures = dict[str, dict[str, int]]
"""stage -> reason -> pairs."""

Examples = dict[str, str]
"""For each way to fail, `stage: reason`, or reason to be rejected: its first pair, and what is wrong with it."""


@dataclass(frozen=True)
class ChunkCount:
    """Kept pairs of a chunk, and the encoded bytes of their images."""

    chunk: ChunkId
    kept: int
    bytes: int
    digest: str | None = None


@dataclass
class RangeCount:
    """What a range holds: its chunks in order, its part of the ledger, and what could not be read."""

    range_id: RangeId
    chunks: list[ChunkCount] = field(default_factory=list)
    read: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    failed: Failures = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    failed_examples: Examples = field(default_factory=dict)
    rejected_examples: Examples = field(default_factory=dict)


def add_failure(failed: Failures, examples: Examples, pair: Pair, fault: Fault) -> None:
    """Counts a failed pair, in place; the first of its kind is the example."""
    add_failures(failed, {fault.stage: {fault.reason: 1}})
    image = f" ({pair.image.uri})" if pair.image.uri not in ("", pair.source, fault.detail) else ""
    examples.setdefault(f"{fault.stage}: {fault.reason}", f"{pair.key} of {pair.source}{image}: {fault.detail}")


def add_failures(total: Failures, more: Failures) -> None:
    """Adds `more` to `total`, in place."""
    for stage, reasons in more.items():
        counts = total.setdefault(str(stage), {})
        for reason, pairs in reasons.items():
            counts[str(reason)] = counts.get(str(reason), 0) + pairs


def build_ledger(counts: list[RangeCount], shards: list[dict[str, Any]]) -> dict[str, Any]:
    """read = written + sum(rejected) + sum(failed), out of both passes. `shards`: what the stats files hold."""
    rejected: Counter[str] = Counter()
    failed: Failures = {}
    for count in counts:
        rejected.update({str(reason): pairs for reason, pairs in count.rejected.items()})
        add_failures(failed, count.failed)
    for stats in shards:
        add_failures(failed, stats["failed"])
    return {
        "read": sum(count.read for count in counts),
        "written": sum(stats["successes"] for stats in shards),
        "rejected": dict(sorted(rejected.items())),
        "failed": {stage: dict(sorted(reasons.items())) for stage, reasons in sorted(failed.items())},
    }


def outcomes(ledger: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Written, rejected or failed, the reason, and how many pairs of a ledger have ended so."""
    yield "written", "", ledger["written"]
    yield from (("rejected", reason, pairs) for reason, pairs in ledger["rejected"].items())
    for stage, reasons in ledger["failed"].items():
        yield from (("failed", f"{stage}: {reason}", pairs) for reason, pairs in reasons.items())


def failed_pairs(ledger: dict[str, Any]) -> int:
    """Failed pairs of a ledger."""
    return sum(pairs for reasons in ledger["failed"].values() for pairs in reasons.values())


def rejected_pairs(ledger: dict[str, Any]) -> int:
    """Rejected pairs of a ledger."""
    return sum(ledger["rejected"].values())
