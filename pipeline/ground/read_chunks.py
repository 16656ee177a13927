"""ReadChunks: a range -> its chunks that lack rows. Reads the next chunk while the caller processes the current one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import apache_beam as beam

from pipeline.engines import worker_context
from pipeline.files.lease import Lease
from pipeline.ground import retry
from pipeline.ground.chunks import read_range
from pipeline.ids import RangeId
from pipeline.plan.plan import read_plan
from pipeline.tables.detections import detections_of
from pipeline.tables.table import Table
from transforms.read_ahead import prefetch
from transforms.records import Chunk


class _ReadChunksDoFn(beam.DoFn):
    def __init__(self, tables: Mapping[str, Table], lease: Lease | None) -> None:
        self.tables = tables
        self.lease = lease

    def setup(self) -> None:
        self._plan = read_plan(detections_of(self.tables))
        self._redo = {name: retry.pending(table) for name, table in self.tables.items()}

    def process(self, range_id: RangeId) -> Iterator[Chunk]:
        yield from worker_context.outputs(self.lease, "read", lambda: self._read(range_id))

    def _read(self, range_id: RangeId) -> Iterator[Chunk]:
        assert self._plan is not None
        # An engine may process a range twice.
        if not all(table.is_finished(range_id) for table in self.tables.values()):
            yield from prefetch(read_range(self._plan, range_id, self.tables, self._redo))


@dataclass
class ReadChunks(beam.PTransform):
    """Ranges of a plan -> chunks of pairs with their images. tables: all tables that the run fills, by name.
    lease: as for `worker_context.outputs`."""

    tables: Mapping[str, Table]
    lease: Lease | None = None

    def expand(self, ranges: beam.PCollection) -> beam.PCollection:
        return ranges | beam.ParDo(_ReadChunksDoFn(self.tables, self.lease))
