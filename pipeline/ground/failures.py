"""The failed rows of the tables of a run, counted from the summaries of the finished ranges."""

from collections import Counter
from collections.abc import Iterator

from pipeline import files, layout
from pipeline.files.typed import read_many
from pipeline.tables.range_summary import RangeSummary
from pipeline.tables.table_file import find_tables
from transforms.wording import counted


def failure_lines(detections: str) -> Iterator[str]:
    """Yields one line for each table with failed rows, detections first: how many rows failed, by reason."""
    run = files.parent(detections)
    for name in (layout.DETECTIONS, *(table.name for table in find_tables(run))):
        uri = detections if name == layout.DETECTIONS else files.join(run, name)
        summaries = read_many((info.uri for info in files.list_folder(uri, layout.ALL_RANGE_SUMMARIES)), RangeSummary)
        failed = sum((Counter(entry.failed) for summary in summaries for entry in summary.chunks), Counter[str]())
        if failed:
            reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(failed.items()))
            rows = counted(sum(summary.rows for summary in summaries), "row")
            yield f"{name}: {failed.total()} of {rows} failed: {reasons}"
