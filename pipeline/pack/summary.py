"""The summary on the screen at the end of a run."""

from collections.abc import Iterator

from rich.table import Column, Table

from pipeline import files, layout
from pipeline.faults import printable
from pipeline.pack.manifest import read_manifest
from pipeline.pack.report import Report
from pipeline.screen import data_console
from transforms.detectors.plugin import is_factory
from transforms.records import FailureStage, Reason
from transforms.wording import counted

_FORECAST_PAIRS = 1_000
"""With fewer pairs, most of the time of `ground` may be that of its start."""


def show(report: Report, output: str, pace: bool = True) -> None:
    """Prints the summary to standard output. pace: whether to include the speed of `ground`."""
    ledger = report.ledger
    table = Table(Column(justify="right"), "", show_header=False, box=None, pad_edge=False)
    read, noun = counted(ledger.read, "pair").split()
    table.add_row(read, f"{noun} read")
    boxes, shards = counted(report.boxes, "box"), counted(report.shards, "shard")
    table.add_row(f"{ledger.written:,}", f"written, with {boxes}, in {shards}")
    table.add_row(f"{ledger.rejected_pairs:,}", "rejected")
    for reason, pairs in ledger.rejected.items():
        table.add_row("", printable(f"  {pairs:,} {reason}"))
    table.add_row(f"{ledger.failed_pairs:,}", "failed")
    for stage, reasons in ledger.failed.items():
        for reason, pairs in reasons.items():
            table.add_row("", printable(f"  {pairs:,} {stage}: {reason}"))
    console = data_console()
    console.print(table)
    for line in _lines(report, output, pace):
        console.print(printable(line), soft_wrap=True)


def _lines(report: Report, output: str, pace: bool) -> Iterator[str]:
    for outcome, text in (report.rejected_examples | report.failed_examples).items():
        yield f"{outcome}, for example {text}"
    for column, text in report.unknown_columns.items():
        yield f"column {column}: {text}"
    for what, number in report.left_out.items():
        yield f"left out: {what}: {number:,}, for example of {report.left_out_examples[what]}"
    if report.given_line:
        yield report.given_line
    if report.claims_line:
        yield report.claims_line
    if report.claims_warning:
        yield f"warning: {report.claims_warning}"
    yield from _remedies(report, output)
    for fault in report.source_faults:
        yield f"source fault: {fault.source}: {fault.fault}"
    yield from (rows.line(name) for name, rows in report.tables.items())
    if report.repeated_bytes:
        yield report.repeated_line
    ground = report.ground
    if pace and ground.pairs_per_second:
        forecast = f", {ground.hours_per_million:.3g} h per million" if report.ledger.read >= _FORECAST_PAIRS else ""
        busy = "" if report.are_all_given else f"; detector busy {ground.detector_busy:.0%}"
        yield f"ground: {ground.pairs_per_second:.3g} pairs/s per worker{forecast}{busy}"
    yield f"score threshold {report.threshold.line}"
    yield f"shards and manifest in {output}, report in {layout.REPORT_PAGE}"


def _remedies(report: Report, output: str) -> Iterator[str]:
    """What to do about the failures. A corrected file of the user's code gives another fingerprint."""
    failed = [(stage, reason) for stage, reasons in report.ledger.failed.items() for reason in reasons]
    manifest = read_manifest(files.canonical(output)) if (FailureStage.BOXES, Reason.EXCEPTION) in failed else None
    model = str(manifest.configuration["detector"]["model"]) if manifest else ""
    if is_factory(model):
        failed.remove((FailureStage.BOXES, Reason.EXCEPTION))
        yield (
            f"boxes: exception: correct the code of {model}, then use ground --fresh and pack --fresh: the code "
            "is part of the fingerprint"
        )
    for name, rows in report.tables.items():
        failed += [(name, reason) for reason in rows.failed if reason != Reason.EXCEPTION]
        if Reason.EXCEPTION in rows.failed:
            yield (
                f"{name}: exception: correct the code of the stage, then remove the folder {name} to compute only this "
                "table again, or use ground --fresh: the code is part of the fingerprint"
            )
    if any(stage != FailureStage.FETCH for stage, _ in failed):
        yield "fix the cause, then use --retry-failed to process failed pairs again (--redo-changed for fixed sources)"
    if FailureStage.FETCH in report.ledger.failed:
        yield "when the images are available again, use pack --fresh to add them"
