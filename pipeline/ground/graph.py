"""The graph of `ground`: what is left of a plan -> chunks -> phrases -> boxes -> committed rows."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import apache_beam as beam

from pipeline import files
from pipeline.engines import progress, run_pipeline
from pipeline.engines.placement import with_local_threads
from pipeline.faults import WorkerDied
from pipeline.ground import attempts
from pipeline.ground.commit_detections import CommitDetections
from pipeline.ground.progress import GroundProgress
from pipeline.ground.read_chunks import ReadChunks
from pipeline.ids import RangeId
from pipeline.plan.plan import Plan, read_plan
from pipeline.tables import detections
from pipeline.tables.chunk_files import Provenance
from transforms.detectors.localize_phrases import GroundingHandler, LocalizePhrases
from transforms.phrases.extract_phrases import ExtractPhrases


def run(plan: Plan, folder: str, arguments: Sequence[str], quiet: bool) -> None:
    """Grounds what is left of a plan. arguments: the Beam options.

    Raises:
      EnvironmentFault: the run broke off.
    """
    beam_options = run_pipeline.parse_beam_options(arguments)
    settings = with_local_threads(plan.configuration.detector, beam_options)
    local = run_pipeline.is_local(beam_options) and files.is_local(folder)
    handler = GroundingHandler(
        settings,
        plan.configuration.source.max_pixels,
        search_path=[os.getcwd()],
        progress=progress.WorkerProgress(folder) if local else None,
    )
    if local:
        progress.delete_progress_files(folder)  # of a run that was killed
    provenance = Provenance(plan.fingerprint, plan.model_identities, settings.precision, settings.batch)
    display = progress.show_progress(
        "ground", "pairs", GroundProgress(plan, folder).state, quiet, files.is_local(folder)
    )
    with display, _excusing_interruptions(folder):
        run_pipeline.run(lambda pipeline: build(pipeline, plan, folder, handler, provenance), beam_options)
    if local:
        progress.delete_progress_files(folder)


@contextmanager
def _excusing_interruptions(folder: str) -> Iterator[None]:
    """If the block ends early but no process has died, no chunk that was being worked on counts as a failed attempt."""
    try:
        yield
    except WorkerDied:
        raise
    except BaseException:
        attempts.clear_in_progress(folder)
        raise


def build(
    pipeline: beam.Pipeline, plan: Plan, folder: str, handler: GroundingHandler, provenance: Provenance
) -> object:
    """The graph. The plan travels by its URI: a hundred thousand ranges would not fit into a job's description."""
    return (
        pipeline
        | "Detections" >> beam.Create([folder])
        | "PendingRanges" >> beam.FlatMap(pending_ranges)
        | "Spread" >> beam.Reshuffle()
        | ReadChunks(folder)
        | ExtractPhrases(plan.configuration.phrases)
        | LocalizePhrases(handler)
        | CommitDetections(folder, provenance)
    )


def pending_ranges(folder: str) -> Iterator[RangeId]:
    """The ranges of a detections folder that are not done, in input order."""
    plan = read_plan(folder)
    done = detections.finished_ranges(folder)
    yield from (range_id for range_id in plan.range_ids() if range_id not in done) if plan else ()
