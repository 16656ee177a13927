"""Decides whether a run resumes the plan in its folder, extends it, or writes a new one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline import files, fingerprint, layout
from pipeline.configuration import GROUND_SECTIONS, PACK_KEYS, Configuration
from pipeline.faults import CallError, FolderMismatch
from pipeline.files.publish import publish_json
from pipeline.ground import attempts, retry
from pipeline.ground.options import GroundOptions
from pipeline.layout import DETECTIONS
from pipeline.plan.limit import limit_plan
from pipeline.plan.plan import Plan, write_plan
from pipeline.plan.plan_sources import check_readable, compare_sources, plan_sources
from pipeline.sources.base import check_root
from pipeline.tables.table import Listing, Table
from pipeline.tables.table_file import find_tables
from pipeline.threshold import default_threshold
from transforms.detectors.family import Family
from transforms.detectors.load import find_family


def resume_or_plan(
    plan: Plan | None,
    configuration: Configuration,
    model_identities: dict[str, str],
    source_files: Sequence[files.FileInfo],
    tables: Mapping[str, Table],
    listings: Mapping[str, Listing],
    options: GroundOptions,
) -> Plan:
    """Returns the plan in the folder if its fingerprint and sources match this call.

    Writes and returns a new plan if the folder has none, or if nothing was committed under it.

    Args:
      plan: the plan in the folder; None if there is none, or if it must be moved aside.
      listings: what the tables have.

    Raises:
      FolderMismatch: the folder contains another run. CallError: see `plan_sources`; or no source can be read.
    """
    detections = tables[DETECTIONS]
    folder = detections.uri
    family = find_family(configuration.detector)
    plan_fingerprint = fingerprint.ground_fingerprint(configuration, model_identities, options.limit, family)
    check_root(configuration.source)
    if plan is None or not any(_has_rows(table, listings[name]) for name, table in tables.items()):
        new_plan = _new_plan(plan_fingerprint, configuration, model_identities, source_files, options.limit)
        options.take_lease()
        return _start_plan(new_plan, plan, tables, options.fresh)
    if plan.fingerprint != plan_fingerprint:
        difference = _difference(plan, configuration, model_identities, options.limit, family)
        raise FolderMismatch(f"--output: {folder} contains detections with another fingerprint ({difference} changed)")
    # Keys that are only recorded may change between runs.
    plan = replace(plan, configuration=configuration)
    new, changed = compare_sources(plan, source_files)
    _check_allowed(new, changed, folder, options)
    return _extend_plan(plan, new, changed, tables, options) if new or changed else plan


def _has_rows(table: Table, listing: Listing) -> bool:
    """Whether rows were committed to a table that is filled from the sources."""
    return not table.parents and bool(listing.chunks or listing.finished)


def _start_plan(plan: Plan, old: Plan | None, tables: Mapping[str, Table], fresh: bool) -> Plan:
    """Writes a new plan. Moves existing tables aside, or replaces a plan under which nothing was committed (`old`).

    fresh: leave a mark, so that the same call resumes if it is interrupted, and moves nothing aside again.
    """
    folder = tables[DETECTIONS].uri
    if old is None:
        set_aside(tables)
        if fresh:
            publish_json(files.join(folder, layout.FRESH), {})
    elif (old.fingerprint, old.sources) != (plan.fingerprint, plan.sources):
        attempts.delete_all(folder)  # the records belong to other chunks with the same numbers
    write_plan(folder, plan)
    return plan


def _check_allowed(
    new: Sequence[files.FileInfo], changed: dict[int, files.FileInfo], folder: str, options: GroundOptions
) -> None:
    if changed and (options.limit is not None or not options.redo_changed):
        message = f"--input: {next(iter(changed.values())).uri} has changed since the run began"
        # With --limit, the chosen pairs depend on all sources.
        remedy = {} if options.limit is not None else {"remedy": "use --redo-changed to read changed sources again"}
        raise FolderMismatch(f"{message} (size or modification time)", **remedy)
    if new and not options.extend:
        raise FolderMismatch(
            f"--input: {new[0].uri} is not part of the plan in {folder}", "use --extend to add new sources"
        )
    if new and options.limit is not None:
        raise CallError("--extend: a plan with --limit cannot be extended")


def _extend_plan(
    plan: Plan,
    new: Sequence[files.FileInfo],
    changed: dict[int, files.FileInfo],
    tables: Mapping[str, Table],
    options: GroundOptions,
) -> Plan:
    """Appends new sources to the plan, plans changed sources again, and deletes the rows of changed sources."""
    planned = plan_sources([*changed.values(), *new], plan.configuration)
    sources = list(plan.sources)
    for number, source in zip(changed, planned, strict=False):
        sources[number] = source
    sources += planned[len(changed) :]
    check_readable(sources)
    options.take_lease()
    for table in _all_tables(tables):
        for number in changed:
            table.delete_source(number)
        retry.drop_sources(table, changed)
    plan = replace(plan, sources=tuple(sources))
    # The plan is written last: if this call is killed earlier, the next call repeats all of its steps.
    write_plan(tables[DETECTIONS].uri, plan)
    return plan


def _new_plan(
    plan_fingerprint: str,
    configuration: Configuration,
    model_identities: dict[str, str],
    source_files: Sequence[files.FileInfo],
    limit: int | None,
) -> Plan:
    sources = plan_sources(source_files, configuration, are_all=True)
    check_readable(sources)
    if limit is not None:
        sources = limit_plan(sources, limit, configuration.source)
    threshold = default_threshold(configuration)
    return Plan(plan_fingerprint, configuration, model_identities, limit, tuple(sources), threshold)


def _difference(
    plan: Plan, configuration: Configuration, model_identities: dict[str, str], limit: int | None, family: Family[Any]
) -> str:
    """The keys that differ between the plan and this call, separated by commas, for an error message."""
    old, new = plan.configuration.model_dump(mode="json"), configuration.model_dump(mode="json")
    keys = [f"{s}.{k}" for s in GROUND_SECTIONS for k in {**new[s], **old[s]} if old[s].get(k) != new[s].get(k)]
    same = [f"{name}.model" for name in model_identities if plan.model_identities.get(name) == model_identities[name]]
    recorded = (
        *configuration.recorded_keys(),
        *(f"detector.{key}" for key in family.settings.recorded_keys()),
    )
    keys = [key for key in keys if key not in (*recorded, *same)]
    near = "near" in (plan.configuration.filters.duplicates, configuration.filters.duplicates)
    keys = [key for key in keys if near or key not in PACK_KEYS]
    keys += [
        f"the content of {name}"
        for name in model_identities
        if plan.model_identities.get(name) != model_identities[name]
    ]
    keys += ["--limit"] if plan.limit != limit else []
    unnamed = "the content of filters.exclude_hashes or " if configuration.filters.exclude_hashes else ""
    return ", ".join(dict.fromkeys(keys)) or f"{unnamed}the code of gritmill"


def _all_tables(tables: Mapping[str, Table]) -> list[Table]:
    """The tables of this call and of earlier calls. Detections are last: while they exist, a call that was killed can
    repeat a removal or move."""
    detections = tables[DETECTIONS]
    run = files.parent(detections.uri)
    names = dict.fromkeys([*tables, *(table.name for table in find_tables(run, every=True))])
    return [*(replace(detections, uri=files.join(run, name)) for name in names if name != DETECTIONS), detections]


def set_aside(tables: Mapping[str, Table]) -> None:
    """Renames the folders of all tables to `<table>.<number>`, with the first number that is free for all of them."""
    uris = [table.uri for table in _all_tables(tables)]
    uris = [uri for uri in uris if files.list_folder(uri, layout.PLAN) or files.list_folder(uri, layout.TABLE)]
    number = 1
    while any(files.list_folder(f"{uri}.{number}") for uri in uris):
        number += 1
    for uri in uris:
        files.move_folder(uri, f"{uri}.{number}")
