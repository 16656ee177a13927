"""report.json and what a run says on the screen at its end: both from the files alone."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline import files
from pipeline.faults import printable
from pipeline.files.publish import publish_json
from pipeline.fingerprint import json_digest
from pipeline.pack.ledger import failed_pairs, rejected_pairs
from pipeline.pack.statistics import STATISTICS_NAME
from pipeline.plan.spread import evenly_spaced
from pipeline.tables import detections
from transforms.records import FailureStage

REPORT_NAME = "report.json"
PAGE_NAME = "report.html"

_TIMINGS = 1000
_THREADS = 16
_STEPS = ("read", "phrases", "boxes")


def write_report(output: str, folder: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """The ledger, the threshold in force, histograms, and the time that each step of `ground` took."""
    report = {
        "manifest": json_digest(manifest),
        "ledger": manifest["ledger"],
        "threshold": manifest["threshold"],
        "rejected_examples": manifest["rejected_examples"],
        "failed_examples": manifest["failed_examples"],
        "source_faults": manifest["source_faults"],
        "partial": manifest["partial"],
        "shards": len(manifest["shards"]),
        "boxes": sum(shard["boxes"] for shard in manifest["shards"]),
        "bytes": sum(shard["bytes"] for shard in manifest["shards"]),
        "ground": throughput(_timings(folder)),
        "histograms": files.read_json(files.join(output, STATISTICS_NAME))["histograms"],
    }
    publish_json(files.join(output, REPORT_NAME), report)
    return report


def is_reported(output: str, manifest: dict[str, Any]) -> bool:
    """Whether report and page are there, and are of that manifest. The page is the last to be written."""
    uri = files.join(output, REPORT_NAME)
    both = files.exists(uri) and files.exists(files.join(output, PAGE_NAME))
    return both and files.read_json(uri).get("manifest") == json_digest(manifest)


def show(report: dict[str, Any], output: str, pace: bool = True) -> None:
    """A table on standard output; with the pace of `ground`, if it has just been at work."""
    ledger = report["ledger"]
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(justify="right")
    table.add_column()
    table.add_row(str(ledger["read"]), "pairs read")
    shards = f"{report['shards']} shard{'s' * (report['shards'] != 1)}"
    table.add_row(str(ledger["written"]), f"written, with {report['boxes']} boxes, in {shards}")
    table.add_row(str(rejected_pairs(ledger)), "rejected")
    for reason, pairs in ledger["rejected"].items():
        table.add_row("", f"  {pairs} {reason}")
    table.add_row(str(failed_pairs(ledger)), "failed")
    for stage, reasons in ledger["failed"].items():
        for reason, pairs in reasons.items():
            table.add_row("", f"  {pairs} {stage}: {reason}")
    console = Console(highlight=False)
    console.print(table)
    for line in _lines(report, output, pace):
        console.print(printable(line), markup=False, soft_wrap=True)


def _lines(report: dict[str, Any], output: str, pace: bool) -> Iterator[str]:
    for outcome, text in (report["rejected_examples"] | report["failed_examples"]).items():
        yield f"{outcome}, for example {text}"
    failed = set(report["ledger"]["failed"])
    if failed - {FailureStage.FETCH}:
        yield "once the cause is mended, --retry-failed does failed pairs again; a mended source takes --redo-changed"
    if FailureStage.FETCH in failed:
        yield "once the images are back, pack --fresh takes them up again"
    for fault in report["source_faults"]:
        yield f"source fault: {fault['source']}: {fault['fault']}"
    if pace and report["ground"]["pairs_per_second"]:
        yield _pace(report["ground"])
    yield f"score threshold {threshold_line(report['threshold'])}"
    yield f"shards and manifest in {output}, a report for people in {PAGE_NAME}"


def threshold_line(threshold: dict[str, Any]) -> str:
    """The threshold in force, and where it comes from."""
    measured = "the detector's default, measured on " if threshold["measured"] else ""
    return f"{threshold['score']:g}: {measured}{threshold['source']}"


def _pace(ground: dict[str, Any]) -> str:
    busy, hours = ground["detector_busy"], ground["hours_per_million"]
    return (
        f"ground: {ground['pairs_per_second']:.3g} pairs/s a worker, {hours:.3g} h a million; detector busy {busy:.0%}"
    )


def _timings(folder: str) -> list[dict[str, Any]]:
    """What chunks have noted of their time; of very many an even choice, since each is a file."""
    infos = files.list_folder(folder, f"{detections.TIMINGS}/*/*.json")
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(files.read_json, (infos[i].uri for i in evenly_spaced(len(infos), _TIMINGS))))


def throughput(timings: list[dict[str, Any]]) -> dict[str, Any]:
    """What chunks have noted of their time, added up.

    A worker's first chunk, in which the models are loaded, counts only if there is no other. `seconds` of steps may
    exceed `wall`, since reading goes on while the detector works.

    Returns:
      chunks and pairs that count; seconds by step; wall, seconds of work of all workers; detector_busy, the share of
      wall in which the detector was at work; pairs_per_second and hours_per_million pairs, of one worker.
    """
    counted = [timing for timing in timings if not timing["first"]] or timings
    pairs = sum(timing["pairs"] for timing in counted)
    wall = sum(timing["wall"] for timing in counted)
    steps = sorted({step for timing in counted for step in timing["seconds"]}, key=_STEPS.index)
    seconds = {step: sum(timing["seconds"].get(step, 0.0) for timing in counted) for step in steps}
    return {
        "chunks": len(counted),
        "pairs": pairs,
        "seconds": {step: round(spent, 4) for step, spent in seconds.items()},
        "wall": round(wall, 4),
        "detector_busy": round(min(seconds.get("boxes", 0.0) / wall, 1.0), 4) if wall else None,
        "pairs_per_second": round(pairs / wall, 4) if wall else None,
        "hours_per_million": round(wall / pairs * 1e6 / 3600, 4) if pairs else None,
    }
