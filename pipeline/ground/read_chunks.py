"""ReadChunks: a range -> its chunks, from where the last committed one ended; the next chunk is read ahead."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

import apache_beam as beam

from pipeline import files
from pipeline.configuration import ChunkSettings
from pipeline.faults import EnvironmentFault, SourceFault
from pipeline.ground import attempts, retry
from pipeline.plan.plan import Plan, RangeId, read_plan
from pipeline.sources import Position
from pipeline.tables import detections
from pipeline.tables.detections import ChunkId
from transforms import images
from transforms.detectors.isolated import measure as measure_apart
from transforms.images import ImageFault
from transforms.isolation.child_process import Child
from transforms.records import Chunk, Fault, Pair, Reason, Stage

Item = TypeVar("Item")
Placed = tuple[Position, Pair]

_LOADERS = 8  # image files are fetched by so many threads: a table on an object store costs a request each
_AHEAD = 32
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


@dataclass
class ImageLoader:
    """Reads images that are files of their own, and measures all; a pair whose image is bad comes back failed.

    apart: where images are measured if that may kill the process; None: in this one.
    """

    max_pixels: int
    apart: Child | None = None
    _last: Pair | None = field(default=None, init=False)

    def load(self, pairs: Iterable[Placed]) -> Iterator[Placed]:
        """The pairs in order; files are read some pairs ahead, one time for consecutive captions of one image."""
        with ThreadPoolExecutor(_LOADERS, thread_name_prefix="images") as pool:
            waiting: deque[tuple[Position, Pair, Future[bytes | Fault]]] = deque()
            for position, pair in pairs:
                again = waiting and waiting[-1][1].image == pair.image and not (pair.error or waiting[-1][1].error)
                waiting.append((position, pair, waiting[-1][2] if again else pool.submit(_fetch, pair)))
                if len(waiting) > _AHEAD:
                    yield self._next(waiting)
            while waiting:
                yield self._next(waiting)

    def _next(self, waiting: "deque[tuple[Position, Pair, Future[bytes | Fault]]]") -> Placed:
        position, pair, fetched = waiting.popleft()
        return position, self._measured(pair, fetched.result())

    def _measured(self, pair: Pair, data: bytes | Fault) -> Pair:
        if isinstance(data, Fault):
            return pair.failed(data)
        if pair.error or not pair.image.uri:
            return pair
        last = self._last
        if last and last.data == data and last.image.uri == pair.image.uri and last.image.row == pair.image.row:
            image = replace(last.image, offset=pair.image.offset)
            loaded = replace(pair, image=image, data=last.data, width=last.width, height=last.height)
            return loaded.failed(last.error) if last.error else loaded
        self._last = self._measure(replace(pair, data=data))
        return self._last

    def _measure(self, pair: Pair) -> Pair:
        pair = replace(pair, image=replace(pair.image, length=len(pair.data), digest=images.image_digest(pair.data)))
        try:
            if self.apart:
                width, height = measure_apart(self.apart, pair.data, self.max_pixels)
            else:
                width, height = images.measure(pair.data, self.max_pixels)
        except ImageFault as error:
            return pair.failed(Fault.of(Stage.IMAGE, error.reason, str(error)))
        return replace(pair, width=width, height=height)


def _fetch(pair: Pair) -> bytes | Fault:
    """The encoded image. A file that is not there, or may not be read, is the pair's fault.

    Other trouble is the environment's, and raises.
    """
    if pair.error or not pair.image.uri or pair.image.uri == pair.source:
        return pair.data  # it lies in the source itself, and came with the pair
    try:
        return files.read_bytes(pair.image.uri)
    except Exception as error:
        if files.is_missing(error) or isinstance(error, (IsADirectoryError, ValueError)):  # a NUL in the path
            return Fault.of(Stage.READ, Reason.MISSING_FILE, pair.image.uri)
        if files.is_forbidden(pair.image.uri):
            return Fault.of(Stage.READ, Reason.FORBIDDEN, pair.image.uri)
        raise


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
    yield Chunk(identity.source, identity.range, number, end=True, faults=tuple(faults))


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
    return Chunk(which.source, which.range, which.number, loaded, following, apart=apart, again=True, seconds=seconds)


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
            yield Chunk(this.source, this.range, this.number, tuple(run), following, apart=apart, seconds=seconds)
            this = replace(this, number=this.number + 1)
            if following is not None and FAULT not in following:
                died = attempts.begin(folder, this)
            started = time.perf_counter()


@contextmanager
def _loader(plan: Plan, apart: bool) -> Iterator[ImageLoader]:
    child = Child() if apart else None
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


class _ReadChunksDoFn(beam.DoFn):
    def __init__(self, folder: str) -> None:
        self.folder = folder

    def setup(self) -> None:
        self._plan = read_plan(self.folder)
        self._again = retry.pending(self.folder)

    def process(self, identity: RangeId) -> Iterator[Chunk]:
        assert self._plan is not None
        if not files.exists(detections.done_uri(self.folder, identity)):  # an engine may try a range twice
            yield from ahead(read_range(self._plan, identity, self.folder, self._again))


@dataclass
class ReadChunks(beam.PTransform):
    """Ranges of the plan in a detections folder -> chunks of pairs with their images."""

    folder: str

    def expand(self, ranges: beam.PCollection) -> beam.PCollection:
        return ranges | beam.ParDo(_ReadChunksDoFn(self.folder))
