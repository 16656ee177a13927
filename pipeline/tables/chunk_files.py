"""The files of the detections table: a chunk is committed, a range finished, rows and metadata are read back.

What is in a row is said in `pair_rows`.
"""

import os
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline import files
from pipeline.faults import EnvironmentFault, first_line
from pipeline.files.publish import publish_bytes, publish_json
from pipeline.ids import ChunkId, RangeId
from pipeline.tables import pair_rows
from pipeline.tables.detections import FORMAT, TIMINGS, all_committed_chunks, chunk_uri, committed_chunks, done_uri
from transforms.images import bytes_digest
from transforms.records import Chunk, Pair


@dataclass(frozen=True)
class Provenance:
    """What every chunk's file says of how it was made."""

    fingerprint: str
    model_identities: dict[str, str]
    precision: str
    batch: int


def commit_chunk(detections: str, chunk: Chunk, provenance: Provenance, previous_commit: float | None = None) -> None:
    """Publishes a chunk's rows; its metadata says where the next chunk starts.

    A committed chunk stays, unless it is redone: an engine may do a chunk twice, and on a GPU the last bits
    would differ. previous_commit: when this worker committed the chunk before, in seconds of `time.monotonic`; for its
    first chunk, in which the models are loaded, the time that its steps took counts instead.
    """
    chunk_id = ChunkId(chunk.source, chunk.range, chunk.number)
    if files.exists(chunk_uri(detections, chunk_id)) and not chunk.redo:
        return
    metadata = {
        "format": FORMAT,
        "fingerprint": provenance.fingerprint,
        "models": provenance.model_identities,
        "made": {"precision": provenance.precision, "batch": provenance.batch, **chunk.detector_info},
        "next": chunk.next_position,
    }
    publish_bytes(chunk_uri(detections, chunk_id), pair_rows.encode(chunk.pairs, metadata))
    wall = sum(chunk.seconds.values()) if previous_commit is None else time.monotonic() - previous_commit
    timings = {
        "pairs": len(chunk.pairs),
        "seconds": {step: round(seconds, 4) for step, seconds in chunk.seconds.items()},
        "wall": round(wall, 4),
        "first": previous_commit is None,
        "worker": f"{socket.gethostname()}:{os.getpid()}",
        "committed": time.time(),
    }
    publish_json(files.join(detections, TIMINGS, f"{chunk_id.stem}.json"), timings)


def finish_range(detections: str, range_id: RangeId, faults: Sequence[str]) -> None:
    """Records a range whose chunks are all committed: their names, rows and content, and what could not be read.

    Of failed rows their number stands there, by reason.
    """
    if files.exists(done_uri(detections, range_id)):
        return
    chunks: list[dict[str, Any]] = []
    for chunk in committed_chunks(detections, range_id):
        data = files.read_bytes(chunk_uri(detections, chunk))
        row_reasons = pair_rows.failure_reasons(data)
        entry = {"chunk": chunk.number, "rows": len(row_reasons), "digest": bytes_digest(data)}
        failed = Counter(reason for reason in row_reasons if reason)
        chunks.append(entry | ({"failed": dict(sorted(failed.items()))} if failed else {}))
    value = {"format": FORMAT, "chunks": chunks, "rows": sum(c["rows"] for c in chunks), "faults": list(faults)}
    publish_json(done_uri(detections, range_id), value)


def read_metadata(detections: str, chunk: ChunkId) -> dict[str, Any]:
    """A chunk's metadata: format, fingerprint, models, how it was made, where the next chunk starts."""
    uri = chunk_uri(detections, chunk)
    try:
        with files.open_read(uri) as file:
            return pair_rows.read_metadata(file)
    except Exception as error:
        raise EnvironmentFault(f"{uri}: {type(error).__name__}: {first_line(error)}") from error


def row_count(detections: str, chunk: ChunkId) -> int:
    """How many pairs a committed chunk holds."""
    with files.open_read(chunk_uri(detections, chunk)) as file:
        return pair_rows.row_count(file)


def read_chunk(detections: str, chunk: ChunkId, digest: str | None = None) -> Iterator[Pair]:
    """The pairs of a committed chunk, in order; raises as `read_table`."""
    yield from pair_rows.from_table(read_table(detections, chunk, digest))


def read_table(detections: str, chunk: ChunkId, digest: str | None = None) -> pa.Table:
    """The rows of a committed chunk, in order. digest: what `finish_range` recorded of it.

    Raises:
      EnvironmentFault: the file is gone, or is not the one that was committed.
    """
    uri = chunk_uri(detections, chunk)
    done = done_uri(detections, chunk.range_id)
    try:
        data = files.read_bytes(uri)
    except Exception as error:
        if files.is_missing(error):
            raise EnvironmentFault(f"{uri} is gone; remove {done} as well, then ground makes it again") from error
        raise EnvironmentFault(f"{uri}: {type(error).__name__}: {first_line(error)}") from error
    if digest is not None and bytes_digest(data) != digest:
        raise EnvironmentFault(f"{uri} is not what was committed; remove it and {done}, then ground makes it again")
    return pair_rows.decode(data)


def read_all(detections: str) -> Iterator[Pair]:
    """The pairs of all committed chunks, in order."""
    for chunk in all_committed_chunks(detections):
        yield from read_chunk(detections, chunk)
