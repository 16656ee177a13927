"""ground: sources -> detections and the other tables. The driver plans the run and runs the graph on unfinished
ranges."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

from pipeline import files, fingerprint
from pipeline.configuration import Configuration
from pipeline.faults import CallError, EnvironmentFault, FolderMismatch, RunFault
from pipeline.files.lock import replacing
from pipeline.ground import attempts, messages, near_duplicates, retry, stage_tables
from pipeline.ground.commit_chunk import Provenance
from pipeline.ground.options import GroundOptions
from pipeline.ground.resume import resume_or_plan
from pipeline.ids import RangeId
from pipeline.layout import DETECTIONS, FRESH
from pipeline.model_identity.cache import ModelCache
from pipeline.model_identity.identify import check_new_run, identify_models
from pipeline.plan.find_sources import find_sources
from pipeline.plan.plan import Plan, read_plan
from pipeline.plan.plan_sources import check_names
from pipeline.plan.unused_settings import tell_unused
from pipeline.stages.configured import configured_stages, open_tables, preliminary_stages
from pipeline.tables.sweep import sweep_for_ground
from pipeline.tables.table import Listing, Table, list_tables
from transforms.detectors.settings import DetectorSettings
from transforms.garbage import importing
from transforms.plugins import search
from transforms.wording import counted

if TYPE_CHECKING:  # it imports Beam
    from pipeline.engines.remote import RemoteEngine


def ground(
    configuration: Configuration, inputs: Sequence[str], output: str, options: GroundOptions
) -> tuple[Plan, frozenset[RangeId]]:
    """Grounds every pair of the inputs that lacks a row in a table. The caller must hold the lock of the run folder.
    Removes files that killed runs left unfinished in it.

    Returns:
      The plan, and the ranges whose detections are done: all that it has, or had before.

    Raises:
      CallError: a model or an input is invalid, or the run folder has another fingerprint.
      EnvironmentFault: the run failed before it was complete.
    """
    folder = files.join(output, DETECTIONS)
    search_path = _search_path(options)  # refuses a wrong option of Beam before models are looked up
    old = _interrupted_fresh(folder) if options.fresh else read_plan(folder)
    engine = None if old else _connect(options)  # before models are looked up
    tell_loading = cache(partial(messages.tell_loading, options))  # once
    if old:
        configuration = configuration.resuming(old.configuration)
    elif search_path:  # on other machines, the workers refuse it
        configuration.check_precision()
    if configuration.stages.factories:
        search([os.getcwd()])  # the driver, on any engine
    if not old and output.rstrip("/") in (files.canonical(one).rstrip("/") for one in inputs):
        raise CallError(f"--output: {output} is an input, too, where its files would be sources; use another folder")
    left_out: list[str] = []
    read = configuration.source
    planned = {source.uri for source in old.sources if source.ranges} if old else ()
    with nullcontext() if old else messages.unless_soon(tell_loading):
        source_files = find_sources(
            inputs, kind=read.kind, tell=left_out.append, columns=read.columns, planned=planned, run=output
        )
        if not old:
            check_names(source_files, read)
    model_cache = ModelCache(folder)
    before_loading = (lambda: None) if old else tell_loading  # a resumed run says first whether there is work
    model_identities = identify_models(configuration, model_cache, before_loading)
    configuration = fingerprint.resolve(configuration, model_identities)
    if not old:
        check_new_run(configuration)
    stages = configured_stages(configuration, search_path)
    tables = open_tables(stages, folder)
    first_stages = preliminary_stages(configuration)
    first_tables = open_tables(first_stages, folder)
    every_table = {**tables, **first_tables}
    described = stage_tables.describe(every_table, [*stages, *first_stages])
    listings = list_tables(every_table, len(old.sources) if old else None, sweep=True)
    open_ranges = {name: old.unfinished([one.finished]) for name, one in listings.items()} if old else None
    sweep_for_ground(output, every_table, open_ranges)
    if configuration.filters.exclude_hashes is not None:
        near_duplicates.read_excluded(configuration.filters.exclude_hashes)  # refuses a wrong line before any work
    work_left = not _is_done(old, tables, listings, options)
    if work_left:
        if old and search_path:
            configuration.check_precision()
        tell_loading()
    if options.beam or work_left:
        _check_device(configuration.detector, options.beam)
    engine = _connect(options) if old and work_left else engine
    with _removal(folder, options):

        def prepare(old: Plan | None) -> tuple[Plan, dict[str, Listing]]:
            if old or not options.fresh:
                stage_tables.check(every_table, described)
            plan = resume_or_plan(old, configuration, model_identities, source_files, every_table, listings, options)
            if engine:
                options.take_lease()
            stage_tables.write(every_table, described)
            now = listings
            if not old:  # the rows were moved aside
                now = dict.fromkeys(every_table, Listing({}, frozenset()))
            elif plan.sources != old.sources:  # those of changed sources were removed
                now = list_tables(every_table, len(plan.sources))
            return plan, retry.reopen(plan, tables, stage_tables.reopen_outdated(tables, now), options.retry)

        try:
            plan, listings = prepare(old)
        except (FolderMismatch, EnvironmentFault):
            if not (options.fresh and old):
                raise
            plan, listings = prepare(None)  # the interrupted --fresh had other options, or its files are damaged
        model_cache.save()
        messages.log_plan(plan, left_out, options.log)
        messages.tell_left_out(left_out, options.quiet)
        messages.tell_of_store(output, options)
        fingerprints = {DETECTIONS: plan.fingerprint} | {name: table.fingerprint for name, table in described.items()}
    finished = listings[DETECTIONS].finished
    if unfinished := plan.unfinished(listings[name].finished for name in tables):
        tell_unused("ground", plan, plan.configuration, options.quiet)
        messages.tell_first_source(plan, options, old.sources if old else ())
        with importing():
            from pipeline.ground import graph  # imports Beam (seconds), so not for a finished run

        engine = engine or _connect(options)  # a finished run may have been reopened
        if engine:
            options = replace(options, beam=engine.arguments, engine=engine)
            options.take_lease()
            from pipeline.engines import progress

            progress.announce("ground", engine.start_lines(len(unfinished)), options.quiet, options.log)
        provenance = {name: Provenance(text, model_identities) for name, text in fingerprints.items()}
        for name, table in first_tables.items():
            if plan.unfinished([listings[name].finished]):
                graph.run(plan, first_stages, {name: table}, listings, provenance, options, title=name)
            _check_done(plan, [table])
            near_duplicates.find(plan, table)
        graph.run(plan, stages, tables, listings, provenance, options)
        finished = _check_done(plan, tables.values())
    elif any(source.ranges for source in plan.sources) and (options.log or not options.quiet):
        messages.tell_finished(tables[DETECTIONS], finished, options)
    for table in tables.values():
        retry.clear(table)
    attempts.delete_all(folder)
    files.delete([files.join(folder, FRESH)])
    return plan, finished


def _search_path(options: GroundOptions) -> list[str]:
    """The folders from which workers import detectors and stages, after all installed packages: the working directory
    of this process; none on other machines.

    Raises:
      CallError: a wrong option of Beam.
    """
    if options.beam:
        from pipeline.engines.beam_options import is_local, parse_beam_options

        if not is_local(parse_beam_options(options.beam)):
            return []
    return [os.getcwd()]


def _interrupted_fresh(folder: str) -> Plan | None:
    """The plan of a `ground --fresh` that was interrupted; None if there is none, or if it cannot be read."""
    with suppress(RunFault):
        return read_plan(folder) if files.exists(files.join(folder, FRESH)) else None
    return None


def _removal(folder: str, options: GroundOptions) -> AbstractContextManager[None]:
    """Refuses to remove rows while another command reads them, if this call may remove any."""
    removes = options.fresh or options.redo_changed or options.retry is not None
    return replacing(folder) if removes else nullcontext()


def _is_done(
    plan: Plan | None, tables: Mapping[str, Table], listings: Mapping[str, Listing], options: GroundOptions
) -> bool:
    """Whether the existing plan is done and this call asks for no new work. The call may still be refused later."""
    if options.extend or options.redo_changed or options.retry is not None:
        return False
    if plan is None:
        return False
    finished = [listings[name].finished for name in tables]
    return all(finished) and not plan.unfinished(finished) and not any(map(retry.pending, tables.values()))


def _check_done(plan: Plan, tables: Iterable[Table]) -> frozenset[RangeId]:
    """Raises EnvironmentFault if a range is not done in all tables. Returns the ranges that are, in the first one."""
    tables = list(tables)
    finished = [table.finished_ranges(len(plan.sources)) for table in tables]
    if unfinished := plan.unfinished(finished):
        missing = f"{counted(len(unfinished), 'range')} not done"
        raise EnvironmentFault(f"{tables[0].uri}: the run ended with {missing}; run the same command to resume")
    return finished[0]


def _connect(options: GroundOptions) -> "RemoteEngine | None":
    """The remote engine that Beam's options name, if any."""
    if not (options.beam and options.claim):
        return None
    from pipeline.engines import remote

    return remote.connect(options.beam, options.claim.run_id)


def _check_device(settings: DetectorSettings, arguments: Sequence[str]) -> None:
    """Refuses a wrong Beam option or a missing device before anything is written."""
    with importing():
        from pipeline.engines import placement
        from pipeline.engines.beam_options import parse_beam_options

    placement.check_device(settings, parse_beam_options(arguments))
