"""Removes what killed runs left unfinished in a run folder, without a search of folders that have nothing of it."""

import os
from collections.abc import Collection, Mapping
from functools import cache

from pipeline import files, layout
from pipeline.files.publish import delete_unfinished
from pipeline.ids import RangeId
from pipeline.tables.table import Table


def sweep_for_ground(
    run: str, tables: Mapping[str, Table], unfinished: Mapping[str, Collection[RangeId]] | None
) -> None:
    """Sweeps a run folder before `ground` works in it. The caller must hold its lock.

    A listing with `sweep` has swept the folders of rows. The timing of a chunk is written before the summary of its
    range: a killed worker leaves an unfinished one only where the range is not finished, unless an engine gave its
    chunks to another worker. Therefore all timings of a run that was on an engine are searched.

    unfinished: by table, the ranges that are not finished; None if they are not known.
    """
    if os.path.isdir(os.path.join(run, layout.LEASES)):
        unfinished = None
    rows = {table.uri for table in tables.values()}
    timed: dict[str, set[str]] = {}  # by folder of timings, the folders of sources to look into
    for name, ranges in (unfinished or {}).items():
        folders = {layout.source_folder(range_id.source) for range_id in ranges}
        timed[files.join(tables[name].uri, layout.TIMINGS)] = folders

    def leave(place: str, name: str) -> bool:
        if place in timed:
            return name not in timed[place]
        # Nothing is written into the folder of all timings itself.
        return place in rows and (layout.is_source_folder(name) or timed.get(files.join(place, name)) == set())

    delete_unfinished(run, leave)


def sweep_for_pack(run: str) -> None:
    """Sweeps a run folder before `pack` works in it, except for rows and timings, which only `ground` writes. The
    caller must hold its lock."""

    @cache
    def is_table(folder: str) -> bool:
        return any(os.path.exists(os.path.join(folder, name)) for name in (layout.PLAN, layout.TABLE))

    def leave(place: str, name: str) -> bool:
        return (name == layout.TIMINGS or layout.is_source_folder(name)) and is_table(place)

    delete_unfinished(run, leave)
