"""Every path of a run folder. Paths are relative to the run folder, or to the folder of a table.

    .gritmill.lock                                  locked while a run uses a local folder
    .gritmill.heartbeat.json                        exists while a run uses a folder that is not on a local disk
    lease/<number>.json                             which command on an engine uses the folder; the highest one counts
    heartbeats/<run>/*.json                         while a command on an engine runs: its driver and its workers
    faults/<run>/*.json                             why a worker cannot work, so that its driver ends the run
    detections/plan.json                            sources and ranges; written first
    detections/working/<source>-<range>-<chunk>.json   attempts at a chunk
    detections/.gritmill.fresh.json                 while a ground --fresh is not finished
    detections/.gritmill.models.json                the model cache
    detections/.progress-*                          progress of local workers
    .gritmill.work-<id>.json                        the ranges of a graph, while it runs; ground: in detections/
    <table>/table.json                              the settings of the table; not in detections/
    <table>/retry.json                              chunks to process again
    <table>/<source>/<range>-<chunk>.parquet        a committed chunk
    <table>/<source>/<range>.done.json              summary of a range, written after its last chunk
    hashes/, decoys/                                tables of built-in stages
    hashes/<source>/<range>.near.json               pairs of a range that are near duplicates or excluded
    <table>/timings/<source>/<range>-<chunk>.json   how long a chunk took
    shards/<shard>.tar, .parquet, _stats.json       the stats are written last
    statistics.json
    manifest.json                                   written after everything that a reader depends on
    run.log, run.log.1                              what each call did; appended, so it is not one of the files compared
    report.json, report.html
    view/

`detections/` is a table; other tables are next to it. Numbers of sources, ranges, chunks and shards have five digits.
"""

import re
from collections.abc import Collection

from pipeline.ids import ChunkId, RangeId

# In any folder that gritmill writes to.
LOCK = ".gritmill.lock"
HEARTBEAT = ".gritmill.heartbeat.json"
TEMPORARY = ".gritmill-tmp-"
"""Prefix of unfinished files. Only one run at a time uses a folder, so files that exist at its start are left over."""

# In the run folder, only of runs on an engine.
LEASES = "lease"
HEARTBEATS = "heartbeats"
FAULTS = "faults"
DRIVER = "driver"
"""The heartbeat of a driver. Those of workers have the names of their processes."""

# In the run folder.
DETECTIONS = "detections"
HASHES = "hashes"
DECOYS = "decoys"
SHARDS = "shards"
PLANNED_SHARDS = ".gritmill.shards.json"
WORK_LIST = ".gritmill.work-"
STATISTICS = "statistics.json"
MANIFEST = "manifest.json"
REPORT = "report.json"
REPORT_PAGE = "report.html"
VIEW = "view"
RUN_LOG = "run.log"
OLD_RUN_LOG = "run.log.1"

# In the detections folder, in addition to the files of every table. Other tables have a `RETRY` file too.
PLAN = "plan.json"
RETRY = "retry.json"
WORKING = "working"
MODEL_CACHE = ".gritmill.models.json"
FRESH = ".gritmill.fresh.json"
"""While a `--fresh` is not finished: the next one resumes it. `demo --fresh` has one in the run folder, too."""
PROGRESS = ".progress-"

# In a table's folder.
TABLE = "table.json"
TIMINGS = "timings"

# In the folders of an export and of a viewer's page.
EXPORT_MARKER = ".gritmill.export.json"
EXPORT = "export.json"
VIEW_MARKER = ".gritmill.view.json"

# Patterns that match all files of a kind, below a folder, and none that a killed run left unfinished.
ALL_CHUNKS = "*/[0-9]*-*.parquet"
ALL_ROWS = "[0-9]*/*"
"""The chunks and the range summaries of a table, and what is unfinished beside them, for a listing that removes it."""
_DONE = ".done.json"
_NEAR = ".near.json"
ALL_RANGE_SUMMARIES = f"*/[0-9]*{_DONE}"
ALL_TIMINGS = f"{TIMINGS}/*/[0-9]*.json"
ALL_WORKING = f"{WORKING}/[0-9]*.json"
ALL_SHARD_STATS = f"{SHARDS}/[0-9]*_stats.json"

_CHUNK = re.compile(r"/([0-9]{5,})/([0-9]{5,})-([0-9]{5,})\.parquet\Z")
_RANGE_SUMMARY = re.compile(r"/([0-9]{5,})/([0-9]{5,})\.done\.json\Z")


def lease(number: int) -> str:
    """The file of a lease, below the run folder."""
    return f"{LEASES}/{number:06}.json"


def lease_number(uri: str) -> int | None:
    """The number of the lease in a file; None if the name is not that of a lease."""
    match = re.search(rf"/{LEASES}/([0-9]{{6,}})\.json\Z", uri)
    return int(match[1]) if match else None


