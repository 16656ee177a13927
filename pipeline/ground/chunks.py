"""A range -> its chunks, from where the last committed one ended."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

from pipeline import files
from pipeline.configuration import ChunkSettings
from pipeline.faults import EnvironmentFault, SourceFault
from pipeline.ground import attempts
from pipeline.ground.load_images import ImageLoader, PositionedPair
from pipeline.ids import ChunkId, RangeId
from pipeline.plan.plan import Plan
from pipeline.sources import Position
from pipeline.tables import chunk_files, detections
from transforms.isolation.child_process import ChildProcess
from transforms.records import Chunk, Pair

FAULT = "fault"
"""In the place of a position: the range ended here, with a fault."""


def cut_chunks(
    pairs: Iterable[PositionedPair], settings: ChunkSettings
) -> Iterator[tuple[list[Pair], Position | None]]:
    """Chunks of at most `chunk.pairs` pairs and `chunk.bytes` of images, each with the position of the next one.

    The captions of one image stay together unless they alone exceed a limit; then a chunk ends inside them.
    """
    current: list[Pair] = []
    size = 0
    for group in _by_image(pairs, settings.pairs):
        length = group[0][1].image.length
        if current and (len(current) + len(group) > settings.pairs or size + length > settings.bytes):
            yield current, group[0][0]
            current, size = [], 0
        current += [pair for _, pair in group]
        size += length
    if current:
        yield current, None


def _by_image(pairs: Iterable[PositionedPair], maximum: int) -> Iterator[list[PositionedPair]]:
    """Consecutive pairs of one image together, at most `maximum` of them."""
    group: list[PositionedPair] = []
    for positioned in pairs:
        image = positioned[1].image
        same_image = bool(group) and bool(image.uri) and image == group[-1][1].image
        if group and (not same_image or len(group) == maximum):
            yield group
            group = []
        group.append(positioned)
    if group:
        yield group


def read_range(plan: Plan, range_id: RangeId, folder: str, redo: Iterable[ChunkId] = ()) -> Iterator[Chunk]:
    """The chunks of a range that are to be redone and those that are not committed; then the one that ends it.

    redo: committed chunks, of any range, to be redone.
    """
    for chunk_id in redo:
        # A chunk whose file is gone is made by the ordinary reading below.
        if chunk_id.range_id == range_id and files.exists(detections.chunk_uri(folder, chunk_id)):
            yield _redo_chunk(plan, chunk_id, folder)
    start, number = resume_position(plan, range_id, folder)
    faults: list[str] = []
    if start is not None and FAULT in start:
        faults.append(start[FAULT])
    elif start is not None:
        for chunk in _chunks(plan, range_id, start, number, folder, faults):
            yield chunk
            number += 1
    yield Chunk(range_id.source, range_id.range, number, closes_range=True, faults=tuple(faults))


def _redo_chunk(plan: Plan, chunk_id: ChunkId, folder: str) -> Chunk:
    """A committed chunk, read anew from its first to its last pair."""
    range_id = chunk_id.range_id
    start = plan.range(range_id)[1].start
    if chunk_id.number:
        start = chunk_files.read_metadata(folder, replace(chunk_id, number=chunk_id.number - 1))["next"]
    next_position = chunk_files.read_metadata(folder, chunk_id)["next"]
    row_count = chunk_files.row_count(folder, chunk_id)
    started = time.perf_counter()
    isolated = attempts.begin(folder, chunk_id) >= attempts.ISOLATE_AFTER
    source, _ = plan.range(range_id)
    pairs = islice(_until_fault(source.open(plan.configuration.source).read(start), []), row_count)
    with _loader(plan, isolated) as loader:
        loaded = tuple(pair for _, pair in loader.load(pairs))
    if len(loaded) != row_count:
        raise EnvironmentFault(f"{source.uri}: {len(loaded)} pairs can be read where {row_count} were; try again later")
    seconds = {"read": time.perf_counter() - started}
    return Chunk(
        chunk_id.source,
        chunk_id.range,
        chunk_id.number,
        loaded,
        next_position,
        isolated=isolated,
        redo=True,
        seconds=seconds,
    )


def _chunks(
    plan: Plan, range_id: RangeId, start: Position, number: int, folder: str, faults: list[str]
) -> Iterator[Chunk]:
    source, spec = plan.range(range_id)
    settings = plan.configuration
    pairs = _until_fault(source.open(settings.source).read(start), faults)
    if spec.pairs is not None:
        pairs = islice(pairs, spec.pairs - (start["index"] - spec.start["index"]))
    chunk_id = ChunkId(range_id.source, range_id.range, number)
    # The loader is one picture ahead: the picture that killed the process may be the first of the next chunk.
    next_failed = attempts.failed_count(folder, replace(chunk_id, number=number + 1))
    failed = attempts.begin(folder, chunk_id)
    started = time.perf_counter()
    with _loader(plan, max(failed, next_failed) >= attempts.ISOLATE_AFTER) as loader:
        for loaded, next_position in cut_chunks(loader.load(pairs), settings.chunk):
            if next_position is None and faults:
                next_position = {FAULT: faults[-1]}
            seconds = {"read": time.perf_counter() - started}
            isolated = failed >= attempts.ISOLATE_AFTER
            yield Chunk(
                chunk_id.source,
                chunk_id.range,
                chunk_id.number,
                tuple(loaded),
                next_position,
                isolated=isolated,
                seconds=seconds,
            )
            chunk_id = replace(chunk_id, number=chunk_id.number + 1)
            if next_position is not None and FAULT not in next_position:
                failed = attempts.begin(folder, chunk_id)
            started = time.perf_counter()


@contextmanager
def _loader(plan: Plan, isolated: bool) -> Iterator[ImageLoader]:
    child = ChildProcess() if isolated else None
    try:
        yield ImageLoader(plan.configuration.source.max_pixels, child)
    finally:
        if child:
            child.close()


def _until_fault(pairs: Iterator[PositionedPair], faults: list[str]) -> Iterator[PositionedPair]:
    try:
        yield from pairs
    except SourceFault as fault:
        faults.append(str(fault).splitlines()[0])


def resume_position(plan: Plan, range_id: RangeId, folder: str) -> tuple[Position | None, int]:
    """Where a range goes on (None: it is read to its end) and the number of the next chunk."""
    chunks = detections.committed_chunks(folder, range_id)
    if not chunks:
        return plan.range(range_id)[1].start, 0
    return chunk_files.read_metadata(folder, chunks[-1])["next"], chunks[-1].number + 1
