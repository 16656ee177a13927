"""How many rows the tables of a run have, and how many of them failed, from the summaries of the finished ranges.

Imports nothing slow.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from pipeline import files, layout
from pipeline.files.typed import read_many
from pipeline.ids import RangeId
from pipeline.tables.range_summary import RangeSummary
from pipeline.tables.table import Table
from pipeline.tables.table_file import find_tables
from transforms.wording import counted

_MAX_SUMMARIES = 1000
"""A call with nothing to do reads at most this many summaries only to count pairs."""


@dataclass(frozen=True)
class RowCounts:
    """The rows of a table, and how many of them failed, by reason."""

    rows: int
    failed: Counter[str]

    def line(self) -> str:
        """How many rows failed, and why, as text."""
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in sorted(self.failed.items()))
        return f"{self.failed.total():,} of {counted(self.rows, 'row')} failed: {reasons}"


def count_tables(detections: str) -> dict[str, RowCounts]:
    """The counts of all tables by name, detections first. Reads every summary."""
    run = files.parent(detections)
    uris = {layout.DETECTIONS: detections} | {table.name: files.join(run, table.name) for table in find_tables(run)}
    return {name: _count_rows(_summaries(uri)) for name, uri in uris.items()}


def count_finished(detections: Table, finished: Collection[RangeId]) -> str:
    """What a finished `ground` has, as text: its pairs, or its ranges if there are too many to read their summaries."""
    if len(finished) > _MAX_SUMMARIES:
        return counted(len(finished), "range")
    return counted(_count_rows(map(detections.summary_uri, finished)).rows, "pair")


def _summaries(uri: str) -> list[str]:
    return [info.uri for info in files.list_folder(uri, layout.ALL_RANGE_SUMMARIES)]


def _count_rows(uris: Iterable[str]) -> RowCounts:
    failed = Counter[str]()
    rows = 0
    for summary_rows, entries in read_many(uris, RangeSummary, _rows_and_failures):
        rows += summary_rows
        for entry in entries:
            failed.update(entry)
    return RowCounts(rows, failed)


def _rows_and_failures(summary: RangeSummary) -> tuple[int, list[Mapping[str, int]]]:
    return summary.rows, [entry.failed for entry in summary.chunks if entry.failed]
