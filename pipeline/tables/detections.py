"""The durable table between the two halves: one row for every pair that was read, one parquet file a chunk.

    detections/plan.json
    detections/<source>/<range>-<chunk>.parquet
    detections/<source>/<range>.done.json        after the range's last chunk
    detections/timings/<source>/<range>-<chunk>.json

Here is what is there: paths, lists, records of finished ranges. A run with nothing left to do asks for no more, and
does not wait for pyarrow, which `chunk_files` imports.
"""

import re
from itertools import count, takewhile
from typing import Any

from pipeline import files
from pipeline.ids import ChunkId, RangeId

FORMAT = 1
FOLDER = "detections"
TIMINGS = "timings"


def chunk_uri(detections: str, chunk: ChunkId) -> str:
    """Where a chunk is committed."""
    return files.join(detections, f"{chunk.stem}.parquet")


def done_uri(detections: str, range_id: RangeId) -> str:
    """Where a finished range is recorded."""
    return files.join(detections, f"{range_id.source:05}/{range_id.range:05}.done.json")


def committed_chunks(detections: str, range_id: RangeId) -> list[ChunkId]:
    """The committed chunks of a range, in order, up to the first that is missing."""
    chunks = (ChunkId(range_id.source, range_id.range, number) for number in count())
    return list(takewhile(lambda chunk: files.exists(chunk_uri(detections, chunk)), chunks))


def all_committed_chunks(detections: str) -> list[ChunkId]:
    """The committed chunks of all ranges, in order."""
    chunks = [_chunk_of(info.uri) for info in files.list_folder(detections, "*/*-*.parquet")]
    return sorted((chunk for chunk in chunks if chunk), key=lambda c: (c.source, c.range, c.number))


def finished_ranges(detections: str) -> set[RangeId]:
    """The ranges that are done."""
    uris = (info.uri for info in files.list_folder(detections, "*/*.done.json"))
    matches = (re.search(r"/(\d+)/(\d+)\.done\.json$", uri) for uri in uris)
    return {RangeId(int(match[1]), int(match[2])) for match in matches if match}


def delete_source(detections: str, source: int) -> None:
    """Removes all rows of a source; first the records that its ranges are done, so that no part counts as all."""
    infos = files.list_folder(files.join(detections, f"{source:05}"))
    infos.sort(key=lambda info: not info.uri.endswith(".done.json"))
    infos += files.list_folder(files.join(detections, TIMINGS, f"{source:05}"))
    files.delete(info.uri for info in infos)


def is_done(detections: str, range_id: RangeId) -> bool:
    """Whether a range is recorded as finished."""
    return files.exists(done_uri(detections, range_id))


def read_range_summary(detections: str, range_id: RangeId) -> dict[str, Any]:
    """What `finish_range` has recorded."""
    value: dict[str, Any] = files.read_json(done_uri(detections, range_id))
    return value


def _chunk_of(uri: str) -> ChunkId | None:
    match = re.search(r"/(\d+)/(\d+)-(\d+)\.parquet$", uri)
    return ChunkId(*map(int, match.groups())) if match else None
