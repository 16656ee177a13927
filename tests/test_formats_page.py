"""docs/formats.md names every key and column of every file of a run, with its type, and no other."""

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from gritmill.clicks.clicks_file import Clicks
from gritmill.exports.export import ExportMarker, ExportSummary, PartDone
from pipeline import layout
from pipeline.files.lease import LeaseFile
from pipeline.ground.near_duplicates import Rejections
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

RELEASED = Path(__file__).resolve().parent / "data" / "released" / "finished"
PAGE = (Path(__file__).resolve().parents[1] / "docs" / "formats.md").read_text("utf-8")

JSON_FILES = {
    "plan.json": Plan,
    "<range>.done.json": RangeSummary,
    "timings": Timing,
    "table.json": TableFile,
    "<range>.near.json": Rejections,
    "manifest.json": Manifest,
    "_stats.json": ShardStats,
    "statistics.json": StatisticsFile,
    "report.json": Report,
    ".gritmill.models.json": _CacheFile,
    "lease/": LeaseFile,
    ".gritmill.export.json": ExportMarker,
    "export.json": ExportSummary,
    "_done.json": PartDone,
    "clicks.json": Clicks,
}


def _section(heading):
    """The text below a heading that has these words, up to the next one."""
    parts = re.split(r"^#+ (.*)$", PAGE, flags=re.MULTILINE)
    (text,) = [text for title, text in zip(parts[1::2], parts[2::2], strict=True) if f"`{heading}`" in title]
    return text


def _rows(text, cells=2):
    """The first cells of each row of the tables in a text: name and type, and since when."""
    rows = (line.split("|")[1 : cells + 1] for line in text.splitlines() if line.startswith("| `"))
    return [(name.strip(" `"), *(cell.strip() for cell in more)) for name, *more in rows]


SHARED = ("ledger.", "threshold.", "histograms.")
"""Parts of the manifest and of the report. They have sections of their own."""


@pytest.mark.parametrize("name", JSON_FILES)
def test_each_key_of_a_file_is_named_with_its_type(name):
    shared = SHARED if name in ("manifest.json", "report.json") else ()
    shared += ("claims[].", "truth_sheet.", "given_boxes.") if name == "report.json" else ()
    keys = keys_of(JSON_FILES[name])
    expected = {key: kind for key, kind in keys if not key.startswith(shared) and ".time." not in key}
    assert dict(_rows(_section(name))) == expected


def test_ledger_and_threshold_are_named_with_their_types():
    parts = re.split(r"^### (.*)$", PAGE, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    for title, prefix in {"The ledger": "ledger.", "The threshold": "threshold."}.items():
        text = sections[title].partition("\n## ")[0]
        assert dict(_rows(text)) == {key: kind for key, kind in keys_of(Manifest) if key.startswith(prefix)}


def test_the_metadata_of_a_chunk_is_named():
    text = PAGE.partition("### The metadata of a chunk file")[2].partition("\n## ")[0]
    old, *_ = sorted(RELEASED.glob("detections/0*/*.parquet"))
    metadata = json.loads(pq.read_schema(old).metadata[b"gritmill"])
    assert {name for name, _ in _rows(text)} == metadata.keys() | {"parents"}


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("plan.json", "detections/plan.json"),
        ("<range>.done.json", "detections/*/*.done.json"),
        ("timings", "detections/timings/*/*.json"),
        ("manifest.json", "manifest.json"),
        ("_stats.json", "shards/*_stats.json"),
        ("statistics.json", "statistics.json"),
        ("report.json", "report.json"),
        (".gritmill.models.json", "detections/.gritmill.models.json"),
    ],
)
def test_what_is_there_since_the_first_release_is_in_its_files(name, pattern):
    released = {key for path in RELEASED.glob(pattern) for key in _keys(json.loads(path.read_text()))}
    since = {key: version for key, _, version in _rows(_section(name), 3)}
    # A list of a released run may be empty: then nothing is known of its items.
    first = {key for key, version in since.items() if version == "0.1"}
    assert {key for key in first - released if key.partition("[]")[0] not in _empty_lists(RELEASED, pattern)} == set()
    assert {key for key, version in since.items() if version == "0.2"} & released == set()


def test_the_columns_of_the_first_release_are_in_its_files():
    old, *_ = sorted(RELEASED.glob("detections/0*/*.parquet"))
    since = {key: version for key, _, version in _rows(_section("detections/"), 3)}
    assert {key for key, version in since.items() if version == "0.1"} == set(pq.read_schema(old).names)


def _keys(value, prefix=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{prefix}{key}"
            yield from _keys(inner, f"{prefix}{key}.")
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner, f"{prefix.removesuffix('.')}[].")


def _empty_lists(folder, pattern):
    """Paths of lists without objects."""
    found = set()
    for path in folder.glob(pattern):
        pending = [("", json.loads(path.read_text()))]
        while pending:
            prefix, value = pending.pop()
            if isinstance(value, dict):
                pending += [(f"{prefix}.{key}".lstrip("."), inner) for key, inner in value.items()]
            elif value == []:
                found.add(prefix)
    return found


def test_each_column_of_detections_is_named_with_its_type():
    expected = [(field.name, str(field.type).replace("item: ", "").replace(" not null", "")) for field in SCHEMA]
    assert [(name, kind.strip("`")) for name, kind in _rows(_section("detections/"))] == expected


def test_each_file_of_the_layout_is_named():
    names = {value for key, value in vars(layout).items() if key.isupper() and not key.startswith(("ALL_", "_"))}
    assert [name for name in names if not re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", PAGE)] == []
    tree = PAGE.partition("```\nout/\n")[2].partition("```")[0]
    parts = [name for line in tree.splitlines() for name in line.split("  ")[1].split(", ")]
    assert parts[:3] == ["manifest.json", "statistics.json", "report.json"]
    for name in ("shards/00000_stats.json", "detections/plan.json", "<table>/table.json", "view/"):
        assert name in tree, name


def test_no_file_is_named_twice_in_the_table_of_files():
    table = PAGE.partition("| file | content |\n")[2].partition("\n\n")[0]
    files = [name for line in table.splitlines()[1:] for name in line.split(" | ")[0].strip("| ").split(", ")]
    assert "`.gritmill.lock`" in files
    assert sorted(files) == sorted(set(files))


def test_each_table_says_since_when():
    rows = [line for line in PAGE.splitlines() if line.startswith("| `") and line.count("|") == 5]
    assert len(rows) > 100
    assert [row for row in rows if row.split("|")[3].strip() not in ("0.1", "0.2")] == []
