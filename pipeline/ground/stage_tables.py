"""The tables beside `detections/`: whose rows they hold, and which of their ranges are out of date.

`<table>/table.json` says with which settings a table is made. A range of it is out of date once a parent chunk is
another one than it was made from: it has been done again, or its source was read anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress

from pipeline import files, layout
from pipeline.faults import CallError, FolderMismatch, first_line
from pipeline.files.typed import publish_typed, read_typed
from pipeline.fingerprint import json_digest
from pipeline.ids import RangeId
from pipeline.stages.base import Stage
from pipeline.tables.table import Table
from pipeline.tables.table_file import TableFile
from transforms.read_ahead import map_in_threads


def describe(tables: Mapping[str, Table], stages: Sequence[Stage]) -> dict[str, TableFile]:
    """What the tables say of themselves, by name; raises CallError if a stage's settings cannot be said in JSON."""
    described = {}
    for table in _own(tables):
        own = [stage for stage in stages if stage.table == table.name]
        try:
            fingerprint = json_digest([[stage.identity, stage.fingerprint_values()] for stage in own])
        except Exception as error:  # of somebody else's code
            raise CallError(f"stages.factories: {table.name}: its fingerprint_values: {first_line(error)}") from error
        described[table.name] = TableFile(table.name, table.parents, fingerprint)
    return described


def check(tables: Mapping[str, Table], described: Mapping[str, TableFile]) -> None:
    """Raises FolderMismatch if a table holds rows that were made with other settings or code."""
    for name, content in described.items():
        folder = tables[name].uri
        uri = files.join(folder, layout.TABLE)
        if files.exists(uri) and read_typed(uri, TableFile) != content:
            remedy = f"use another folder, or remove {folder}: only that table is made again"
            raise FolderMismatch(f"--output: {folder} holds rows of other settings or code of {name}", remedy)


def write(tables: Mapping[str, Table], described: Mapping[str, TableFile]) -> None:
    """Says in each table's folder with which settings it is made."""
    check(tables, described)
    for name, content in described.items():
        publish_typed(files.join(tables[name].uri, layout.TABLE), content)


def reopen_outdated(tables: Mapping[str, Table]) -> None:
    """Reopens the ranges of tables whose parent chunks are others now."""
    for table in _own(tables):
        parents = [tables[name] for name in table.parents]
        table.reopen(_outdated(table, parents))


def _outdated(table: Table, parents: Sequence[Table]) -> list[RangeId]:
    """Ranges whose parent chunks are others now, or one of whose own chunks is gone."""
    finished = {parent.name: parent.finished_ranges() for parent in parents}
    there = set(table.all_chunks())

    def is_outdated(range_id: RangeId) -> bool:
        current: dict[int, dict[str, str]] = {}
        for parent in parents:
            for entry in parent.read_summary(range_id).chunks if range_id in finished[parent.name] else ():
                current.setdefault(entry.chunk, {})[parent.name] = entry.digest
        entries = table.read_summary(range_id).chunks
        gone = any(range_id.chunk(entry.chunk) not in there for entry in entries)
        return gone or {entry.chunk: dict(entry.parents) for entry in entries} != current

    ranges = sorted(table.finished_ranges())
    return list(compress(ranges, map_in_threads(is_outdated, ranges)))


def _own(tables: Mapping[str, Table]) -> Iterator[Table]:
    return (table for name, table in tables.items() if name != layout.DETECTIONS)
