"""ReadChunks: a range -> its chunks, from where the last committed one ended; the next chunk is prefetched."""

from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

from pipeline import files
from pipeline.ground import retry
from pipeline.ground.chunks import read_range
from pipeline.ids import RangeId
from pipeline.plan.plan import read_plan
from pipeline.tables import detections
from transforms.read_ahead import prefetch
from transforms.records import Chunk


class _ReadChunksDoFn(beam.DoFn):
    def __init__(self, folder: str) -> None:
        self.folder = folder

    def setup(self) -> None:
        self._plan = read_plan(self.folder)
        self._redo = retry.pending(self.folder)

    def process(self, range_id: RangeId) -> Iterator[Chunk]:
        assert self._plan is not None
        if not files.exists(detections.done_uri(self.folder, range_id)):  # an engine may try a range twice
            yield from prefetch(read_range(self._plan, range_id, self.folder, self._redo))


@dataclass
class ReadChunks(beam.PTransform):
    """Ranges of the plan in a detections folder -> chunks of pairs with their images."""

    folder: str

    def expand(self, ranges: beam.PCollection) -> beam.PCollection:
        return ranges | beam.ParDo(_ReadChunksDoFn(self.folder))
