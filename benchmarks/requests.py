"""Requests to an object store: of a run, and of what grows with the number of its chunks.

They are counted on a server on loopback. The many chunks have no rows, because nothing here reads them.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
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
_PAIRS = 200
_CHUNKS = (10, 50)
_MANY = (1_000, 100_000)


def measure(work: Path, photos: Path | None) -> list[Figure]:
    """Counts the requests of small runs and of the same calls again, then of a listing with more chunks."""
    with pytest.MonkeyPatch.context() as patch, serving(patch) as server:
        folder = work / "requests"
        inputs.write_tars(inputs.scenes(_PAIRS), folder, pairs_per_tar=_PAIRS // 2)
        for path in sorted(folder.glob("*.tar")):
            server.put(f"in/{path.name}", path.read_bytes())
        return [*_of_a_run(server), *(figure for number in _MANY for figure in _with_chunks(server, number))]


def _of_a_run(server: S3Server) -> Iterator[Figure]:
    """What each chunk costs, and the rest: from runs with few and with many chunks."""
    few, many = (_requests(server, chunks) for chunks in _CHUNKS)
    for step in ("ground", "pack"):
        each = (len(many[step]) - len(few[step])) / (_CHUNKS[1] - _CHUNKS[0])
        detail = f"{_CHUNKS[0]} chunks: {_kinds(few[step])}; {_CHUNKS[1]}: {_kinds(many[step])}"
        yield Figure(PART, f"{step}, each chunk", f"{each:.1f}", "", detail)
        yield Figure(PART, f"{step}, the rest", f"{len(few[step]) - each * _CHUNKS[0]:.0f}")
    again = " and ".join(f"{len(one['run'])}" for one in (few, many))
    yield Figure(PART, "a call on a finished run", again, "", _kinds(many["run"]))


def _requests(server: S3Server, chunks: int) -> dict[str, list[str]]:
    """The requests of each step, with two ranges."""
    output = f"{_OUT}-{chunks}"
    detector = {"model": "benchmarks.candidates:make"}
    config = {"chunk": {"pairs": _PAIRS // chunks}, "detector": detector, "selection": {"score": 0}}
    inputs = f"s3://{BUCKET}/in/*.tar"
    steps: dict[str, Callable[[], object]] = {
        "ground": lambda: gritmill.ground(config, inputs=inputs, output=output),
        "pack": lambda: gritmill.pack(config, output=output),
        "run": lambda: gritmill.run(config, inputs=inputs, output=output),
    }
    found = {}
    for name, step in steps.items():
        server.requests.clear()
        step()
        found[name] = list(server.requests)
    return found


def _with_chunks(server: S3Server, number: int) -> Iterator[Figure]:
    """A look at the progress lists the table once. A chunk that is new costs one more request, for its timing."""
    keys = next(iter(get_backend("s3").values()))["aws"].buckets[BUCKET].keys
    template = keys[f"out-{_CHUNKS[0]}/detections/{layout.timing(ChunkId(0, 0, 0))}"]
    for n in range(number):  # as requests, 200,000 objects would take minutes
        chunk = ChunkId(7, n // 100, n % 100)
        for name in (layout.chunk(chunk), layout.timing(chunk)):
            keys[f"many/detections/{name}"] = stored = copy(template)
            stored.name = f"many/detections/{name}"
    detections = f"s3://{BUCKET}/many/{layout.DETECTIONS}"
    table = open_detections(detections)
    server.requests.clear()
    assert len(table.listing(sources=8).chunks) >= number
    yield Figure(PART, f"a listing, {number:,} chunks", f"{len(server.requests)}", "", _kinds(server.requests))


def _kinds(requests: Sequence[str]) -> str:
    counts = Counter("LIST" if "?list" in request else request.partition(" ")[0] for request in requests)
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
