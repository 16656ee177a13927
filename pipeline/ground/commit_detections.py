"""CommitDetections: a chunk's rows become durable; after a range's last chunk, so does the fact that it is done."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

from pipeline.ground import attempts
from pipeline.ids import ChunkId, RangeId
from pipeline.tables import detections
from pipeline.tables.detections import Identity
from transforms.records import Chunk


class _CommitDoFn(beam.DoFn):
    def __init__(self, folder: str, identity: Identity) -> None:
        self.folder = folder
        self.identity = identity

    def setup(self) -> None:
        self._last: float | None = None

    def process(self, chunk: Chunk) -> Iterator[None]:
        if chunk.closes_range:
            detections.finish(self.folder, RangeId(chunk.source, chunk.range), chunk.faults)
        else:
            detections.commit(self.folder, chunk, self.identity, self._last)
            self._last = time.monotonic()
            attempts.end(self.folder, ChunkId(chunk.source, chunk.range, chunk.number))
        yield from ()


@dataclass
class CommitDetections(beam.PTransform):
    """Chunks with boxes -> nothing; the rows lie in the detections folder."""

    folder: str
    identity: Identity

    def expand(self, chunks: beam.PCollection) -> beam.PCollection:
        return chunks | beam.ParDo(_CommitDoFn(self.folder, self.identity))
