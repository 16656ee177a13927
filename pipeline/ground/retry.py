"""`ground --retry-failed`: chunks that hold failed rows are redone, with the same first and last pair.

The chunks to redo are listed in the `retry.json` of their table until they are done, so that the next `ground` finishes
a retry that was killed. Meanwhile the ranges concerned are not done, and `pack` refuses them like any unfinished range.
"""

from collections.abc import Iterable, Iterator, Mapping

from pipeline import files
from pipeline.faults import CallError
from pipeline.files.publish import publish_json
from pipeline.ids import ChunkId, RangeId
from pipeline.layout import RETRY
from pipeline.plan.plan import Plan
from pipeline.tables.table import Table
from transforms.records import EVERY_REASON, Reason

_PACK_REASONS = (Reason.GONE, Reason.CHANGED)
_REJECTIONS = (Reason.NO_CAPTION, Reason.LANGUAGE, Reason.NO_PHRASE, Reason.NO_BOX)
_GROUND_REASONS = tuple(reason for reason in Reason if reason not in (*_PACK_REASONS, *_REJECTIONS))


def check_reason(reason: str) -> None:
    """Raises CallError if no row can have failed for that reason."""
    if reason in _PACK_REASONS:
        raise CallError(f"--retry-failed: {reason}: ground knows no such failure; pack --fresh fetches images again")
    if reason != EVERY_REASON and reason not in _GROUND_REASONS:
        raise CallError(f"--retry-failed: {reason}: no such reason; there are {', '.join(_GROUND_REASONS)}")


def reopen(plan: Plan, tables: Mapping[str, Table], reason: str | None) -> None:
    """Lists the chunks with rows that failed for a reason, and reopens their ranges, and those of an unfinished retry.

    reason: a code of `Reason`, `EVERY_REASON`, or None for no new retry.
    """
    reopened: set[RangeId] = set()
    for table in tables.values():
        chunks = set(pending(table))
        if reason is not None:
            chunks.update(_with_failed_rows(plan, table, reason))
        if chunks:
            _publish(table, sorted(chunks))
        reopened |= {chunk.range_id for chunk in chunks}
        # Only now: without the list nobody would know what to do again. What is made from these rows is reopened, too.
        table.reopen(reopened)


def pending(table: Table) -> list[ChunkId]:
    """The chunks that are to be done again, in order."""
    uri = files.join(table.uri, RETRY)
    return [ChunkId(*numbers) for numbers in files.read_json(uri)["chunks"]] if files.exists(uri) else []


def drop_sources(table: Table, sources: Iterable[int]) -> None:
    """Takes the chunks of some sources off the list: all of their pairs are read anew anyhow."""
    gone = set(sources)
    remaining = [chunk for chunk in pending(table) if chunk.source not in gone]
    _publish(table, remaining) if remaining else clear(table)


def clear(table: Table) -> None:
    """Removes the list: all of its chunks are done."""
    files.delete([files.join(table.uri, RETRY)])


def _with_failed_rows(plan: Plan, table: Table, reason: str) -> Iterator[ChunkId]:
    done = table.finished_ranges()
    for range_id in plan.range_ids():
        if range_id in done:
            for chunk in table.read_summary(range_id).chunks:
                if chunk.failed if reason == EVERY_REASON else reason in chunk.failed:
                    yield range_id.chunk(chunk.chunk)


def _publish(table: Table, chunks: Iterable[ChunkId]) -> None:
    publish_json(files.join(table.uri, RETRY), {"chunks": [[c.source, c.range, c.number] for c in chunks]})
