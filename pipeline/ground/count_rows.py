"""How many pairs a finished `ground` has, from the summaries of its ranges. Imports nothing slow."""

from pipeline.files.typed import read_many
from pipeline.tables.range_summary import RangeSummary
from pipeline.tables.table import Table

_MAX_SUMMARIES = 1000
"""A call with nothing to do reads at most this many summaries only to count pairs."""


def count_pairs(detections: Table) -> dict[str, int]:
    """The pairs of all finished ranges, and how many of them failed. Reads every summary."""
    summaries = read_many(map(detections.summary_uri, sorted(detections.finished_ranges())), RangeSummary)
    failed = sum(sum(entry.failed.values()) for summary in summaries for entry in summary.chunks)
    return {"pairs": sum(summary.rows for summary in summaries), "failed": failed}


def count_finished(detections: Table) -> str:
    """What a finished `ground` has, as text: its pairs, or its ranges if there are too many to read their summaries."""
    ranges = len(detections.finished_ranges())
    return f"{ranges:,} ranges" if ranges > _MAX_SUMMARIES else f"{count_pairs(detections)['pairs']:,} pairs"
