"""docs/formats.md names every key and column of every file of a run, with its type, and no other."""

import re
from pathlib import Path

import pytest

from gritmill.exports.export import ExportMarker, ExportSummary, PartDone
from pipeline import layout
from pipeline.model_identity.cache import _CacheFile
from pipeline.pack.manifest import Manifest
from pipeline.pack.report import Report
from pipeline.pack.shard_stats import ShardStats
from pipeline.pack.statistics import StatisticsFile
from pipeline.plan.plan import Plan
from pipeline.tables.pair_rows import SCHEMA
from pipeline.tables.range_summary import RangeSummary, Timing
from pipeline.tables.table_file import TableFile
from tests.format_keys import keys_of

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "formats.md").read_text("utf-8")

JSON_FILES = {
    "plan.json": Plan,
    "<range>.done.json": RangeSummary,
    "timings": Timing,
    "table.json": TableFile,
    "manifest.json": Manifest,
    "_stats.json": ShardStats,
    "statistics.json": StatisticsFile,
    "report.json": Report,
    ".gritmill.models.json": _CacheFile,
    ".gritmill.export.json": ExportMarker,
    "export.json": ExportSummary,
    "_done.json": PartDone,
}


def _section(heading):
    """The text below a heading that has these words, up to the next one."""
    parts = re.split(r"^#+ (.*)$", PAGE, flags=re.MULTILINE)
    (text,) = [text for title, text in zip(parts[1::2], parts[2::2], strict=True) if f"`{heading}`" in title]
    return text


def _rows(text):
    """Name and type of each row of the tables in a text."""
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in text.splitlines() if line.startswith("| `")]
    return [(name.strip("`"), kind) for name, kind in rows]


@pytest.mark.parametrize("name", JSON_FILES)
def test_each_key_of_a_file_is_named_with_its_type(name):
    expected = {
        key: kind
        for key, kind in keys_of(JSON_FILES[name])
        # These have a section of their own.
        if not (name in ("manifest.json", "report.json") and key.startswith(("ledger.", "threshold.", "histograms.")))
        and ".time." not in key
    }
    assert dict(_rows(_section(name))) == expected


def test_each_column_of_detections_is_named_with_its_type():
    expected = [(field.name, str(field.type).replace("item: ", "").replace(" not null", "")) for field in SCHEMA]
    assert [(name, kind.strip("`")) for name, kind in _rows(_section("detections/"))] == expected


def test_each_file_of_the_layout_is_named():
    names = {value for key, value in vars(layout).items() if key.isupper() and not key.startswith("ALL_")}
    assert [name for name in names if f"{name}" not in PAGE] == []


def test_each_table_says_since_when():
    rows = [line for line in PAGE.splitlines() if line.startswith("| `") and line.count("|") == 5]
    assert len(rows) > 100
    assert [row for row in rows if row.split("|")[3].strip() not in ("0.1", "0.2")] == []
