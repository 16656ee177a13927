"""`detections/`: the table of phrases and boxes. `pack` reads it to write shards."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pipeline import files, layout
from pipeline.tables.table import Table

if TYPE_CHECKING:
    import pyarrow as pa

    from transforms.records import Pair

VERSION = 4
"""The version of the columns. 2 added `image_part`, 3 `filtered`, 4 `claims`."""


def open_detections(folder: str) -> Table:
    """Opens the table in a detections folder."""
    return Table(folder, _schema, VERSION)


def detections_of(tables: Mapping[str, Table]) -> str:
    """The folder of the detections of the run that tables belong to. It has the plan, and the attempts at chunks."""
    if layout.DETECTIONS in tables:
        return tables[layout.DETECTIONS].uri
    return files.join(files.parent(next(iter(tables.values())).uri), layout.DETECTIONS)


def read_all(folder: str) -> "Iterator[Pair]":
    """Yields the pairs of all committed chunks of a detections folder, in order."""
    from pipeline.tables.pair_rows import read_pairs

    table = open_detections(folder)
    for chunk in table.all_chunks():
        yield from read_pairs(table, chunk)


def _schema() -> "pa.Schema":
    from pipeline.tables.pair_rows import SCHEMA  # imports pyarrow

    return SCHEMA
