"""`ground --retry-failed`: chunks that hold failed rows are redone, with the same first and last pair.

The chunks to redo are listed in `detections/retry.json` until they are done, so that the next `ground` finishes a retry
that was killed. Meanwhile the ranges concerned are not done: `pack` refuses them as it does any unfinished range.
"""

from collections.abc import Iterable, Iterator

from pipeline import files
from pipeline.faults import CallError
from pipeline.files.publish import publish_json
from pipeline.ids import ChunkId
from pipeline.plan.plan import Plan
from pipeline.tables import detections
from transforms.records import EVERY_REASON, Reason

RETRY_NAME = "retry.json"

_PACK_REASONS = (Reason.GONE, Reason.CHANGED)
_REJECTIONS = (Reason.NO_CAPTION, Reason.LANGUAGE, Reason.NO_PHRASE, Reason.NO_BOX)
_GROUND_REASONS = tuple(reason for reason in Reason if reason not in (*_PACK_REASONS, *_REJECTIONS))


def check_reason(reason: str) -> None:
    """Raises CallError if no row can have failed for that reason."""
    if reason in _PACK_REASONS:
        raise CallError(f"--retry-failed: {reason}: ground knows no such failure; pack --fresh fetches images again")
    if reason != EVERY_REASON and reason not in _GROUND_REASONS:
        raise CallError(f"--retry-failed: {reason}: no such reason; there are {', '.join(_GROUND_REASONS)}")


def reopen(plan: Plan, folder: str, reason: str | None) -> None:
    """Lists the chunks with rows that failed for a reason, and reopens their ranges, and those of an unfinished retry.

    reason: a code of `Reason`, `EVERY_REASON`, or None for no new retry.
    """
    chunks = set(pending(folder))
    if reason is not None:
        chunks.update(_with_failed_rows(plan, folder, reason))
    if not chunks:
        return
    ordered = sorted(chunks, key=lambda chunk: (chunk.source, chunk.range, chunk.number))
    _publish(folder, ordered)
    # Only now: without the list nobody would know what to do again.
    ranges = {chunk.range_id for chunk in ordered}
    files.delete(detections.done_uri(folder, range_id) for range_id in ranges)


def pending(folder: str) -> list[ChunkId]:
    """The chunks that are to be done again, in order."""
    uri = files.join(folder, RETRY_NAME)
    return [ChunkId(*numbers) for numbers in files.read_json(uri)["chunks"]] if files.exists(uri) else []


def drop_sources(folder: str, sources: Iterable[int]) -> None:
    """Takes the chunks of some sources off the list: all of their pairs are read anew anyhow."""
    gone = set(sources)
    remaining = [chunk for chunk in pending(folder) if chunk.source not in gone]
    _publish(folder, remaining) if remaining else clear(folder)


def clear(folder: str) -> None:
    """Removes the list: all of its chunks are done."""
    files.delete([files.join(folder, RETRY_NAME)])


def _with_failed_rows(plan: Plan, folder: str, reason: str) -> Iterator[ChunkId]:
    done = detections.finished_ranges(folder)
    for range_id in plan.range_ids():
        if range_id in done:
            for chunk in detections.read_range_summary(folder, range_id)["chunks"]:
                failed = chunk.get("failed", {})
                if failed if reason == EVERY_REASON else reason in failed:
                    yield ChunkId(range_id.source, range_id.range, chunk["chunk"])


def _publish(folder: str, chunks: Iterable[ChunkId]) -> None:
    publish_json(files.join(folder, RETRY_NAME), {"chunks": [[c.source, c.range, c.number] for c in chunks]})
