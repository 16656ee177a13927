"""report.json and what a run says on the screen at its end: both from the files alone."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline import detections, files
from pipeline.count import failures, rejections
from pipeline.faults import printable
from pipeline.limit import spread
from pipeline.publish import publish_json
from transforms.records import Stage

NAME = "report.json"

_TIMINGS = 1000


def write_report(output: str, folder: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """The ledger, the threshold in force, boxes, and the time that each step of `ground` took."""
    timings = _timings(folder)
    report = {
        "ledger": manifest["ledger"],
        "threshold": manifest["threshold"],
        "rejected_examples": manifest["rejected_examples"],
        "failed_examples": manifest["failed_examples"],
        "source_faults": manifest["source_faults"],
        "partial": manifest["partial"],
        "shards": len(manifest["shards"]),
        "boxes": sum(shard["boxes"] for shard in manifest["shards"]),
        "bytes": sum(shard["bytes"] for shard in manifest["shards"]),
        "ground": _sum(timings),
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
    shards = f"{report['shards']} shard{'s' * (report['shards'] != 1)}"
    table.add_row(str(ledger["written"]), f"written, with {report['boxes']} boxes, in {shards}")
    table.add_row(str(rejections(ledger)), "rejected")
    for reason, pairs in ledger["rejected"].items():
        table.add_row("", f"  {pairs} {reason}")
    table.add_row(str(failures(ledger)), "failed")
    for stage, reasons in ledger["failed"].items():
        for reason, pairs in reasons.items():
            table.add_row("", f"  {pairs} {stage}: {reason}")
    console = Console(highlight=False)
    console.print(table)
    for line in _lines(report, output):
        console.print(printable(line), markup=False, soft_wrap=True)


def _lines(report: dict[str, Any], output: str) -> Iterator[str]:
    for way, text in (report["rejected_examples"] | report["failed_examples"]).items():
        yield f"{way}, for example {text}"
    failed = set(report["ledger"]["failed"])
    if failed - {Stage.FETCH}:
        yield "once the cause is mended, ground --retry-failed and then pack --fresh do failed pairs again"
    if Stage.FETCH in failed:
        yield "once the images are back, pack --fresh takes them up again"
    for fault in report["source_faults"]:
        yield f"source fault: {fault['source']}: {fault['fault']}"
    yield f"score threshold {report['threshold']['score']:g}: {report['threshold']['source']}"
    yield f"shards and manifest in {output}"


def _timings(folder: str) -> list[dict[str, Any]]:
    """What chunks have noted of their time; of very many an even choice, since each is a file."""
    infos = files.list_folder(folder, f"{detections.TIMINGS}/*/*.json")
    return [files.read_json(infos[i].uri) for i in spread(len(infos), _TIMINGS)]


def _sum(timings: list[dict[str, Any]]) -> dict[str, Any]:
    seconds: dict[str, float] = {}
    for timing in timings:
        for step, spent in timing["seconds"].items():
            seconds[step] = round(seconds.get(step, 0.0) + spent, 4)
    return {"chunks": len(timings), "pairs": sum(timing["pairs"] for timing in timings), "seconds": seconds}
