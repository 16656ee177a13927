"""A range -> its chunks, starting after the last committed chunk."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any

from pipeline.configuration import ChunkSettings
from pipeline.faults import EnvironmentFault, SourceFault, first_line
from pipeline.ground.attempts import AttemptLog, Attempts
from pipeline.ground.load_images import ImageLoader, PositionedPair
from pipeline.ground.near_duplicates import rejections
from pipeline.ids import ChunkId, RangeId
from pipeline.layout import DETECTIONS
from pipeline.plan.plan import Plan
from pipeline.sources import Position
from pipeline.sources.fetch_images import fetch_images
from pipeline.tables.detections import detections_of
from pipeline.tables.pair_rows import from_table
from pipeline.tables.table import Table
from transforms.filters import Filters
from transforms.isolation.child_process import ChildProcess
from transforms.records import Chunk, Fault, Pair, Reason
from transforms.wording import counted

_CALLS = 3
"""Of the process that checks images, with an image that kills it. Without such a process, the image has killed two."""

FAULT = "fault"
"""Key that a chunk's next position has instead of a position if a source fault ended the range."""


def cut_chunks(
    pairs: Iterable[PositionedPair], settings: ChunkSettings
) -> Iterator[tuple[list[Pair], Position | None]]:
    """Yields chunks of at most `chunk.pairs` pairs and `chunk.bytes` image bytes, each with the next chunk's position.

    Consecutive captions of one image stay in one chunk, unless the image has more than `chunk.pairs` captions. One
    image that exceeds `chunk.bytes` is a chunk by itself. The position of the last chunk is None.
    """
    current: list[Pair] = []
    size = 0
    for group in _by_image(pairs, settings.pairs):
        length = max((pair.image.length for _, pair in group if not pair.filtered), default=0)
        if current and (len(current) + len(group) > settings.pairs or size + length > settings.bytes):
            yield current, group[0][0]
            current, size = [], 0
        current += [pair for _, pair in group]
        size += length
    if current:
        yield current, None


def _by_image(pairs: Iterable[PositionedPair], maximum: int) -> Iterator[list[PositionedPair]]:
    """Groups consecutive pairs of one image, at most `maximum` pairs per group."""
    group: list[PositionedPair] = []
    for positioned in pairs:
        if group and (not _of_one_image(positioned[1], group[-1][1]) or len(group) == maximum):
            yield group
            group = []
        group.append(positioned)
    if group:
        yield group


def _of_one_image(pair: Pair, other: Pair) -> bool:
    one, two = pair.image, other.image
    if pair.filtered or other.filtered:  # an image that is not read has no digest
        one, two = (replace(image, length=0, digest="") for image in (one, two))
    return bool(one.uri) and one == two


def read_range(
    plan: Plan,
    range_id: RangeId,
    tables: Mapping[str, Table],
    redo: Mapping[str, Mapping[ChunkId, str]],
    attempts: AttemptLog | None = None,
    checker: ChildProcess | None = None,
) -> Iterator[Chunk]:
    """Yields the chunks of a range that lack rows in any table, then the chunk that closes the range.

    If the detections of a chunk are committed, its pairs come from them, and its images are read by reference.

    Args:
      tables: all tables that the run fills, by name, parents first: detections and what is computed from them, or a
        preliminary table.
      redo: for each table, the committed chunks (of any range) to process again, each with the digest of the rows that
        are replaced.
      attempts: the records of attempts. Default: those of a call that runs here.
      checker: the process that checks images. None: this one does, except for a chunk on which processes crashed.
    """
    detections = next(iter(tables.values()))
    folder = detections_of(tables)
    attempts = attempts or AttemptLog(folder)
    # A preliminary table is what the rejections are computed from.
    rejected = rejections(folder, plan, range_id) if DETECTIONS in tables else {}
    if len(tables) > 1 or any(redo.values()):
        for chunk_id in detections.committed_chunks(range_id):
            again = _tables_to_redo(chunk_id, redo)
            if DETECTIONS in again:
                yield _read_again(plan, chunk_id, detections, again, rejected, attempts, checker)
            elif again or _lacks_rows(chunk_id, tables.values()):
                yield _committed_chunk(plan, chunk_id, detections, again, attempts.reading(chunk_id))
    start, number = resume_position(plan, range_id, detections)
    faults: list[str] = []
    if start is not None and FAULT in start:
        faults.append(start[FAULT])
    elif start is not None:
        for chunk in _chunks(plan, range_id, start, number, attempts, checker, faults, rejected):
            yield replace(chunk, redo=_tables_to_redo(ChunkId(chunk.source, chunk.range, chunk.number), redo))
            number += 1
    yield Chunk(range_id.source, range_id.range, number, closes_range=True, faults=tuple(faults))


def _tables_to_redo(chunk_id: ChunkId, redo: Mapping[str, Mapping[ChunkId, str]]) -> dict[str, str]:
    return {name: chunks[chunk_id] for name, chunks in redo.items() if chunk_id in chunks}


def _lacks_rows(chunk_id: ChunkId, tables: Iterable[Table]) -> bool:
    """Whether one of the tables has no rows of the chunk, or rows computed from other versions of its parent chunks."""
    digests: dict[str, str] = {}
    for table in tables:
        file = table.find(chunk_id, {name: digests[name] for name in table.parents})
        if file is None:
            return True
        digests[table.name] = file.digest
    return False


