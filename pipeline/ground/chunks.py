"""A range -> its chunks, from where the last committed one ended."""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from pipeline import files
from pipeline.configuration import ChunkSettings
from pipeline.faults import EnvironmentFault, SourceFault
from pipeline.ground import attempts
from pipeline.ground.load_images import ImageLoader, Placed
from pipeline.ids import ChunkId, RangeId
from pipeline.plan.plan import Plan
from pipeline.sources import Position
from pipeline.tables import detections
from transforms.isolation.child_process import ChildProcess
from transforms.records import Chunk, Pair

Item = TypeVar("Item")


FAULT = "fault"
"""In the place of a position: the range ended here, with a fault."""


def cut(pairs: Iterable[Placed], settings: ChunkSettings) -> Iterator[tuple[list[Pair], Position | None]]:
    """Runs of at most `chunk.pairs` pairs and `chunk.bytes` of images, each with the position of the next run.

    The captions of one image stay together unless they alone exceed a limit; then a run ends inside them.
    """
    run: list[Pair] = []
    size = 0
    for group in _by_image(pairs, settings.pairs):
        length = group[0][1].image.length
        if run and (len(run) + len(group) > settings.pairs or size + length > settings.bytes):
            yield run, group[0][0]
            run, size = [], 0
        run += [pair for _, pair in group]
        size += length
    if run:
        yield run, None


def _by_image(pairs: Iterable[Placed], most: int) -> Iterator[list[Placed]]:
    """Consecutive pairs of one image together, at most `most` of them."""
    group: list[Placed] = []
    for placed in pairs:
        image = placed[1].image
        same = bool(group) and bool(image.uri) and image == group[-1][1].image
        if group and (not same or len(group) == most):
            yield group
            group = []
        group.append(placed)
    if group:
        yield group


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items; the next one is made in a thread while the caller works on this one."""
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="read") as pool:
        future = pool.submit(next, items, end)
        while (item := future.result()) is not end:
            future = pool.submit(next, items, end)
            yield item  # type: ignore[misc]


def read_range(plan: Plan, identity: RangeId, folder: str, again: Iterable[ChunkId] = ()) -> Iterator[Chunk]:
    """The chunks of a range that are to be done again and those that are not committed; then the one that ends it.

    again: chunks of any range.
    """
    for which in again:
        # One that is gone is made by the ordinary reading below.
        if RangeId(which.source, which.range) == identity and files.exists(detections.chunk_uri(folder, which)):
            yield _once_more(plan, which, folder)
    start, number = resume(plan, identity, folder)
    faults: list[str] = []
    if start is not None and FAULT in start:
        faults.append(start[FAULT])
    elif start is not None:
        for chunk in _chunks(plan, identity, start, number, folder, faults):
            yield chunk
            number += 1
    yield Chunk(identity.source, identity.range, number, closes_range=True, faults=tuple(faults))


def _once_more(plan: Plan, which: ChunkId, folder: str) -> Chunk:
    """A committed chunk, read anew from its first to its last pair."""
    identity = RangeId(which.source, which.range)
    start = plan.range(identity)[1].start
    if which.number:
        start = detections.about(folder, replace(which, number=which.number - 1))["next"]
    following = detections.about(folder, which)["next"]
    rows = detections.rows(folder, which)
    started = time.perf_counter()
    apart = attempts.begin(folder, which) >= attempts.FATAL
    source, _ = plan.range(identity)
    pairs = islice(_tolerant(source.open(plan.configuration.source).read(start), []), rows)
    with _loader(plan, apart) as loader:
        loaded = tuple(pair for _, pair in loader.load(pairs))
    if len(loaded) != rows:
        raise EnvironmentFault(f"{source.uri}: {len(loaded)} pairs can be read where {rows} were; try again later")
    seconds = {"read": time.perf_counter() - started}
    return Chunk(which.source, which.range, which.number, loaded, following, isolated=apart, redo=True, seconds=seconds)


def _chunks(
    plan: Plan, identity: RangeId, start: Position, number: int, folder: str, faults: list[str]
) -> Iterator[Chunk]:
    source, spec = plan.range(identity)
    settings = plan.configuration
    pairs = _tolerant(source.open(settings.source).read(start), faults)
    if spec.pairs is not None:
        pairs = islice(pairs, spec.pairs - (start["index"] - spec.start["index"]))
    this = ChunkId(identity.source, identity.range, number)
    # A picture that kills what measures it may be the next chunk's first: the loader is one picture ahead.
    doomed = attempts.count(folder, replace(this, number=number + 1))
    died = attempts.begin(folder, this)
    started = time.perf_counter()
    with _loader(plan, max(died, doomed) >= attempts.FATAL) as loader:
        for run, following in cut(loader.load(pairs), settings.chunk):
            if following is None and faults:
                following = {FAULT: faults[-1]}
            seconds = {"read": time.perf_counter() - started}
            apart = died >= attempts.FATAL
            yield Chunk(this.source, this.range, this.number, tuple(run), following, isolated=apart, seconds=seconds)
            this = replace(this, number=this.number + 1)
            if following is not None and FAULT not in following:
                died = attempts.begin(folder, this)
            started = time.perf_counter()


@contextmanager
def _loader(plan: Plan, apart: bool) -> Iterator[ImageLoader]:
    child = ChildProcess() if apart else None
    try:
        yield ImageLoader(plan.configuration.source.max_pixels, child)
    finally:
        if child:
            child.close()


def _tolerant(pairs: Iterator[Placed], faults: list[str]) -> Iterator[Placed]:
    try:
        yield from pairs
    except SourceFault as fault:
        faults.append(str(fault).splitlines()[0])


def resume(plan: Plan, identity: RangeId, folder: str) -> tuple[Position | None, int]:
    """Where a range goes on (None: it is read to its end) and the number of the next chunk."""
    chunks = detections.committed(folder, identity)
    if not chunks:
        return plan.range(identity)[1].start, 0
    return detections.about(folder, chunks[-1])["next"], chunks[-1].number + 1
