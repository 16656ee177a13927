"""How many rows the tables of a run have, and how many of them failed, from the summaries of the finished ranges.

Imports nothing slow.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline import files, layout
from pipeline.files.typed import read_many
from pipeline.tables.range_summary import RangeSummary
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
    return {name: _count_rows(_summary_files(uri)) for name, uri in uris.items()}


def count_finished(detections: str) -> str:
    """What a finished `ground` has, as text: its pairs, or its ranges if there are too many to read their summaries."""
    infos = _summary_files(detections)
    if len(infos) > _MAX_SUMMARIES:
        return counted(len(infos), "range")
    return counted(_count_rows(infos).rows, "pair")


def _summary_files(uri: str) -> list[files.FileInfo]:
    return files.list_folder(uri, layout.ALL_RANGE_SUMMARIES)


def _count_rows(infos: Sequence[files.FileInfo]) -> RowCounts:
    summaries = read_many((info.uri for info in infos), RangeSummary)
    failed = sum((Counter(entry.failed) for summary in summaries for entry in summary.chunks), Counter[str]())
    return RowCounts(sum(summary.rows for summary in summaries), failed)
