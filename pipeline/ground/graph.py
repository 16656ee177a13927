"""The graph of `ground`: what is left of a plan -> chunks -> phrases -> boxes -> committed rows."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import apache_beam as beam

from pipeline import files
from pipeline.engines import progress, run_pipeline
from pipeline.engines.placement import local_detector
from pipeline.faults import WorkerDied
from pipeline.ground import attempts
from pipeline.ground.commit_detections import CommitDetections
from pipeline.ground.read_chunks import ReadChunks
from pipeline.ground.watch import _Watch
from pipeline.ids import RangeId
from pipeline.plan.plan import Plan, read_plan
from pipeline.tables import detections
from pipeline.tables.detections import Identity
from transforms.detectors.localize_phrases import GroundingHandler, LocalizePhrases
from transforms.phrases.extract_phrases import ExtractPhrases


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
        search_path=[os.getcwd()],
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
