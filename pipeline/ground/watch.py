"""How far a run of `ground` is, from what is committed."""

from pipeline import files
from pipeline.engines import progress
from pipeline.ground.chunks import FAULT
from pipeline.ids import ChunkId, RangeId
from pipeline.plan.plan import Plan
from pipeline.tables import detections


class _Watch:
    """How far a run is: in pairs if the plan knows how many there are, else in bytes of the sources.

    Only chunks that are new since the last look are opened; what was there at the start counts as begun with.
    """

    def __init__(self, plan: Plan, folder: str) -> None:
        self._plan = plan
        self._folder = folder
        self._before = set(detections.all_committed(folder))
        self._pairs: dict[ChunkId, int] = {}
        self._shares: dict[RangeId, float] = {}
        self._finished: set[RangeId] = set()
        self._total = sum(source.size for source in plan.sources if source.ranges) or 1
        self._counts = [sum(spec.pairs or 0 for spec in source.ranges) for source in plan.sources]

    def state(self) -> progress.State:
        """Pairs committed by this run, plus on a local disk those that workers have done since."""
        for chunk in detections.all_committed(self._folder):
            if chunk not in self._before and chunk not in self._pairs:
                self._take(RangeId(chunk.source, chunk.range), chunk)
        for identity in detections.finished(self._folder) - self._finished:
            self._finished.add(identity)
            self._shares[identity] = self._whole(identity)
        inside = progress.inside_chunks(self._folder) if files.is_local(self._folder) else 0
        share = sum(self._shares.values()) / self._total
        return progress.State(sum(self._pairs.values()) + inside, min(share, 1.0))

    def _take(self, identity: RangeId, chunk: ChunkId) -> None:
        uri = files.join(self._folder, detections.TIMINGS, f"{chunk.stem}.json")
        self._pairs[chunk] = files.read_json(uri)["pairs"] if files.exists(uri) else 0
        self._shares[identity] = self._share(identity, chunk)

    def _whole(self, identity: RangeId) -> float:
        """The bytes that a range stands for: its part of the source, by pairs where they are known."""
        source, spec = self._plan.range(identity)
        pairs = self._counts[identity.source]
        return source.size * spec.pairs / pairs if spec.pairs and pairs else source.size / len(source.ranges)

    def _share(self, identity: RangeId, chunk: ChunkId) -> float:
        _, spec = self._plan.range(identity)
        whole = self._whole(identity)
        following = detections.about(self._folder, chunk)["next"]
        if not following or FAULT in following:
            return whole
        if spec.pairs:
            return whole * int(following["index"] - spec.start["index"]) / spec.pairs
        # A gzipped tar counts its offsets unpacked, so that this runs ahead there.
        return min(float(following["offset"]), whole)
