"""Every path of a run folder, once: names below the run's folder, or below that of a table.

    .gritmill.lock                                  while a run holds a local folder
    .gritmill.heartbeat.json                        the same on an object store
    detections/plan.json                            sources and ranges; written first
    detections/working/<source>-<range>-<chunk>.json   attempts at a chunk
    detections/.gritmill.models.json                the model cache
    detections/.progress-*                          of local workers
    <table>/table.json                              with which settings it is made; not of detections
    <table>/retry.json                              chunks to do again
    <table>/<source>/<range>-<chunk>.parquet        a committed chunk
    <table>/<source>/<range>.done.json              after the range's last chunk
    <table>/timings/<source>/<range>-<chunk>.json
    shards/<shard>.tar, .parquet, _stats.json       the stats last
    statistics.json
    manifest.json                                   last of all: what a reader may trust
    report.json, report.html
    view/

`detections/` is a table, others are beside it. A source, range or chunk has five digits, and so has a shard.
"""

import re

from pipeline.ids import ChunkId, RangeId

# Of any folder that gritmill writes into.
LOCK = ".gritmill.lock"
HEARTBEAT = ".gritmill.heartbeat.json"
TEMPORARY = ".gritmill-tmp-"
"""How the names of unfinished files begin. One run holds a folder at a time, so at its start all of them are dead."""

# Of the run's folder.
DETECTIONS = "detections"
SHARDS = "shards"
PLANNED_SHARDS = ".gritmill.shards.json"
STATISTICS = "statistics.json"
MANIFEST = "manifest.json"
REPORT = "report.json"
REPORT_PAGE = "report.html"
VIEW = "view"

# Of the detections' folder, beside what every table has.
PLAN = "plan.json"
RETRY = "retry.json"
WORKING = "working"
MODEL_CACHE = ".gritmill.models.json"
PROGRESS = ".progress-"

# Of a table's folder.
TABLE = "table.json"
TIMINGS = "timings"

# Of the folders of an export and of a viewer's page.
EXPORT_MARKER = ".gritmill.export.json"
EXPORT = "export.json"
VIEW_MARKER = ".gritmill.view.json"

# What finds all of a kind below a folder.
ALL_CHUNKS = "*/*-*.parquet"
ALL_RANGE_SUMMARIES = "*/*.done.json"
ALL_TIMINGS = f"{TIMINGS}/*/*.json"
ALL_WORKING = f"{WORKING}/*.json"
ALL_SHARD_STATS = f"{SHARDS}/*_stats.json"


def source_folder(source: int) -> str:
    """A source's folder below a table's, and below its `timings/`."""
    return f"{source:05}"


def chunk(chunk_id: ChunkId) -> str:
    """A committed chunk's rows, below a table's folder."""
    return f"{chunk_id.stem}.parquet"


def timing(chunk_id: ChunkId) -> str:
    """What a chunk took, below a table's folder."""
    return f"{TIMINGS}/{chunk_id.stem}.json"


def range_summary(range_id: RangeId) -> str:
    """What a finished range holds, below a table's folder."""
    return f"{source_folder(range_id.source)}/{range_id.range:05}.done.json"


def working(chunk_id: ChunkId) -> str:
    """The attempts at a chunk, below the detections' folder."""
    return f"{WORKING}/{chunk_id.source:05}-{chunk_id.range:05}-{chunk_id.number:05}.json"


def chunk_of(uri: str) -> ChunkId | None:
    """The chunk whose rows a file holds; None if it is no such file."""
    match = re.search(r"/(\d+)/(\d+)-(\d+)\.parquet$", uri)
    return ChunkId(*map(int, match.groups())) if match else None


def range_of(uri: str) -> RangeId | None:
    """The range that a file summarises; None if it is no such file."""
    match = re.search(r"/(\d+)/(\d+)\.done\.json$", uri)
    return RangeId(*map(int, match.groups())) if match else None


def shard_tar(number: int) -> str:
    """A shard's samples, below the run's folder."""
    return f"{SHARDS}/{number:05}.tar"


def shard_index(number: int) -> str:
    """A shard's records, below the run's folder."""
    return f"{SHARDS}/{number:05}.parquet"


def shard_stats(number: int) -> str:
    """A shard's stats, below the run's folder: the last of its files, so that its presence says that the others are
    complete."""
    return f"{SHARDS}/{number:05}_stats.json"


def export_part(number: int) -> str:
    """A shard's lines until all shards are written, below an export's folder."""
    return f"parts/{number:05}.jsonl"


def export_part_done(number: int) -> str:
    """Says that a shard is exported, below an export's folder."""
    return f"parts/{number:05}_done.json"
