"""The graph of `ground`: unfinished ranges of a plan -> chunks -> rows of each stage -> commit to the stage's table."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import apache_beam as beam

from pipeline import files
from pipeline.engines import placement, progress, run_pipeline, signs_of_life, submission
from pipeline.engines.beam_options import is_local, parse_beam_options
from pipeline.engines.claim import Claim
from pipeline.engines.worker_context import Leased
from pipeline.faults import WorkerDied
from pipeline.files.lease import Lease
from pipeline.ground import attempts
from pipeline.ground.attempts import AttemptLog
from pipeline.ground.chunks import without_images
from pipeline.ground.commit_chunk import Provenance
from pipeline.ground.commit_rows import CommitRows
from pipeline.ground.options import GroundOptions
from pipeline.ground.progress import GroundProgress
from pipeline.ground.read_chunks import ReadChunks
from pipeline.ids import RangeId
from pipeline.layout import HASHES
from pipeline.plan.plan import Plan
from pipeline.plan.work_list import Work, read_work, work_list
from pipeline.stages.base import Stage
from pipeline.stages.run_stage import RunStage, StageHandler
from pipeline.stages.runner import ChunkProgress
from pipeline.tables.detections import detections_of
from pipeline.tables.table import Listing, Table


def run(
    plan: Plan,
    stages: Sequence[Stage],
    tables: Mapping[str, Table],
    listings: Mapping[str, Listing],
    provenance: Mapping[str, Provenance],
    options: GroundOptions,
    title: str = "ground",
) -> None:
    """Fills tables for the unfinished ranges of a plan. listings: what the tables have. provenance: by table. title: of
    the progress.

    Raises:
      EnvironmentFault: the run failed before it was complete.
    """
    beam_options = parse_beam_options(options.beam)
    threads = placement.local_threads(beam_options)
    folder = detections_of(tables)
    lease = options.claim.lease if options.claim else None
    run_id = lease.run_id if lease else uuid.uuid4().hex
    log = attempt_log(folder, options.claim, run_id, in_child=not is_local(beam_options))
    local = is_local(beam_options) and files.is_local(folder)
    report = progress.WorkerProgress(folder) if local else None
    if lease:
        submission.announce(beam_options, lease, "hashes" if HASHES in tables else "ground")
    if local:
        progress.delete_progress_files(folder)  # left by a run that was killed
    run = GroundProgress(plan, tables, listings)
    display = progress.show_progress(
        title, "pairs", run.state, options.quiet, files.is_local(folder), options.log, run.news
    )
    work = [Work(range_id) for range_id in plan.unfinished(listings[name].finished for name in tables)]
    with display, _clear_attempts_on_interrupt(log), work_list(folder, work) as uri:
        run_pipeline.run(
            lambda pipeline: build(pipeline, uri, stages, tables, provenance, report, threads, lease, log),
            beam_options,
            options.claim,
            options.engine,
        )
    if local:
        progress.delete_progress_files(folder)


def attempt_log(folder: str, claim: Claim | None, run_id: str, in_child: bool) -> AttemptLog:
    """The records of attempts of a call. claim: what it has of its run folder. Arguments: see `AttemptLog`."""
    has_ended = signs_of_life.Workers(claim.lease).has_ended if claim and claim.lease else None
    return AttemptLog(folder, run_id, in_child, has_ended, claim.killed if claim else ())


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
    work_uri: str,
    stages: Sequence[Stage],
    tables: Mapping[str, Table],
    provenance: Mapping[str, Provenance],
    report: ChunkProgress | None = None,
    threads: int = 0,
    lease: Lease | None = None,
    log: AttemptLog | None = None,
) -> beam.PCollection:
    """Builds the graph. Workers read the work list and the plan by URI, because 100,000 ranges do not fit into a job
    description. A range that was finished since is skipped by `ReadChunks`.

    The rows of a table are committed after the last stage of that table. Committed chunks pass through unchanged.
    lease: each step asks whether it is still in force. log: the records of attempts at chunks.
    """
    folder = detections_of(tables)
    log = log or AttemptLog(folder)
    chunks = (
        pipeline
        | "WorkList" >> beam.Create([work_uri])
        | "Ranges" >> beam.FlatMap(Leased(lease, "list ranges", ranges_of, many=True))
        | "Spread" >> beam.Reshuffle()
        | ReadChunks(tables, log, lease)
    )
    for position, table in enumerate(tables.values()):
        table_stages = [stage for stage in stages if stage.table == table.name]
        last = position == len(tables) - 1
        for stage in table_stages:
            stage_report = report if stage is table_stages[-1] else None
            handler = StageHandler(
                *(stage, table, stage_report, position, len(tables), threads, lease),
                *(log.run, log.in_child, log.add_child_death, log.releasing),
            )
            chunks |= f"Run {stage.name}" >> RunStage(handler)
        if last:
            chunks |= "DropImages" >> beam.Map(without_images)
        commit = CommitRows(
            table, table_stages[-1], provenance[table.name], attempts=folder if last else "", lease=lease, log=log
        )
        chunks |= f"Commit {table.name}" >> commit
    return chunks


def ranges_of(uri: str) -> Iterator[RangeId]:
    """The ranges of a work list, in input order."""
    return (one.range_id for one in read_work(uri))
