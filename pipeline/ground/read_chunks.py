"""ReadChunks: a range -> its chunks that lack rows. Reads the next chunk while the caller processes the current one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import apache_beam as beam

from pipeline.engines import worker_context
from pipeline.faults import EnvironmentFault
from pipeline.files.lease import Lease
from pipeline.ground import retry
from pipeline.ground.attempts import AttemptLog
from pipeline.ground.chunks import read_range
from pipeline.ids import ChunkId, RangeId
from pipeline.plan.plan import Plan, read_plan
from pipeline.tables.detections import detections_of
from pipeline.tables.table import Table
from transforms import devices
from transforms.isolation.child_process import ChildProcess
from transforms.read_ahead import prefetch
from transforms.records import Chunk


class _ReadChunksDoFn(beam.DoFn):
    def __init__(self, tables: Mapping[str, Table], attempts: AttemptLog, lease: Lease | None) -> None:
        self.tables = tables
        self.attempts = attempts
        self.lease = lease

    def setup(self) -> None:
        if self.attempts.in_child:
            devices.take_slot()
        self._checker = ChildProcess() if self.attempts.in_child else None
        self._work: tuple[Plan, dict[str, dict[ChunkId, str]]] | None = None

    def process(self, range_id: RangeId) -> Iterator[Chunk]:
        yield from worker_context.outputs(self.lease, "read", lambda: self._read(range_id))

    def _read(self, range_id: RangeId) -> Iterator[Chunk]:
        if self._work is None:  # not in `setup`: the next run may have moved the folder, and Beam would try it again
            folder = detections_of(self.tables)
            if (read := read_plan(folder)) is None:
                raise EnvironmentFault(f"{folder}: the plan is not there any more; run the same command to resume")
            self._work = read, {name: retry.pending(table) for name, table in self.tables.items()}
        plan, redo = self._work
        # An engine may process a range twice.
        if not all(table.is_finished(range_id) for table in self.tables.values()):
            chunks = read_range(plan, range_id, self.tables, redo, self.attempts, self._checker)
            chunks = prefetch(chunks, alone=lambda chunk: chunk.suspected)
            yield from self._attempt(chunks) if self.attempts.in_child else chunks

    def _attempt(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Records for each chunk that its model starts: the next step gets it now."""
        for chunk in chunks:
            if chunk.closes_range:
                yield chunk
                continue
            record = self.attempts.begin(ChunkId(chunk.source, chunk.range, chunk.number))
            yield replace(chunk, crashes=record.crashes)

    def teardown(self) -> None:
        if self._checker:
            self._checker.close()


@dataclass
class ReadChunks(beam.PTransform):
    """Ranges of a plan -> chunks of pairs with their images.

    tables: all tables that the run fills, by name. attempts: the records of attempts at chunks. lease: as for
    `worker_context.outputs`.
    """

    tables: Mapping[str, Table]
    attempts: AttemptLog
    lease: Lease | None = None

    def expand(self, ranges: beam.PCollection) -> beam.PCollection:
        return ranges | beam.ParDo(_ReadChunksDoFn(self.tables, self.attempts, self.lease))