def _committed_chunk(
    plan: Plan, chunk_id: ChunkId, detections: Table, redo: Mapping[str, str], record: Attempts
) -> Chunk:
    """A chunk whose rows another table lacks: its committed pairs, with their images fetched again."""
    started = time.perf_counter()
    file = detections.open(chunk_id)
    pairs = list(from_table(file.rows()))
    pictured = [number for number, pair in enumerate(pairs) if pair.image.digest and not (pair.error or pair.filtered)]
    images = fetch_images([pairs[number] for number in pictured], plan.open_source)
    for number, data in zip(pictured, images, strict=True):
        pair = pairs[number]
        pairs[number] = pair.failed(data) if isinstance(data, Fault) else replace(pair, data=data)
    fields = {"redo": redo, "digests": {DETECTIONS: file.digest}}
    return _chunk(chunk_id, pairs, file.metadata["next"], started, record, **fields)


def _read_again(
    plan: Plan,
    chunk_id: ChunkId,
    detections: Table,
    redo: Mapping[str, str],
    rejected: Mapping[int, str],
    attempts: AttemptLog,
    checker: ChildProcess | None,
) -> Chunk:
    """A committed chunk, read again from its source, with the same first and last pair.

    Raises:
      EnvironmentFault: the source now has fewer pairs there.
    """
    source, spec = plan.range(chunk_id.range_id)
    start = spec.start
    if chunk_id.number:
        start = detections.open(chunk_id.range_id.chunk(chunk_id.number - 1)).metadata["next"]
    file = detections.open(chunk_id)
    rows = file.rows()
    row_count = len(rows)
    if plan.configuration.filters.needs_hashes:
        rejected = _with_committed(rejected, from_table(rows))
    started = time.perf_counter()
    record = attempts.reading(chunk_id)
    pairs = islice(_until_fault(source.open(plan.configuration.source).read(start), []), row_count)
    with _loader(plan, checker, record, rejected) as loader:
        loaded = tuple(pair for _, pair in loader.load(pairs))
    if len(loaded) != row_count:
        raise EnvironmentFault(
            f"{source.uri}: {len(loaded):,} of {counted(row_count, 'pair')} can be read; try again later"
        )
    return _chunk(chunk_id, loaded, file.metadata["next"], started, record, redo=redo)


def _with_committed(rejected: Mapping[int, str], pairs: Iterable[Pair]) -> dict[int, str]:
    """The rejections by hashes for committed pairs that are read again: those that had not failed keep their outcome,
    although the hashes of another source may have changed since."""
    outcomes = dict(rejected)
    for pair in pairs:
        if not pair.error:
            outcomes.pop(pair.index, None)
            if pair.filtered in (Reason.NEAR_DUPLICATE, Reason.EXCLUDED):
                outcomes[pair.index] = pair.filtered
    return outcomes


def _chunk(
    chunk_id: ChunkId,
    pairs: Iterable[Pair],
    next_position: Position | None,
    started: float,
    record: Attempts,
    **fields: Any,
) -> Chunk:
    """A chunk that has been read. started: when, in seconds of `time.perf_counter`."""
    fields |= {"seconds": {"read": time.perf_counter() - started}}
    fields |= {"crashes": record.crashes, "suspected": record.suspected}
    return Chunk(chunk_id.source, chunk_id.range, chunk_id.number, tuple(pairs), next_position, **fields)


def _chunks(
    plan: Plan,
    range_id: RangeId,
    start: Position,
    number: int,
    attempts: AttemptLog,
    checker: ChildProcess | None,
    faults: list[str],
    rejected: Mapping[int, str],
) -> Iterator[Chunk]:
    source, spec = plan.range(range_id)
    settings = plan.configuration
    pairs = _until_fault(source.open(settings.source).read(start), faults)
    if spec.pairs is not None:
        pairs = islice(pairs, spec.pairs - (start["index"] - spec.start["index"]))
    chunk_id = ChunkId(range_id.source, range_id.range, number)
    record = attempts.reading(chunk_id)
    started = time.perf_counter()
    with _loader(plan, checker, record, rejected) as loader:
        for loaded, next_position in cut_chunks(loader.load(pairs), settings.chunk):
            if next_position is None and faults:
                next_position = {FAULT: faults[-1]}
            yield _chunk(chunk_id, loaded, next_position, started, record)
            chunk_id = range_id.chunk(chunk_id.number + 1)
            if next_position is not None and FAULT not in next_position:
                record = attempts.reading(chunk_id)
            started = time.perf_counter()


@contextmanager
def _loader(
    plan: Plan, checker: ChildProcess | None, record: Attempts, rejected: Mapping[int, str]
) -> Iterator[ImageLoader]:
    # The loader reads one image ahead, so the image at fault may belong to the next chunk: the child is for all.
    own = ChildProcess() if checker is None and record.crashes else None
    try:
        settings, calls = plan.configuration, _CALLS if checker else 1
        child = checker or own
        yield ImageLoader(settings.source.image_limits, child, Filters(settings.filters), rejected, calls)
    finally:
        if own:
            own.close()


def _until_fault(pairs: Iterator[PositionedPair], faults: list[str]) -> Iterator[PositionedPair]:
    try:
        yield from pairs
    except SourceFault as fault:
        faults.append(first_line(fault))


def resume_position(plan: Plan, range_id: RangeId, detections: Table) -> tuple[Position | None, int]:
    """Returns the position where a range resumes (None if it is read to its end) and the number of the next chunk."""
    chunks = detections.committed_chunks(range_id)
    if not chunks:
        return plan.range(range_id)[1].start, 0
    return detections.open(chunks[-1]).metadata["next"], chunks[-1].number + 1


def without_images(chunk: Chunk) -> Chunk:
    """The chunk without image data, which no step after the last stage needs."""
    return replace(chunk, pairs=tuple(replace(pair, data=b"") for pair in chunk.pairs))