def heartbeat(run_id: str, name: str) -> str:
    """The heartbeat of a process of a run on an engine, below the run folder."""
    return f"{HEARTBEATS}/{run_id}/{name}.json"


def source_folder(source: int) -> str:
    """The folder of a source, below a table's folder or below its `timings/`."""
    return f"{source:05}"


def is_source_folder(name: str) -> bool:
    """Whether `ALL_ROWS` matches the files in a folder of this name."""
    return name[0] in "0123456789"


def source_starts(sources: int) -> list[str]:
    """The first two digits of the folders of so many sources: each pair of digits stands for a thousand of the first
    100,000 sources."""
    return sorted({f"{number:05}"[:2] for number in range(0, max(sources, 1), 1000)})


def chunk(chunk_id: ChunkId) -> str:
    """The file with the rows of a committed chunk, below a table's folder."""
    return f"{chunk_id.stem}.parquet"


def timing(chunk_id: ChunkId) -> str:
    """The file with the timing of a chunk, below a table's folder."""
    return f"{TIMINGS}/{chunk_id.stem}.json"


def range_summary(range_id: RangeId) -> str:
    """The summary of a finished range, below a table's folder."""
    return f"{source_folder(range_id.source)}/{range_id.range:05}{_DONE}"


def rejections(range_id: RangeId) -> str:
    """The file with the near duplicates of a range, below the folder of `hashes/`."""
    return f"{range_id.stem}{_NEAR}"


def working(chunk_id: ChunkId) -> str:
    """The file with the attempts at a chunk, below the detections folder."""
    return f"{WORKING}/{chunk_id.source:05}-{chunk_id.range:05}-{chunk_id.number:05}.json"


def fault(run_id: str, name: str) -> str:
    """Why a worker of a run on an engine cannot work, below the run folder. name: of its host and process."""
    return f"{FAULTS}/{run_id}/{name}.json"


def chunk_of(uri: str) -> ChunkId | None:
    """The chunk whose rows are in a file; None if the name is not that of a chunk."""
    match = _CHUNK.search(uri)
    return ChunkId(*map(int, match.groups())) if match else None


def range_of(uri: str) -> RangeId | None:
    """The range that a file summarises; None if the name is not that of a summary."""
    match = _RANGE_SUMMARY.search(uri)
    return RangeId(*map(int, match.groups())) if match else None


def chunks_of_finished(names: Collection[str]) -> set[str]:
    """Of the names in the folder of a source, those of the chunks of ranges that have a summary."""
    finished = {name.removesuffix(_DONE) for name in names if name.endswith(_DONE)}
    return {name for name in names if name.endswith(".parquet") and name.partition("-")[0] in finished}


def is_summary_name(name: str) -> bool:
    """Whether the name of a file in the folder of a source ends as that of a range summary."""
    return name.endswith(_DONE)


def is_timing(uri: str) -> bool:
    """Whether the name is that of a timing file."""
    return bool(re.search(rf"/{TIMINGS}/[0-9]{{5,}}/[0-9]{{5,}}-[0-9]{{5,}}\.json\Z", uri))


def shard_of(uri: str) -> int | None:
    """The number of the shard that a file belongs to; None if gritmill does not write such a file."""
    match = re.search(r"/([0-9]{5})(\.tar|\.parquet|_stats\.json)\Z", uri)
    return int(match[1]) if match else None


def looks_like_source(path: str) -> bool:
    """Whether the path of a file, below the run folder, is that of a tar, a table or JSON that a run writes."""
    folder, _, name = path.rpartition("/")
    if not folder:
        return name in (MANIFEST, STATISTICS, REPORT)
    if folder == SHARDS:
        return shard_of(path) is not None
    if "/" not in folder:
        return name in (PLAN, TABLE, RETRY)
    of_range = any(find(path) is not None for find in (chunk_of, range_of)) or name.endswith(_NEAR)
    return of_range or is_timing(path) or folder == f"{DETECTIONS}/{WORKING}"


def shard_tar(number: int) -> str:
    """The samples of a shard, below the run folder."""
    return f"{SHARDS}/{number:05}.tar"


def shard_index(number: int) -> str:
    """The records of a shard, below the run folder."""
    return f"{SHARDS}/{number:05}.parquet"


def shard_stats(number: int) -> str:
    """The stats of a shard, below the run folder. They are written last: if they exist, the shard's other files are
    complete."""
    return f"{SHARDS}/{number:05}_stats.json"


def export_part(number: int) -> str:
    """The lines of a shard, below an export's folder. The file exists until all shards are exported."""
    return f"parts/{number:05}.jsonl"


def export_part_done(number: int) -> str:
    """The file that marks a shard as exported, below an export's folder."""
    return f"parts/{number:05}_done.json"
