"""The graph of `ground`: unfinished ranges of a plan -> chunks -> rows of each stage -> commit to the stage's table."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import apache_beam as beam

from pipeline import files
from pipeline.engines import placement, progress, run_pipeline
from pipeline.faults import WorkerDied
from pipeline.ground import attempts
from pipeline.ground.attempts import AttemptLog
from pipeline.ground.chunks import without_images
from pipeline.ground.commit_chunk import Provenance
from pipeline.ground.commit_rows import CommitRows
from pipeline.ground.options import GroundOptions
from pipeline.ground.progress import GroundProgress
from pipeline.ground.read_chunks import ReadChunks
from pipeline.ids import RangeId
from pipeline.plan.plan import Plan, read_plan
from pipeline.stages.base import Stage
from pipeline.stages.run_stage import RunStage, StageHandler
from pipeline.stages.runner import ChunkProgress
from pipeline.tables.detections import detections_of
from pipeline.tables.table import Listing, Table


def run(
    plan: Plan,
    stages: Sequence[Stage],
    tables: Mapping[str, Table],
    provenance: Mapping[str, Provenance],
    options: GroundOptions,
    title: str = "ground",
    listings: Mapping[str, Listing] | None = None,
) -> None:
    """Fills tables for the unfinished ranges of a plan. provenance: by table. title: of the progress. listings: of the
    tables, if they are known.

    Raises:
      EnvironmentFault: the run failed before it was complete.
    """
    beam_options = run_pipeline.parse_beam_options(options.beam)
    threads = placement.local_threads(beam_options)
    folder = detections_of(tables)
    log = AttemptLog(folder, uuid.uuid4().hex, in_child=not run_pipeline.is_local(beam_options))
    local = run_pipeline.is_local(beam_options) and files.is_local(folder)
    report = progress.WorkerProgress(folder) if local else None
    if local:
        progress.delete_progress_files(folder)  # left by a run that was killed
    run = GroundProgress(plan, tables, listings)
    display = progress.show_progress(
        title, "pairs", run.state, options.quiet, files.is_local(folder), options.log, run.news
    )
    with display, _clear_attempts_on_interrupt(log):
        run_pipeline.run(
            lambda pipeline: build(pipeline, stages, tables, provenance, report, threads, log), beam_options
        )
    if local:
        progress.delete_progress_files(folder)


@contextmanager
def _clear_attempts_on_interrupt(log: AttemptLog) -> Iterator[None]:
    """Clears the records of unfinished attempts if the block fails for any reason other than a killed process."""
    try:
        yield
    except WorkerDied as error:
        attempts.clear_in_progress(log.folder, error.ended)
        raise
    except BaseException as error:
        # On an engine, a worker clears its own records when a step raises: those that remain are of workers that ended.
        if not (log.in_child and isinstance(error, Exception)):
            attempts.clear_in_progress(log.folder)
        raise


def build(
    pipeline: beam.Pipeline,
    stages: Sequence[Stage],
    tables: Mapping[str, Table],
    provenance: Mapping[str, Provenance],
    report: ChunkProgress | None = None,
    threads: int = 0,
    log: AttemptLog | None = None,
) -> beam.PCollection:
    """Builds the graph. Workers read the plan by URI, because 100,000 ranges do not fit into a job description.

    The rows of a table are committed after the last stage of that table. Committed chunks pass through unchanged.
    log: the records of attempts at chunks.
    """
    folder = detections_of(tables)
    log = log or AttemptLog(folder)
    child = log.run if log.in_child else ""
    chunks = (
        pipeline
        | "Detections" >> beam.Create([folder])
        | "PendingRanges" >> beam.FlatMap(pending_ranges, list(tables.values()))
        | "Spread" >> beam.Reshuffle()
        | ReadChunks(tables, log)
    )
    for position, table in enumerate(tables.values()):
        table_stages = [stage for stage in stages if stage.table == table.name]
        last = position == len(tables) - 1
        for stage in table_stages:
            stage_report = report if stage is table_stages[-1] else None
            handler = StageHandler(
                *(stage, table, stage_report, position, len(tables), threads),
                *(child, log.add_child_death, log.releasing),
            )
            chunks |= f"Run {stage.name}" >> RunStage(handler)
        if last:
            chunks |= "DropImages" >> beam.Map(without_images)
        commit = CommitRows(table, table_stages[-1], provenance[table.name], attempts=folder if last else "", log=log)
        chunks |= f"Commit {table.name}" >> commit
    return chunks


def pending_ranges(folder: str, tables: Sequence[Table]) -> Iterator[RangeId]:
    """Yields the ranges of a plan that are not done in every table, in input order. folder: of the detections."""
    plan = read_plan(folder)
    done = frozenset.intersection(*(table.finished_ranges() for table in tables))
    yield from (range_id for range_id in plan.range_ids() if range_id not in done) if plan else ()
