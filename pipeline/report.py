"""report.json and what a run says on the screen at its end: both from the files alone."""

from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline import detections, files
from pipeline.count import failures, rejections
from pipeline.publish import publish_json

NAME = "report.json"


def write_report(output: str, folder: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """The ledger, the threshold in force, boxes, and the time that each step of `ground` took."""
    seconds, pairs = _timings(folder)
    report = {
        "ledger": manifest["ledger"],
        "threshold": manifest["threshold"],
        "source_faults": manifest["source_faults"],
        "partial": manifest["partial"],
        "shards": len(manifest["shards"]),
        "boxes": sum(shard["boxes"] for shard in manifest["shards"]),
        "bytes": sum(shard["bytes"] for shard in manifest["shards"]),
        "ground": {"pairs": pairs, "seconds": {step: round(value, 3) for step, value in seconds.items()}},
    }
    publish_json(files.join(output, NAME), report)
    return report


def show(report: dict[str, Any], output: str) -> None:
    """A table on standard output."""
    ledger = report["ledger"]
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(justify="right")
    table.add_column()
    table.add_row(str(ledger["read"]), "pairs read")
    table.add_row(str(ledger["written"]), f"written, with {report['boxes']} boxes, in {report['shards']} shards")
    table.add_row(str(rejections(ledger)), "rejected")
    for reason, pairs in ledger["rejected"].items():
        table.add_row("", f"  {pairs} {reason}")
    table.add_row(str(failures(ledger)), "failed")
    for stage, reasons in ledger["failed"].items():
        for reason, pairs in reasons.items():
            table.add_row("", f"  {pairs} {stage}: {reason}")
    console = Console(highlight=False)
    console.print(table)
    for fault in report["source_faults"]:
        console.print(f"source fault: {fault['source']}: {fault['fault']}", markup=False)
    threshold = report["threshold"]
    console.print(f"score threshold {threshold['score']:g}: {threshold['source']}", markup=False)
    console.print(f"shards and manifest in {output}", markup=False)


def _timings(folder: str) -> tuple[dict[str, float], int]:
    seconds: dict[str, float] = {}
    pairs = 0
    for info in files.list_folder(folder, f"{detections.TIMINGS}/*/*.json"):
        value = files.read_json(info.uri)
        pairs += value["pairs"]
        for step, spent in value["seconds"].items():
            seconds[step] = seconds.get(step, 0.0) + spent
    return seconds, pairs
