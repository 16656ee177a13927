"""How far a run of `ground` is, from what is committed."""

from pipeline import files
from pipeline.engines import progress
from pipeline.ground.chunks import FAULT
from pipeline.ids import ChunkId, RangeId
from pipeline.plan.plan import Plan
from pipeline.tables import chunk_files, detections


class GroundProgress:
    """How far a run is: in pairs if the plan knows how many there are, else in bytes of the sources.

    Only chunks that are new since the last look are opened; what was there at the start counts as begun with.
    """

    def __init__(self, plan: Plan, folder: str) -> None:
        self._plan = plan
        self._folder = folder
        self._committed_at_start = set(detections.all_committed_chunks(folder))
        self._pairs: dict[ChunkId, int] = {}
        self._done_by_range: dict[RangeId, float] = {}
        self._finished: set[RangeId] = set()
        self._total = sum(source.size for source in plan.sources if source.ranges) or 1
        self._counts = [sum(spec.pairs or 0 for spec in source.ranges) for source in plan.sources]

    def state(self) -> progress.State:
        """Pairs committed by this run, plus on a local disk those that workers have done since."""
        for chunk in detections.all_committed_chunks(self._folder):
            if chunk not in self._committed_at_start and chunk not in self._pairs:
                self._add_chunk(chunk.range_id, chunk)
        for range_id in detections.finished_ranges(self._folder) - self._finished:
            self._finished.add(range_id)
            self._done_by_range[range_id] = self._range_bytes(range_id)
        in_progress = progress.pairs_in_progress(self._folder) if files.is_local(self._folder) else 0
        share = sum(self._done_by_range.values()) / self._total
        return progress.State(sum(self._pairs.values()) + in_progress, min(share, 1.0))

    def _add_chunk(self, range_id: RangeId, chunk: ChunkId) -> None:
        uri = files.join(self._folder, detections.TIMINGS, f"{chunk.stem}.json")
        self._pairs[chunk] = files.read_json(uri)["pairs"] if files.exists(uri) else 0
        self._done_by_range[range_id] = self._done_bytes(range_id, chunk)

    def _range_bytes(self, range_id: RangeId) -> float:
        """The bytes that a range stands for: its part of the source, by pairs where they are known."""
        source, spec = self._plan.range(range_id)
        pairs = self._counts[range_id.source]
        return source.size * spec.pairs / pairs if spec.pairs and pairs else source.size / len(source.ranges)

    def _done_bytes(self, range_id: RangeId, chunk: ChunkId) -> float:
        _, spec = self._plan.range(range_id)
        range_bytes = self._range_bytes(range_id)
        next_position = chunk_files.read_metadata(self._folder, chunk)["next"]
        if not next_position or FAULT in next_position:
            return range_bytes
        if spec.pairs:
            return range_bytes * int(next_position["index"] - spec.start["index"]) / spec.pairs
        # A gzipped tar counts its offsets unpacked, so that this runs ahead there.
        return min(float(next_position["offset"]), range_bytes)
