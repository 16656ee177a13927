"""The graph of `ground`: what is left of a plan -> chunks -> phrases -> boxes -> committed rows; and how far it is."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import apache_beam as beam

from pipeline import files
from pipeline.engines import progress, run_pipeline
from pipeline.engines.placement import local_detector
from pipeline.faults import WorkerDied
from pipeline.ground import attempts
from pipeline.ground.commit import CommitDetections
from pipeline.ground.read_chunks import FAULT, ReadChunks
from pipeline.plan.plan import Plan, RangeId, read_plan
from pipeline.tables import detections
from pipeline.tables.detections import ChunkId, Identity
from transforms.detectors.localize import GroundingHandler, LocalizePhrases
from transforms.phrases.extract import ExtractPhrases


def run(plan: Plan, folder: str, arguments: Sequence[str], quiet: bool) -> None:
    """Grounds what is left of a plan. arguments: the Beam options.

    Raises:
      EnvironmentFault: the run broke off.
    """
    engine = run_pipeline.parse(arguments)
    settings = local_detector(plan.configuration.detector, engine)
    local = run_pipeline.is_local(engine) and files.is_local(folder)
    handler = GroundingHandler(
        settings,
        plan.configuration.source.max_pixels,
        search=[os.getcwd()],
        progress=progress.WorkerProgress(folder) if local else None,
    )
    if local:
        progress.forget(folder)  # of a run that was killed
    identity = Identity(plan.fingerprint, plan.models, settings.precision, settings.batch)
    shown = progress.shown("ground", "pairs", _Watch(plan, folder).state, quiet, files.is_local(folder))
    with shown, _forgiving(folder):
        run_pipeline.run(lambda pipeline: build(pipeline, plan, folder, handler, identity), engine)
    if local:
        progress.forget(folder)


@contextmanager
def _forgiving(folder: str) -> Iterator[None]:
    """Where the block ends early but no process has died, no chunk that was in work takes the blame."""
    try:
        yield
    except WorkerDied:
        raise
    except BaseException:
        attempts.forgive(folder)
        raise


def build(pipeline: beam.Pipeline, plan: Plan, folder: str, handler: GroundingHandler, identity: Identity) -> object:
    """The graph. The plan travels by its URI: a hundred thousand ranges would not fit into a job's description."""
    return (
        pipeline
        | "Detections" >> beam.Create([folder])
        | "PendingRanges" >> beam.FlatMap(pending_ranges)
        | "Spread" >> beam.Reshuffle()
        | ReadChunks(folder)
        | ExtractPhrases(plan.configuration.phrases)
        | LocalizePhrases(handler)
        | CommitDetections(folder, identity)
    )


def pending_ranges(folder: str) -> Iterator[RangeId]:
    """The ranges of a detections folder that are not done, in input order."""
    plan = read_plan(folder)
    done = detections.finished(folder)
    yield from (identity for identity in plan.ids() if identity not in done) if plan else ()


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
