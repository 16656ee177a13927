"""ground: sources -> detections and the other tables. The driver plans the run and runs the graph on unfinished
ranges."""

import os
from collections.abc import Iterable, Sequence

from pipeline import files, fingerprint
from pipeline.configuration import Configuration
from pipeline.faults import EnvironmentFault
from pipeline.ground import attempts, retry, stage_tables
from pipeline.ground.commit_chunk import Provenance
from pipeline.ground.options import GroundOptions
from pipeline.ground.resume import resume_or_plan
from pipeline.layout import DETECTIONS
from pipeline.model_identity.cache import ModelCache
from pipeline.model_identity.identify import identify_models
from pipeline.plan.find_sources import find_sources
from pipeline.plan.plan import Plan, read_plan
from pipeline.stages.configured import configured_stages, open_tables
from pipeline.tables.table import Table
from transforms.detectors.settings import DetectorSettings


def ground(configuration: Configuration, inputs: Sequence[str], output: str, options: GroundOptions) -> Plan:
    """Grounds every pair of the inputs that lacks a row in a table. The caller must hold the lock of the run folder.

    Raises:
      CallError: a model or an input is invalid, or the run folder has another fingerprint.
      EnvironmentFault: the run failed before it was complete.
    """
    folder = files.join(output, DETECTIONS)
    if options.beam:
        from pipeline.engines import run_pipeline

        run_pipeline.parse_beam_options(options.beam)  # refuses a wrong option before models are looked up
    model_cache = ModelCache(folder)
    model_identities = identify_models(configuration, model_cache)
    configuration = fingerprint.resolve(configuration, model_identities)
    old = None if options.fresh else read_plan(folder)
    if old:
        configuration = configuration.resuming(old.configuration)
    stages = configured_stages(configuration, [os.getcwd()])
    tables = open_tables(stages, folder)
    described = stage_tables.describe(tables, stages)
    if not options.fresh:
        stage_tables.check(tables, described)
    if options.beam or not _is_done(old, tables, options):
        _check_engine(configuration.detector, options.beam)
    source_files = find_sources(inputs)
    plan = resume_or_plan(old, configuration, model_identities, source_files, tables, options)
    model_cache.save()
    stage_tables.write(tables, described)
    fingerprints = {DETECTIONS: plan.fingerprint} | {name: table.fingerprint for name, table in described.items()}
    stage_tables.reopen_outdated(tables)
    retry.reopen(plan, tables, options.retry)
    if _unfinished_count(plan, tables.values()):
        from pipeline.ground import graph  # imports Beam, spaCy and torch (seconds), so not for a finished run

        provenance = {name: Provenance(text, model_identities) for name, text in fingerprints.items()}
        graph.run(plan, stages, tables, provenance, options.beam, options.quiet)
        if unfinished := _unfinished_count(plan, tables.values()):
            raise EnvironmentFault(
                f"{folder}: the run ended, but {unfinished} ranges are not done; run the same command to resume"
            )
    for table in tables.values():
        retry.clear(table)
    attempts.delete_all(folder)
    return plan


def _is_done(plan: Plan | None, tables: dict[str, Table], options: GroundOptions) -> bool:
    """Whether the existing plan is done and this call asks for no new work. The call may still be refused later."""
    if options.extend or options.redo_changed or options.retry is not None:
        return False
    if plan is None or not tables[DETECTIONS].finished_ranges():
        return False
    return not (_unfinished_count(plan, tables.values()) or any(map(retry.pending, tables.values())))


def _unfinished_count(plan: Plan, tables: Iterable[Table]) -> int:
    done = set.intersection(*(table.finished_ranges() for table in tables))
    return sum(1 for range_id in plan.range_ids() if range_id not in done)


def _check_engine(settings: DetectorSettings, arguments: Sequence[str]) -> None:
    """Refuses a wrong Beam option or a missing device before anything is written."""
    from pipeline.engines import placement, run_pipeline

    placement.check_device(settings, run_pipeline.parse_beam_options(arguments))
