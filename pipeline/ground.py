"""ground: sources -> detections. The driver plans, drops what is done, and runs the graph on the rest."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline import detections, files, fingerprint, progress, running
from pipeline.commit_detections import CommitDetections
from pipeline.configuration import Configuration
from pipeline.detections import ChunkId, Identity
from pipeline.faults import CallError
from pipeline.limit import limit_plan
from pipeline.plan import NAME, Plan, RangeId, check_unchanged, find_sources, plan_sources, read_plan
from pipeline.publish import publish_json
from pipeline.read_chunks import ReadChunks
from pipeline.threshold import default_threshold
from transforms.detector import is_factory
from transforms.extract_phrases import ExtractPhrases
from transforms.localize_phrases import GroundingHandler, LocalizePhrases
from transforms.settings import DetectorSettings


@dataclass(frozen=True)
class GroundOptions:
    """How `ground` deals with what lies in the output folder already, and how it runs."""

    limit: int | None = None
    extend: bool = False
    fresh: bool = False
    quiet: bool = False
    beam: tuple[str, ...] = ()


def ground(configuration: Configuration, inputs: Sequence[str], output: str, options: GroundOptions) -> Plan:
    """Grounds every pair of the inputs that has no committed row yet. The caller holds the output folder.

    Raises:
      CallError: models, inputs or the folder's fingerprint do not fit. EnvironmentFault: the run broke off.
    """
    engine = running.parse(options.beam)
    _check_device(configuration.detector, engine)
    folder = files.join(output, detections.FOLDER)
    identities = fingerprint.models(configuration)
    found = find_sources(inputs)
    if options.fresh:
        set_aside(folder)
    plan = _agreed(fingerprint.resolve(configuration, identities), identities, found, folder, options)
    done = detections.finished(folder)
    if any(identity not in done for identity in plan.ids()):
        _run(plan, folder, engine, options.quiet)
    return plan


def _check_device(settings: DetectorSettings, engine: PipelineOptions) -> None:
    """Refuses a device that this machine lacks, if the detector is to run on this machine."""
    if not running.is_local(engine) or is_factory(settings.model):
        return
    import torch

    if settings.device.startswith("cuda") and not torch.cuda.is_available():
        raise CallError(f"detector.device: {settings.device}: there is no CUDA device here")
    if settings.precision != "float32" and not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        raise CallError(f"detector.precision: {settings.precision} needs a GPU, and there is none here")


def _agreed(
    configuration: Configuration,
    identities: dict[str, str],
    found: Sequence[files.FileInfo],
    folder: str,
    options: GroundOptions,
) -> Plan:
    """The plan in the folder, if it is of the same fingerprint and sources; a new one where there is none."""
    mark = fingerprint.ground(configuration, identities, options.limit)
    plan = read_plan(folder)
    if plan is None:
        return _published(_new_plan(mark, configuration, identities, found, options.limit), folder)
    if plan.fingerprint != mark:
        raise CallError(f"--output: {folder} {_difference(plan, configuration, identities, options.limit)}")
    new = check_unchanged(plan, found)
    # Device, batch and threads may change from run to run.
    plan = replace(plan, configuration=configuration)
    if not new:
        return plan
    if not options.extend:
        raise CallError(f"--input: {new[0].uri} is not part of the plan in {folder}; --extend takes new sources in")
    if options.limit is not None:
        raise CallError("--extend: a plan with --limit cannot be extended")
    return _published(replace(plan, sources=(*plan.sources, *plan_sources(new, configuration))), folder)


def _new_plan(
    mark: str,
    configuration: Configuration,
    identities: dict[str, str],
    found: Sequence[files.FileInfo],
    limit: int | None,
) -> Plan:
    sources = plan_sources(found, configuration)
    if limit is not None:
        sources = limit_plan(sources, limit, configuration.source)
    threshold = default_threshold(configuration.detector)
    return Plan(mark, configuration, identities, limit, tuple(sources), threshold)


def _published(plan: Plan, folder: str) -> Plan:
    publish_json(files.join(folder, NAME), plan.to_json())
    return plan


def _difference(plan: Plan, configuration: Configuration, identities: dict[str, str], limit: int | None) -> str:
    """What differs between the plan's fingerprint and the one wanted now, by key."""
    old, new = plan.configuration.model_dump(mode="json"), configuration.model_dump(mode="json")
    keys = [f"{s}.{k}" for s in ("source", "chunk", "phrases", "detector") for k in new[s] if old[s][k] != new[s][k]]
    keys = [key for key in keys if key not in ("detector.device", "detector.batch", "detector.threads")]
    keys += [f"the content of {name}.model" for name in identities if plan.models.get(name) != identities[name]]
    keys += ["--limit"] if plan.limit != limit else []
    reason = ", ".join(dict.fromkeys(keys)) or "the configuration"
    return f"holds detections of another fingerprint ({reason} differs); use another folder, or ground --fresh"


