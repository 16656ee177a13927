"""CommitRows: writes the rows of each chunk to a table, and a range summary after the last chunk of a range."""

import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.metrics import Metrics

from pipeline.engines import worker_context
from pipeline.files.guards import Guard, always
from pipeline.files.lease import Lease
from pipeline.ground import attempts
from pipeline.ground.attempts import AttemptLog
from pipeline.ground.commit_chunk import Provenance, commit_chunk
from pipeline.ids import ChunkId, RangeId
from pipeline.stages.base import Stage
from pipeline.tables.table import Table
from transforms.records import Chunk


class _CommitDoFn(beam.DoFn):
    def __init__(self, commit: "CommitRows") -> None:
        self.commit = commit

    def setup(self) -> None:
        self._previous: float | None = None

    def process(self, chunk: Chunk) -> Iterator[Chunk]:
        yield from worker_context.outputs(self.commit.lease, "commit", lambda: self._commit(chunk))

    def _commit(self, chunk: Chunk) -> Iterator[Chunk]:
        table, guard = self.commit.table, self.commit.guard
        if chunk.closes_range:
            if table.finish(RangeId(chunk.source, chunk.range), chunk.number, chunk.faults, guard):
                self._count(source_faults=len(chunk.faults))
            yield chunk
            return
        chunk_id = ChunkId(chunk.source, chunk.range, chunk.number)
        if table.name not in chunk.digests:
            stage, provenance = self.commit.stage, self.commit.provenance
            with self.commit.log.releasing(chunk_id) if self.commit.log else nullcontext():
                done = commit_chunk(table, stage, chunk, provenance, guard, self._previous, self._count_chunk)
            if done is None:
                return
            self._previous = time.monotonic()
            chunk = done
        if self.commit.attempts:
            attempts.end(self.commit.attempts, chunk_id)
        yield chunk

    def _count_chunk(self, chunk: Chunk) -> None:
        failed = sum(map(self.commit.stage.is_failed, chunk.rows))
        self._count(chunks=1, pairs=len(chunk.pairs), failed_rows=failed)

    def _count(self, **numbers: int) -> None:
        """Adds to counters that engines show on their pages."""
        for name, number in numbers.items():
            Metrics.counter(f"gritmill.{self.commit.table.name}", name).inc(number)


@dataclass
class CommitRows(beam.PTransform):
    """Chunks with rows -> the same chunks, with their rows committed to the table.

    stage: the last stage of the table. attempts: the detections folder, if the attempt at a chunk ends with this
    commit; "" otherwise. guard: called right before a file becomes visible; if it returns False, nothing is written
    and the chunk is dropped. lease: as for `worker_context.outputs`. log: the records of attempts.
    """

    table: Table
    stage: Stage
    provenance: Provenance
    attempts: str = ""
    guard: Guard = always
    lease: Lease | None = None
    log: AttemptLog | None = None

    def expand(self, chunks: beam.PCollection) -> beam.PCollection:
        return chunks | beam.ParDo(_CommitDoFn(self))
