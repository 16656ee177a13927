"""CommitDetections: a chunk's rows become durable; after a range's last chunk, so does the fact that it is done."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

from pipeline.ground import attempts
from pipeline.ids import ChunkId, RangeId
from pipeline.tables import chunk_files
from pipeline.tables.chunk_files import Provenance
from transforms.records import Chunk


class _CommitDoFn(beam.DoFn):
    def __init__(self, folder: str, provenance: Provenance) -> None:
        self.folder = folder
        self.provenance = provenance

    def setup(self) -> None:
        self._previous_commit: float | None = None

    def process(self, chunk: Chunk) -> Iterator[None]:
        if chunk.closes_range:
            chunk_files.finish_range(self.folder, RangeId(chunk.source, chunk.range), chunk.faults)
        else:
            chunk_files.commit_chunk(self.folder, chunk, self.provenance, self._previous_commit)
            self._previous_commit = time.monotonic()
            attempts.end(self.folder, ChunkId(chunk.source, chunk.range, chunk.number))
        yield from ()


@dataclass
class CommitDetections(beam.PTransform):
    """Chunks with boxes -> nothing; the rows lie in the detections folder."""

    folder: str
    provenance: Provenance

    def expand(self, chunks: beam.PCollection) -> beam.PCollection:
        return chunks | beam.ParDo(_CommitDoFn(self.folder, self.provenance))
