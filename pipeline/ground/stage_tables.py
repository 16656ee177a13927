"""The tables of custom stages, next to `detections/`: their settings, and which of their ranges are out of date.

`<table>/table.json` records the settings of a table. A range is out of date if a parent chunk changed after the rows
were computed: the chunk was processed again, or its source was read again.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress

from pipeline import files, layout
from pipeline.faults import CallError, FolderMismatch
from pipeline.files.typed import publish_typed, read_typed
from pipeline.fingerprint import json_digest
from pipeline.ids import RangeId
from pipeline.stages.base import Stage
from pipeline.tables.table import Listing, Table
from pipeline.tables.table_file import TableFile
from transforms.culprits import calling
from transforms.read_ahead import map_in_threads


def describe(tables: Mapping[str, Table], stages: Sequence[Stage]) -> dict[str, TableFile]:
    """The content of `table.json` for each table, by name. Raises CallError if a fingerprint is not valid JSON."""
    described = {}
    for table in _custom_tables(tables):
        table_stages = [stage for stage in stages if stage.table == table.name]
        with calling(f"stages.factories: {table.name}: its fingerprint_values", CallError):
            fingerprint = json_digest([[stage.identity, stage.fingerprint_values()] for stage in table_stages])
        described[table.name] = TableFile(table.name, table.parents, fingerprint)
    return described


def check(tables: Mapping[str, Table], described: Mapping[str, TableFile]) -> None:
    """Raises FolderMismatch if a table contains rows that were computed with other settings or code."""
    for name, content in described.items():
        folder = tables[name].uri
        uri = files.join(folder, layout.TABLE)
        if files.exists(uri) and read_typed(uri, TableFile) != content:
            remedy = f"use another folder, or remove {folder} to compute only this table again"
            raise FolderMismatch(f"--output: {folder} contains rows from other settings or code of {name}", remedy)


def write(tables: Mapping[str, Table], described: Mapping[str, TableFile]) -> None:
    """Writes `table.json` of each table."""
    for name, content in described.items():
        publish_typed(files.join(tables[name].uri, layout.TABLE), content)


def reopen_outdated(tables: Mapping[str, Table], listings: Mapping[str, Listing]) -> dict[str, Listing]:
    """Reopens the ranges that are out of date. Returns what the tables have then. listings: what they have now."""
    after = dict(listings)
    for table in _custom_tables(tables):
        parents = [tables[name] for name in table.parents]
        after[table.name] = table.reopen(_outdated(table, parents, after), after[table.name])
    return after


def _outdated(table: Table, parents: Sequence[Table], listings: Mapping[str, Listing]) -> list[RangeId]:
    """The finished ranges whose parent chunks changed, or that miss a chunk."""

    def is_outdated(range_id: RangeId) -> bool:
        current: dict[int, dict[str, str]] = {}
        for parent in parents:
            for entry in parent.read_summary(range_id).chunks if range_id in listings[parent.name].finished else ():
                current.setdefault(entry.chunk, {})[parent.name] = entry.digest
        entries = table.read_summary(range_id).chunks
        missing = any(range_id.chunk(entry.chunk) not in listings[table.name].chunks for entry in entries)
        return missing or {entry.chunk: dict(entry.parents) for entry in entries} != current

    ranges = sorted(listings[table.name].finished)
    return list(compress(ranges, map_in_threads(is_outdated, ranges)))


def _custom_tables(tables: Mapping[str, Table]) -> Iterator[Table]:
    return (table for name, table in tables.items() if name != layout.DETECTIONS)
