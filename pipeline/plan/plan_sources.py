"""Cuts files into ranges, and finds files that have changed since they were planned."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline import files
from pipeline.configuration import Configuration, SourceSettings
from pipeline.faults import CallError, FolderMismatch, SourceFault, first_line
from pipeline.files import FileInfo
from pipeline.plan.named_columns import NamedColumn, named_columns
from pipeline.plan.plan import Plan, PlannedSource, share_ranges
from pipeline.source_kinds import kind_from_name
from pipeline.sources import fields, is_source, kind_of
from pipeline.sources.columns import NO_FIELDS
from transforms.read_ahead import map_in_threads
from transforms.wording import counted

ROWS_PER_CHUNK_PAIR = 4
"""A range of a table has 4 x `chunk.pairs` rows, so that workers can share one file."""


def plan_sources(
    source_files: Iterable[FileInfo], configuration: Configuration, are_all: bool = False
) -> list[PlannedSource]:
    """Plans every source: its kind and its ranges.

    are_all: of a run, so that a column that the settings name must be in one of them.

    Raises:
      CallError: the kind of a source is unknown, or a source or all of them do not fit the settings.
    """
    named = list(named_columns(configuration, conditions=False)) if are_all else []
    planned = map_in_threads(lambda info: _plan_source(info, configuration, named), source_files)
    _check_named(named, [one for one in planned if one[0].ranges], configuration.source)
    return [source for source, _ in planned]


def _check_named(
    named: Sequence[NamedColumn], sources: Sequence[tuple[PlannedSource, list[NamedColumn]]], settings: SourceSettings
) -> None:
    """Raises CallError if none of the sources can have one of the named columns. sources: each with those it lacks."""
    for column in named if sources else ():
        if all(column in lacking for _, lacking in sources):
            first, _ = sources[0]
            others = f"and {counted(len(sources) - 1, 'other source')} have" if len(sources) > 1 else "has"
            found = column.explain(fields(first.open(settings)))
            raise CallError(f"{column.key}: {first.uri} {others} {found}")


def check_names(source_files: Iterable[FileInfo], settings: SourceSettings) -> None:
    """Raises CallError if no kind of source has the suffix of a file, before anything is imported that takes longer."""
    for info in source_files if settings.kind == "auto" else ():
        if not info.uri.endswith("/") and not kind_from_name(files.name(info.uri)):
            kind_of(info.uri, settings)


def check_readable(sources: Sequence[PlannedSource]) -> None:
    """Raises CallError if none of the sources can be read."""
    if sources and all(source.fault and not source.ranges for source in sources):
        raise CallError(f"--input: {sources[0].uri}: {sources[0].fault}")


def _plan_source(
    info: FileInfo, configuration: Configuration, named: Sequence[NamedColumn]
) -> tuple[PlannedSource, list[NamedColumn]]:
    """The source, and the named columns that it cannot have."""
    kind = kind_of(info.uri, configuration.source)
    source = PlannedSource(info.uri, kind, info.size, info.stamp)
    try:
        opened = source.open(configuration.source)
        ranges = opened.ranges(ROWS_PER_CHUNK_PAIR * configuration.chunk.pairs)
    except SourceFault as fault:
        return replace(source, fault=first_line(fault)), []
    known = fields(opened) if named else NO_FIELDS
    return replace(source, ranges=share_ranges(tuple(ranges))), [one for one in named if one.cannot_be_in(known)]


def compare_sources(plan: Plan, source_files: Sequence[FileInfo]) -> tuple[list[FileInfo], dict[int, FileInfo]]:
    """Compares the plan with the current files of the input.

    Returns:
      The files that are not in the plan, and the current files of sources that have changed, by source number.

    Raises:
      FolderMismatch: a planned source is not in the input. One that has no ranges, because it could not be read, may be
        left out.
    """
    by_uri = {info.uri: info for info in source_files}
    changed = {}
    for number, source in enumerate(plan.sources):
        current = by_uri.pop(source.uri, None)
        if current is None:
            exists = files.exists(source.uri)
            if not source.ranges and (exists or not is_source(source.uri)):  # 0.1 planned `_stats.json` and the like
                continue
            problem = "is not among the inputs" if exists else "is missing"
            raise FolderMismatch(f"--input: {source.uri} {problem}, but it is part of this run's plan")
        if current != (source.uri, source.size, source.stamp):
            changed[number] = current
    return list(by_uri.values()), changed
