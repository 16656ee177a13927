"""report.json, computed only from files."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import SerializerFunctionWrapHandler, model_serializer

from pipeline import files, layout
from pipeline.faults import EnvironmentFault
from pipeline.files.typed import as_json, publish_typed, read_many, read_typed
from pipeline.fingerprint import json_digest
from pipeline.pack import claim_counts
from pipeline.pack.claim_counts import ClaimCount
from pipeline.pack.ledger import Examples, Ledger
from pipeline.pack.manifest import ABSENT_IF_EMPTY, Manifest, RecordedFault
from pipeline.pack.statistics import Histograms, read_statistics
from pipeline.pack.truth_sheet import TruthSheet
from pipeline.plan.spread import evenly_spaced
from pipeline.tables.range_summary import RangeSummary, Timing
from pipeline.tables.table_file import TableFile, find_tables
from pipeline.threshold import Threshold
from transforms.read_ahead import map_in_threads
from transforms.wording import counted

_TIMINGS = 1000
_STEPS = ("read", "phrases", "given_boxes", "boxes")


@dataclass(frozen=True)
class Throughput:
    """The sum of the recorded times of chunks.

    chunks, pairs: how many are included. seconds: by step; the sum may exceed `wall`, because reading overlaps with
    detection. wall: seconds of work of all workers. detector_busy: the share of `wall` in which the detector was
    running. pairs_per_second, hours_per_million (of pairs): for one worker.
    """

    chunks: int
    pairs: int
    seconds: dict[str, float]
    wall: float
    detector_busy: float | None
    pairs_per_second: float | None
    hours_per_million: float | None


@dataclass(frozen=True)
class TableReport:
    """The table of a custom stage: the rows of its finished ranges, failed rows by reason with an example of each, and
    the time of its stages."""

    rows: int
    failed: dict[str, int]
    examples: Examples
    time: Throughput

    def line(self, name: str) -> str:
        """The line that the summary on the screen shows for this table."""
        failed = (f"{number:,} {reason}, for example {self.examples[reason]}" for reason, number in self.failed.items())
        rows = f"{name}: {counted(self.rows, 'row')}"
        return ", failed: ".join(filter(None, (rows, "; ".join(failed))))


@dataclass(frozen=True)
class Report:
    """The content of `report.json`.

    manifest: a digest of the manifest and of the tables of custom stages, if any. tables: these tables, by name.
    repeated_bytes: of images that an earlier sample of the same shard has too; 0 also if the release that wrote the
    shards did not count them.
    """

    REMEDY: ClassVar[str] = "remove it and run gritmill pack again"

    manifest: str
    ledger: Ledger
    threshold: Threshold
    rejected_examples: Examples
    failed_examples: Examples
    source_faults: tuple[RecordedFault, ...]
    partial: bool
    shards: int
    boxes: int
    bytes: int
    ground: Throughput
    histograms: Histograms
    tables: Mapping[str, TableReport] = field(default_factory=dict)
    unknown_columns: Examples = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    left_out_examples: Examples = field(default_factory=dict)
    repeated_bytes: int = 0
    claims: tuple[ClaimCount, ...] = ()
    claim_rules: int = 0
    truth_sheet: TruthSheet | None = None

    @property
    def claims_line(self) -> str:
        """What the report says about the claims of written pairs; empty if there are none."""
        return claim_counts.claims_line(self.claims)

    @property
    def claims_warning(self) -> str:
        """A warning if contradicted claims reject many pairs; otherwise empty."""
        return claim_counts.rejected_line(self.ledger.rejected, self.ledger.written)

    @property
    def repeated_line(self) -> str:
        """What the report says about images that are in a shard more than once."""
        return (
            f"{self.repeated_bytes:,} of {self.bytes:,} bytes are images that their shard has more than once: each "
            "caption of an image has its own copy"
        )

    @model_serializer(mode="wrap")
    def _without_empty(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        optional = ("tables", "repeated_bytes", *ABSENT_IF_EMPTY)
        return {key: value for key, value in serialize(self).items() if key not in optional or value}


def write_report(output: str, folder: str, manifest: Manifest) -> Report:
    """Writes and returns the report: ledger, active threshold, histograms, and the time of each step of `ground`."""
    tables = _custom_tables(folder)
    report = Report(
        manifest=_digest(manifest, tables),
        ledger=manifest.ledger,
        threshold=manifest.threshold,
        rejected_examples=manifest.rejected_examples,
        failed_examples=manifest.failed_examples,
        source_faults=manifest.source_faults,
        partial=manifest.partial,
        shards=len(manifest.shards),
        boxes=sum(shard.boxes for shard in manifest.shards),
        bytes=sum(shard.bytes for shard in manifest.shards),
        repeated_bytes=sum(shard.repeated_bytes for shard in manifest.shards),
        ground=throughput(_timings(folder)),
        histograms=read_statistics(output).histograms,
        tables={table.name: _report_table(uri, infos) for uri, (table, infos) in tables.items() if infos},
        unknown_columns=manifest.unknown_columns,
        left_out=manifest.left_out,
        left_out_examples=manifest.left_out_examples,
        claims=manifest.claims,
        claim_rules=manifest.claim_rules,
        truth_sheet=manifest.truth_sheet,
    )
    publish_typed(files.join(output, layout.REPORT), report)
    return report


def read_report(output: str) -> Report:
    """The report of a packed run."""
    return read_typed(files.join(files.canonical(output), layout.REPORT), Report)


def is_reported(output: str, folder: str, manifest: Manifest) -> bool:
    """Whether the report and its page exist and match the manifest and the current tables of custom stages.

    folder: of the detections. The page is written last.
    """
    both = all(files.exists(files.join(output, name)) for name in (layout.REPORT, layout.REPORT_PAGE))
    with suppress(EnvironmentFault):  # a damaged report is written again
        return both and read_report(output).manifest == _digest(manifest, _custom_tables(folder))
    return False


def _custom_tables(folder: str) -> dict[str, tuple[TableFile, list[files.FileInfo]]]:
    """The tables of custom stages by URI, each with the summary files of its finished ranges. folder: detections."""
    run = files.parent(folder)
    tables = {files.join(run, table.name): table for table in find_tables(run)}
    return {uri: (table, files.list_folder(uri, layout.ALL_RANGE_SUMMARIES)) for uri, table in tables.items()}


def _digest(manifest: Manifest, tables: dict[str, tuple[TableFile, list[files.FileInfo]]]) -> str:
    states = [[as_json(table), [(info.size, info.stamp) for info in infos]] for table, infos in tables.values()]
    return json_digest([as_json(manifest), states] if states else as_json(manifest))


def _report_table(uri: str, infos: list[files.FileInfo]) -> TableReport:
    summaries = read_many((info.uri for info in infos), RangeSummary, lambda summary: summary)
    failed: Counter[str] = Counter()
    examples: Examples = {}
    for info, summary in zip(infos, summaries, strict=True):
        for entry in summary.chunks:
            failed.update(entry.failed)
            if entry.failed.keys() - examples.keys():
                chunk = f"{info.uri.removesuffix('.done.json')}-{entry.chunk:05}.parquet"
                examples = _first_failures(chunk) | examples
    rows = sum(summary.rows for summary in summaries)
    return TableReport(rows, dict(sorted(failed.items())), examples, throughput(_timings(uri)))


def _first_failures(uri: str) -> Examples:
    """The first failed row of a chunk's file for each reason."""
    from pipeline.tables.row_files import failures  # with pyarrow

    return {error["reason"]: f"{key}: {error['detail']}" for key, error in reversed(failures(files.read_bytes(uri)))}


