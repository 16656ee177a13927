"""ground: sources -> detections. The driver plans, drops what is done, and runs the graph on the rest."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline import deaths, detections, files, fingerprint, progress, retry, running
from pipeline.agree import Wanted, agreed
from pipeline.commit_detections import CommitDetections
from pipeline.configuration import Configuration
from pipeline.detections import ChunkId, Identity
from pipeline.faults import CallError, EnvironmentFault, WorkerDied
from pipeline.identities import models
from pipeline.plan import Plan, RangeId, find_sources, read_plan
from pipeline.read_chunks import FAULT, ReadChunks
from transforms.detector import is_factory
from transforms.extract_phrases import ExtractPhrases
from transforms.localize_phrases import GroundingHandler, LocalizePhrases
from transforms.settings import DetectorSettings


@dataclass(frozen=True)
class GroundOptions(Wanted):
    """How `ground` deals with what lies in the output folder already, and how it runs.

    retry: rows that failed for this reason are done again; `EVERY_REASON`: for whatever reason; None: none are.
    """

    retry: str | None = None
    quiet: bool = False
    beam: tuple[str, ...] = ()


def ground(configuration: Configuration, inputs: Sequence[str], output: str, options: GroundOptions) -> Plan:
    """Grounds every pair of the inputs that has no committed row yet. The caller holds the output folder.

    Raises:
      CallError: models, inputs or the folder's fingerprint do not fit. EnvironmentFault: the run broke off.
    """
    engine = running.parse(options.beam)
    check_device(configuration.detector, engine)
    folder = files.join(output, detections.FOLDER)
    identities = models(configuration)
    found = find_sources(inputs)
    plan = agreed(fingerprint.resolve(configuration, identities), identities, found, folder, options)
    retry.reopen(plan, folder, options.retry)
    if _left(plan, folder):
        _run(plan, folder, engine, options.quiet)
        if left := _left(plan, folder):
            raise EnvironmentFault(f"{folder}: the run has ended, but {left} ranges are not done; run it again")
    retry.close(folder)
    deaths.forget(folder)
    return plan


def _left(plan: Plan, folder: str) -> int:
    done = detections.finished(folder)
    return sum(1 for identity in plan.ids() if identity not in done)


def check_device(settings: DetectorSettings, engine: PipelineOptions) -> None:
    """Refuses a device that this machine lacks, if the detector is to run on this machine."""
    if not running.is_local(engine) or is_factory(settings.model):
        return
    import torch

    number = int(settings.device.partition(":")[2] or 0)
    if settings.device.startswith("cuda") and number >= torch.cuda.device_count():
        raise CallError(f"detector.device: {settings.device}: there are {torch.cuda.device_count()} CUDA devices here")
    if settings.device == "mps" and not torch.backends.mps.is_available():
        raise CallError("detector.device: mps: there is none here")
    if settings.precision != "float32" and not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        raise CallError(f"detector.precision: {settings.precision} needs a GPU, and there is none here")


def _run(plan: Plan, folder: str, engine: PipelineOptions, quiet: bool) -> None:
    settings = local_detector(plan.configuration.detector, engine)
    local = running.is_local(engine) and files.is_local(folder)
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
        running.run(lambda pipeline: build(pipeline, plan, folder, handler, identity), engine)
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
        deaths.forgive(folder)
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


def local_detector(settings: DetectorSettings, engine: PipelineOptions) -> DetectorSettings:
    """The settings with the default of `threads` filled in: cores over local workers."""
    if settings.threads is not None or not running.is_local(engine):
        return settings
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return settings.model_copy(update={"threads": max(1, cores // running.workers(engine))})


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
