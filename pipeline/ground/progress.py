"""The progress of a run of `ground`, computed from committed chunks."""

from collections.abc import Mapping
from statistics import mean

from pipeline import files, layout
from pipeline.engines import progress
from pipeline.files.typed import read_typed
from pipeline.ground.chunks import FAULT
from pipeline.ids import ChunkId, RangeId
from pipeline.plan.plan import Plan
from pipeline.tables.range_summary import Timing
from pipeline.tables.table import Table


class GroundProgress:
    """The progress of a run. All tables have equal weight; the share of a table is measured in source bytes.

    Pairs are counted in the last table, where they are complete.
    """

    def __init__(self, plan: Plan, tables: Mapping[str, Table]) -> None:
        self._folder = tables[layout.DETECTIONS].uri
        self._tables = [_TableProgress(plan, table) for table in tables.values()]

    def state(self) -> progress.State:
        """Pairs that this run committed; on a local disk, plus the pairs of chunks that workers are processing."""
        shares = [table.share() for table in self._tables]
        in_progress = progress.pairs_in_progress(self._folder) if files.is_local(self._folder) else 0
        return progress.State(self._tables[-1].pairs + in_progress, mean(shares))


class _TableProgress:
    """The progress of one table. Opens only chunks that are new since the last call of `share`.

    Chunks that exist at the start add no pairs.
    """

    def __init__(self, plan: Plan, table: Table) -> None:
        self.pairs = 0
        self._plan = plan
        self._table = table
        self._known = set(table.all_chunks())
        self._done_by_range: dict[RangeId, float] = {}
        self._finished: set[RangeId] = set()
        self._total = sum(source.size for source in plan.sources if source.ranges) or 1
        self._counts = [sum(spec.pairs or 0 for spec in source.ranges) for source in plan.sources]

    def share(self) -> float:
        """The finished share of all source bytes, 0..1."""
        for chunk in self._table.all_chunks():
            if chunk not in self._known:
                self._known.add(chunk)
                uri = files.join(self._table.uri, layout.timing(chunk))
                self.pairs += read_typed(uri, Timing).pairs if files.exists(uri) else 0
                self._done_by_range[chunk.range_id] = self._done_bytes(chunk)
        for range_id in self._table.finished_ranges() - self._finished:
            self._finished.add(range_id)
            self._done_by_range[range_id] = self._range_bytes(range_id)
        return min(sum(self._done_by_range.values()) / self._total, 1.0)

    def _range_bytes(self, range_id: RangeId) -> float:
        """The source bytes of a range: in proportion to its pairs if known, else an equal part of the source."""
        source, spec = self._plan.range(range_id)
        pairs = self._counts[range_id.source]
        return source.size * spec.pairs / pairs if spec.pairs and pairs else source.size / len(source.ranges)

    def _done_bytes(self, chunk: ChunkId) -> float:
        """The source bytes of a range up to the end of a chunk."""
        _, spec = self._plan.range(chunk.range_id)
        range_bytes = self._range_bytes(chunk.range_id)
        next_position = self._table.open(chunk).metadata["next"]
        if not next_position or FAULT in next_position:
            return range_bytes
        if spec.pairs:
            return range_bytes * int(next_position["index"] - spec.start["index"]) / spec.pairs
        # Offsets in a gzipped tar count uncompressed bytes, so the estimate is too high there.
        return min(float(next_position["offset"]), range_bytes)
