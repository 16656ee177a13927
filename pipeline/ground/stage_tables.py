"""The tables beside `detections/`: whose rows they hold, and which of their ranges are out of date.

`<table>/table.json` says with which settings a table is made. A range of it is out of date once a parent chunk is
another one than it was made from: it has been done again, or its source was read anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress

from pipeline import files, layout
from pipeline.faults import FolderMismatch
from pipeline.files.typed import publish_typed, read_typed
from pipeline.fingerprint import json_digest
from pipeline.ids import RangeId
from pipeline.stages.base import Stage
from pipeline.tables.table import Table
from pipeline.tables.table_file import TableFile
from transforms.read_ahead import map_in_threads


def check(tables: Mapping[str, Table], stages: Sequence[Stage]) -> None:
    """Raises FolderMismatch if a table holds rows that were made with other settings or code."""
    for table in _own(tables):
        uri = files.join(table.uri, layout.TABLE)
        if files.exists(uri) and read_typed(uri, TableFile) != _table_file(table, stages):
            remedy = f"use another folder, or remove {table.uri}: only that table is made again"
            raise FolderMismatch(f"--output: {table.uri} holds rows of other settings or code of {table.name}", remedy)


def write(tables: Mapping[str, Table], stages: Sequence[Stage]) -> dict[str, str]:
    """Says in each table's folder with which settings it is made. Returns the fingerprints."""
    described = {table.name: _table_file(table, stages) for table in _own(tables)}
    for name, content in described.items():
        publish_typed(files.join(tables[name].uri, layout.TABLE), content)
    return {name: content.fingerprint for name, content in described.items()}


def _table_file(table: Table, stages: Sequence[Stage]) -> TableFile:
    values = [[stage.identity, stage.fingerprint_values()] for stage in stages if stage.table == table.name]
    return TableFile(table.name, table.parents, json_digest(values))


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