def _timings(folder: str) -> list[Timing]:
    """The recorded times of at most `_TIMINGS` chunks, evenly spaced, because each one is a separate file.

    A damaged file does not count: only the pace depends on it.
    """

    def read(uri: str) -> list[Timing]:
        with suppress(EnvironmentFault):
            return [read_typed(uri, Timing)]
        return []

    infos = files.list_folder(folder, layout.ALL_TIMINGS)
    chosen = (infos[i].uri for i in evenly_spaced(len(infos), _TIMINGS))
    return [timing for found in map_in_threads(read, chosen) for timing in found]


def _order(step: str) -> tuple[int, str]:
    return _STEPS.index(step) if step in _STEPS else len(_STEPS), step


def throughput(timings: list[Timing]) -> Throughput:
    """Adds up timings. Excludes the first chunk of each worker, which includes loading, unless there are no others."""
    timed = [timing for timing in timings if not timing.first] or timings
    pairs = sum(timing.pairs for timing in timed)
    wall = sum(timing.wall for timing in timed)
    steps = sorted({step for timing in timed for step in timing.seconds}, key=_order)
    seconds = {step: sum(timing.seconds.get(step, 0.0) for timing in timed) for step in steps}
    return Throughput(
        chunks=len(timed),
        pairs=pairs,
        seconds={step: round(spent, 4) for step, spent in seconds.items()},
        wall=round(wall, 4),
        detector_busy=round(min(seconds.get("boxes", 0.0) / wall, 1.0), 4) if wall else None,
        pairs_per_second=round(pairs / wall, 4) if wall else None,
        hours_per_million=round(wall / pairs * 1e6 / 3600, 4) if pairs else None,
    )