def set_aside(folder: str) -> None:
    """Moves a detections folder to the first free name `detections.1`, `detections.2`, …"""
    if files.exists(files.join(folder, NAME)):
        number = 1
        while files.exists(files.join(f"{folder}.{number}", NAME)):
            number += 1
        files.move_folder(folder, f"{folder}.{number}")


def _run(plan: Plan, folder: str, engine: PipelineOptions, quiet: bool) -> None:
    settings = local_detector(plan.configuration.detector, engine)
    local = running.is_local(engine) and files.is_local(folder)
    handler = GroundingHandler(
        settings,
        plan.configuration.source.max_pixels,
        search=[os.getcwd()],
        progress=progress.WorkerProgress(folder) if local else None,
    )
    identity = Identity(
        plan.fingerprint, plan.models, settings.device, settings.precision, settings.batch, settings.threads
    )
    with progress.shown("ground", "pairs", _Watch(plan, folder).state, quiet, files.is_local(folder)):
        running.run(lambda pipeline: build(pipeline, plan, folder, handler, identity), engine)
    if local:
        progress.forget(folder)


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
    """How far a run is: in pairs if the plan knows how many there are, else in bytes of the sources."""

    def __init__(self, plan: Plan, folder: str) -> None:
        self._plan = plan
        self._folder = folder
        self._seen: dict[ChunkId, int] = {}
        self._total = sum(source.size for source in plan.sources if source.ranges) or 1
        counts = [spec.pairs for source in plan.sources for spec in source.ranges]
        self._pairs = sum(count or 0 for count in counts) if None not in counts else 0
        self._shares: dict[RangeId, float] = {}

    def state(self) -> progress.State:
        """Pairs committed, plus on a local disk those that workers have done since."""
        for chunk in detections.all_committed(self._folder):
            if chunk not in self._seen:
                self._take(RangeId(chunk.source, chunk.range), chunk)
        inside = progress.inside_chunks(self._folder) if files.is_local(self._folder) else 0
        done = sum(self._seen.values()) + inside
        share = done / self._pairs if self._pairs else sum(self._shares.values()) / self._total
        return progress.State(done, min(share, 1.0))

    def _take(self, identity: RangeId, chunk: ChunkId) -> None:
        uri = files.join(self._folder, detections.TIMINGS, f"{chunk.stem}.json")
        self._seen[chunk] = files.read_json(uri)["pairs"] if files.exists(uri) else 0
        self._shares[identity] = self._share(identity, chunk)

    def _share(self, identity: RangeId, chunk: ChunkId) -> float:
        source, spec = self._plan.range(identity)
        whole = source.size / len(source.ranges)
        following = detections.about(self._folder, chunk)["next"]
        if not following or "fault" in following:
            return whole
        if spec.pairs:
            return whole * int(following["index"] - spec.start["index"]) / spec.pairs
        # A gzipped tar counts its offsets unpacked, so that this runs ahead there.
        return min(float(following["offset"]), whole)
