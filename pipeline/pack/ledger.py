"""The ledger: the outcome of every pair that was read, counted by range and for the whole pack."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pipeline.files.typed import OpenModel
from pipeline.ids import ChunkId, RangeId
from transforms.records import Fault, Pair

Failures = dict[str, dict[str, int]]
"""stage -> reason -> pairs."""

Examples = dict[str, str]
"""The first pair, with a description, for each kind of failure (`stage: reason`) or reason for rejection."""


@dataclass(frozen=True)
class ChunkCount:
    """The number of kept pairs of a chunk, and the encoded bytes of their images.

    digest: of the chunk's file. duplicates: rows of the chunk that are rejected as duplicates. decoys: digest of the
    file with the decoys of the chunk; empty if there are none.
    """

    chunk: ChunkId
    kept: int
    bytes: int
    digest: str | None = None
    duplicates: tuple[int, ...] = ()
    decoys: str = ""


@dataclass
class RangeCount:
    """The counts of a range: its chunks in order, its part of the ledger, and its source faults.

    source: URI of the source that the range belongs to. unknown_columns: those of the settings that no pair has.
    left_out: by kind, what sources bring but no pair has, see `transforms.annotations.annotate.left_out`.
    """

    range_id: RangeId
    chunks: list[ChunkCount] = field(default_factory=list)
    read: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    failed: Failures = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    failed_examples: Examples = field(default_factory=dict)
    rejected_examples: Examples = field(default_factory=dict)
    source: str = ""
    unknown_columns: set[str] = field(default_factory=set)
    left_out: dict[str, int] = field(default_factory=dict)
    left_out_examples: Examples = field(default_factory=dict)


class Ledger(OpenModel):
    """Counts of pairs: read = written + rejected + failed. rejected: by reason."""

    read: int
    written: int
    rejected: dict[str, int]
    failed: Failures

    @classmethod
    def add_up(cls, counts: Iterable[RangeCount], written: int, failed_in_pack: Iterable[Failures]) -> "Ledger":
        """The ledger of a pack, from the counts of all ranges and the outcomes of the kept pairs."""
        read, rejected, failed = 0, Counter[str](), Failures()
        for count in counts:
            read += count.read
            rejected.update({str(reason): pairs for reason, pairs in count.rejected.items()})
            add_failures(failed, count.failed)
        for failures in failed_in_pack:
            add_failures(failed, failures)
        by_stage = {stage: dict(sorted(reasons.items())) for stage, reasons in sorted(failed.items())}
        return cls(read=read, written=written, rejected=dict(sorted(rejected.items())), failed=by_stage)

    @property
    def rejected_pairs(self) -> int:
        """The number of rejected pairs."""
        return sum(self.rejected.values())

    @property
    def failed_pairs(self) -> int:
        """The number of failed pairs."""
        return failed_pairs(self.failed)

    def line(self) -> str:
        """The four numbers in one line."""
        counts = (self.read, "read"), (self.written, "written"), (self.rejected_pairs, "rejected")
        return ", ".join(f"{pairs:,} {outcome}" for pairs, outcome in (*counts, (self.failed_pairs, "failed")))

    def outcomes(self) -> Iterator[tuple[str, str, int]]:
        """Yields outcome (written, rejected or failed), reason and number of pairs."""
        yield "written", "", self.written
        yield from (("rejected", reason, pairs) for reason, pairs in self.rejected.items())
        for stage, reasons in self.failed.items():
            yield from (("failed", f"{stage}: {reason}", pairs) for reason, pairs in reasons.items())


def unknown_columns(counts: Iterable[RangeCount]) -> Examples:
    """For each column that the settings name, if no pair of a source has it: a sentence that names the source.

    A source without a readable pair is left out. counts: in input order.
    """
    by_source: dict[str, set[str]] = {}
    for count in counts:
        if count.read > failed_pairs(count.failed):
            by_source[count.source] = by_source.get(count.source, count.unknown_columns) & count.unknown_columns
    sources: dict[str, list[str]] = {}
    for source, names in by_source.items():
        for name in names:
            sources.setdefault(name, []).append(source)
    return {
        name: f"no pair of {without[0]}{f' and {len(without) - 1:,} more' if without[1:] else ''} has this column"
        for name, without in sorted(sources.items())
    }


def join_digests(digests: Iterable[str]) -> str:
    """One text for the rows of a range, from the digests of its chunk files."""
    return ",".join(digests)


def digests_of(counts: Iterable[RangeCount]) -> list[tuple[str, str]]:
    """For each range, in input order, the rows that were counted, and their decoys."""
    ordered = sorted(counts, key=lambda count: (count.range_id.source, count.range_id.range))
    return [
        (join_digests(chunk.digest or "" for chunk in one.chunks), join_digests(chunk.decoys for chunk in one.chunks))
        for one in ordered
    ]


def add_failure(failed: Failures, examples: Examples, pair: Pair, fault: Fault) -> None:
    """Counts a failed pair in place. The first pair of each kind of failure becomes its example."""
    add_failures(failed, {fault.stage: {fault.reason: 1}})
    image = f" ({pair.image.uri})" if pair.image.uri not in ("", pair.source, fault.detail) else ""
    examples.setdefault(f"{fault.stage}: {fault.reason}", f"{pair.key} of {pair.source}{image}: {fault.detail}")


def add_failures(total: Failures, more: Failures) -> None:
    """Adds `more` to `total`, in place."""
    for stage, reasons in more.items():
        counts = total.setdefault(str(stage), {})
        for reason, pairs in reasons.items():
            counts[str(reason)] = counts.get(str(reason), 0) + pairs


def failed_pairs(failed: Failures) -> int:
    """The number of pairs over all stages and reasons."""
    return sum(pairs for reasons in failed.values() for pairs in reasons.values())
