"""Requests to an object store: of a run, and of what grows with the number of its chunks.

They are counted on a server on loopback. The many chunks have no rows, because nothing here reads them.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path

import pytest
from moto.backends import get_backend

import gritmill
from benchmarks import inputs
from benchmarks.figures import Figure
from pipeline import layout
from pipeline.ids import ChunkId
from pipeline.tables.detections import open_detections
from tests.s3_server import BUCKET, S3Server, serving

PART = "Requests to an object store"
_OUT = f"s3://{BUCKET}/out"
_PAIRS, _CHUNK = 240, 4
_MANY = (1_000, 100_000)


def measure(work: Path, photos: Path | None) -> list[Figure]:
    """Counts the requests of a small run, then of a look at its progress and of a call that resumes it, with more
    chunks in its folder."""
    with pytest.MonkeyPatch.context() as patch, serving(patch) as server:
        folder = work / "requests"
        inputs.write_tars(inputs.scenes(_PAIRS), folder, pairs_per_tar=_PAIRS // 2)
        for path in sorted(folder.glob("*.tar")):
            server.put(f"in/{path.name}", path.read_bytes())
        return [*_of_a_run(server), *(figure for number in _MANY for figure in _with_chunks(server, number))]


def _of_a_run(server: S3Server) -> Iterator[Figure]:
    config = {
        "chunk": {"pairs": _CHUNK},
        "detector": {"model": "benchmarks.candidates:make"},
        "selection": {"score": 0},
    }
    call = {"inputs": f"s3://{BUCKET}/in/*.tar", "output": _OUT}
    chunks = _PAIRS // _CHUNK
    server.requests.clear()
    gritmill.ground(config, **call)
    yield _per_chunk("ground, a chunk", server, chunks)
    server.requests.clear()
    gritmill.pack(config, output=_OUT)
    yield _per_chunk("pack, a chunk", server, chunks)
    server.requests.clear()
    gritmill.run(config, **call)
    yield Figure(PART, "run, all is done, two ranges", f"{len(server.requests)}", "", _kinds(server.requests))


def _per_chunk(what: str, server: S3Server, chunks: int) -> Figure:
    each = len(server.requests) / chunks
    return Figure(PART, what, f"{each:.1f}", "", f"{chunks} chunks: {_kinds(server.requests)}")


def _with_chunks(server: S3Server, number: int) -> Iterator[Figure]:
    """A look at the progress lists the table once. A chunk that is new costs one more request, for its timing."""
    keys = next(iter(get_backend("s3").values()))["aws"].buckets[BUCKET].keys
    template = keys[f"out/detections/{layout.timing(ChunkId(0, 0, 0))}"]
    for n in range(number):  # as requests, 200,000 objects would take minutes
        chunk = ChunkId(7, n // 100, n % 100)
        for name in (layout.chunk(chunk), layout.timing(chunk)):
            keys[f"out/detections/{name}"] = stored = copy(template)
            stored.name = f"out/detections/{name}"
    detections = f"{_OUT}/{layout.DETECTIONS}"
    table = open_detections(detections)
    server.requests.clear()
    assert len(table.listing().chunks) >= number
    yield Figure(PART, f"a listing, {number:,} chunks", f"{len(server.requests)}", "", _kinds(server.requests))


def _kinds(requests: Sequence[str]) -> str:
    counts = Counter("LIST" if "?list" in request else request.partition(" ")[0] for request in requests)
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
