"""`ground --retry-failed`: processes chunks with failed rows again. Each chunk keeps its first and last pair.

`retry.json` of a table lists the chunks to process until they are done, so that the next `ground` finishes a retry
that was killed. Until then their ranges are unfinished, and `pack` refuses them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from pipeline import files
from pipeline.faults import CallError
from pipeline.files.typed import find_typed, publish_typed
from pipeline.ids import ChunkId, RangeId
from pipeline.layout import RETRY
from pipeline.plan.plan import Plan
from pipeline.tables.table import Listing, Table
from transforms.records import EVERY_REASON, REJECTED_BY_SOURCE, Reason
from transforms.wording import suggestion

_PACK_REASONS = (Reason.GONE, Reason.CHANGED)
_REJECTIONS = (
    *(Reason.NO_CAPTION, Reason.LANGUAGE, Reason.NO_PHRASE, Reason.NO_BOX, *REJECTED_BY_SOURCE),
    *(Reason.MIN_SIDE, Reason.MAX_ASPECT, Reason.MIN_WORDS, Reason.MAX_WORDS, Reason.WHERE, Reason.MISSING_VALUE),
    *(Reason.DUPLICATE, Reason.NEAR_DUPLICATE, Reason.EXCLUDED),
)
GROUND_REASONS = tuple(reason for reason in Reason if reason not in (*_PACK_REASONS, *_REJECTIONS))


@dataclass(frozen=True)
class RetryList:
    """The content of `retry.json`. chunks: numbers of source, range and chunk. digests: of the rows of each one that
    are replaced; a list of release 0.1 has none."""

    REMEDY: ClassVar[str] = "remove it and run ground --retry-failed again"

    chunks: tuple[tuple[int, int, int], ...]
    digests: tuple[str, ...] = ()


def check_reason(reason: str) -> None:
    """Raises CallError if `ground` has no such failure reason."""
    if reason in _PACK_REASONS:
        raise CallError(
            f"--retry-failed: {reason}: not a failure of ground; run gritmill pack --fresh to fetch images again"
        )
    if reason != EVERY_REASON and reason not in GROUND_REASONS:
        raise CallError(f"--retry-failed: {reason}: no such reason; {suggestion(reason, GROUND_REASONS)}")


def reopen(
    plan: Plan, tables: Mapping[str, Table], listings: Mapping[str, Listing], reason: str | None
) -> dict[str, Listing]:
    """Lists the chunks with rows that failed for `reason`, in addition to chunks of an unfinished retry, and reopens
    their ranges. Returns what the tables have then.

    Args:
      listings: what the tables have now.
      reason: a code of `Reason`, `EVERY_REASON`, or None for no new retry.
    """
    reopened: set[RangeId] = set()
    after = dict(listings)
    for name, table in tables.items():
        chunks = pending(table)
        if reason is not None:
            chunks.update(_with_failed_rows(plan, table, listings[name].finished, reason))
        if chunks:
            _publish(table, chunks)
        reopened |= {chunk.range_id for chunk in chunks}
        # After the list is written: if the call is killed here, the list says what to process again. Tables that are
        # computed from this one come later in `tables`, so their ranges are reopened too.
        after[name] = table.reopen(reopened, listings[name])
    return after


def pending(table: Table) -> dict[ChunkId, str]:
    """The chunks to process again, in order, with the digest of the rows that are replaced: a chunk with other rows is
    done. The digest is empty if it is not known."""
    content = find_typed(files.join(table.uri, RETRY), RetryList)
    if content is None:
        return {}
    digests = content.digests or ("",) * len(content.chunks)
    return {ChunkId(*numbers): digest for numbers, digest in zip(content.chunks, digests, strict=True)}


def drop_sources(table: Table, sources: Iterable[int]) -> None:
    """Removes the chunks of `sources` from the list, because all pairs of these sources are read again anyway."""
    gone = set(sources)
    remaining = {chunk: digest for chunk, digest in pending(table).items() if chunk.source not in gone}
    _publish(table, remaining) if remaining else clear(table)


def clear(table: Table) -> None:
    """Removes the list, after all of its chunks are done."""
    files.delete([files.join(table.uri, RETRY)])


def _with_failed_rows(
    plan: Plan, table: Table, done: Collection[RangeId], reason: str
) -> Iterator[tuple[ChunkId, str]]:
    for range_id in plan.range_ids():
        if range_id in done:
            for chunk in table.read_summary(range_id).chunks:
                if chunk.failed if reason == EVERY_REASON else reason in chunk.failed:
                    yield range_id.chunk(chunk.chunk), chunk.digest


def _publish(table: Table, chunks: Mapping[ChunkId, str]) -> None:
    ordered = sorted(chunks)
    content = RetryList(
        tuple((c.source, c.range, c.number) for c in ordered), tuple(chunks[chunk] for chunk in ordered)
    )
    publish_typed(files.join(table.uri, RETRY), content)
