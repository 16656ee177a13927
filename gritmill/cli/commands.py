"""The commands: what each one prints and checks. Their options come from the Python functions.

Slow imports are inside the commands that need them: `--help` must not wait for torch.
"""

import shlex
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gritmill import api
from gritmill import demo as scenes
from gritmill.auditing.audit import audit as audit_data
from gritmill.cli import json_output, outcome
from gritmill.cli.derive import Call, Command, Group, Json, QuietProgress, derive, given
from gritmill.cli.export_command import ExportCommand, export
from gritmill.evaluation.calibrate import calibrate as calibrate_threshold
from gritmill.evaluation.evaluate import evaluate as measure
from gritmill.looking import look as look_at_sources
from gritmill.options import Option
from gritmill.pages.viewer.view import view as write_page
from pipeline.faults import CallError, DataFault, printable
from transforms.wording import counted

if TYPE_CHECKING:
    from pipeline.configuration import Configuration
    from pipeline.pack.report import Report

app = typer.Typer(cls=Group, no_args_is_help=True, pretty_exceptions_enable=False)

MaxFailed = Annotated[
    float, Option("--max-failed", "Exit with status 0 up to this share of failed pairs.", "SHARE", min=0, max=1)
]
SourceFaults = Annotated[
    bool, Option("--allow-source-faults", "Exit with status 0 even if a part of a source is unreadable.")
]
LISTED_FAULTS = 1000
"""So many faults does `validate --json` list. It counts all of them."""

Serve = Annotated[bool, Option("--serve", "Serve the page on 127.0.0.1 until interrupted.")]
Port = Annotated[int, Option("--port", "Port for --serve. 0 takes any free port.", "N", min=0, max=65535)]


def _version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version  # a tenth of the time that the help takes

        print(f"gritmill {version('gritmill')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Turn image-caption pairs into grounded WebDataset shards. Put Beam options after --."""


@derive(app, api.run)
def run(
    call: Call,
    config: "Configuration",
    inputs: list[str],
    output: str,
    quiet: bool,
    max_failed: MaxFailed = 0.05,
    allow_source_faults: SourceFaults = False,
) -> None:
    """Find the boxes of every pair (ground), then write shards (pack)."""
    _warn(*(() if quiet else api.detector_warnings(config, inputs)))
    _add_manifest(output, call())
    outcome.check_ledger(_show_report(output, pace=True), max_failed, allow_source_faults)


@derive(app, api.ground)
def ground(
    call: Call,
    config: "Configuration",
    config_name: str,
    inputs: list[str],
    output: str,
    changes: list[str],
    quiet: bool,
) -> None:
    """Find the boxes of every pair. This half runs the models. Run it again to resume."""
    from pipeline.configuration import PACK_KEYS, belongs_to_pack
    from pipeline.ground.count_rows import count_tables
    from pipeline.layout import DETECTIONS
    from pipeline.pack.driver import find_detections, is_outdated

    for key in (change.partition("=")[0].strip() for change in changes):
        if belongs_to_pack(key) and not (key in PACK_KEYS and config.filters.duplicates != "exact"):
            _warn(f"--set: {key}: ground ignores it; pass it to pack")
    _warn(*(() if quiet else api.detector_warnings(config, inputs)))
    plan = call()
    detections = find_detections(output)
    ranges = sum(1 for _ in plan.range_ids())
    json_output.add(folder=output, detections=detections, sources=len(plan.sources), ranges=ranges, limit=plan.limit)
    tables = count_tables(detections)
    json_output.add(counts={"pairs": tables[DETECTIONS].rows, "failed": tables[DETECTIONS].failed.total()})
    for name, counts in tables.items():
        if counts.failed:
            print(printable(f"{name}: {counts.line()}"))
    fresh = ["--fresh"] if is_outdated(output, detections) else []
    words = ["gritmill", "pack", *fresh, *([] if config_name == "grit" else [config_name]), "--output", output]
    print(f"detections in {detections}; next: {shlex.join(words)}")


@derive(app, api.pack)
def pack(
    call: Call,
    config: "Configuration",
    output: str,
    detections: str | None,
    changes: list[str],
    max_failed: MaxFailed = 0.05,
    allow_source_faults: SourceFaults = False,
) -> None:
    """Write shards from detections. This half runs no model."""
    from pipeline.pack.driver import check_ground_settings

    check_ground_settings(config, [change.partition("=")[0].strip() for change in changes], detections or output)
    _add_manifest(output, call())
    outcome.check_ledger(_show_report(output, pace=False), max_failed, allow_source_faults)


@derive(app, scenes.run)
def demo(call: Call, output: str, quiet: bool) -> None:
    """Process the bundled scenes with the embedded models, without network and GPU."""
    _warn("" if quiet else f"processing the bundled scenes; output in {output}")
    _add_manifest(output, call())
    outcome.check_ledger(scenes.show(output))


@derive(app, look_at_sources)
def look(call: Call) -> None:
    """Show what would be read from sources: kinds, columns, pairs, problems. Runs no model and writes nothing."""
    from gritmill.cli.show_sources import show

    result = call()
    json_output.add(**result)
    show(result)
    if not any(source["examples"] for source in result["sources"]):
        raise typer.Exit(DataFault.status)


@derive(app, audit_data)
def audit(call: Call) -> None:
    """Count faults in captions with boxes of any origin: GRIT, ODVG, COCO, texts in a dialect. Needs no images."""
    from gritmill.cli.show_audit import show

    result = call()
    json_output.add(**result)
    show(result)
    outcome.check_readable(result)


@app.command(cls=Command)
def validate(
    output: Annotated[str, typer.Argument(metavar="DIR", help="Folder of a finished run.")],
    limit: Annotated[
        int | None, typer.Option(help="Check only the first N samples of each shard.", metavar="N")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            help="Processes that check shards, 1 to 256. Default: one per core, at most one per 1,000 samples.",
            metavar="N",
        ),
    ] = None,
    decode: Annotated[
        bool, typer.Option("--decode", help="Decode all images, also those that ground decoded.")
    ] = False,
    json: Json = False,
    quiet: QuietProgress = False,
) -> None:
    """Check a finished run. Print one line per fault, and exit with status 1 if there are any."""
    from gritmill.validation.validate import validate as findings
    from pipeline.pack.manifest import how_to_repack

    samples = faults = 0
    listed = []
    for fault in findings(output, limit, processes, decode, quiet):
        if fault.text:
            print(printable(": ".join(filter(None, (fault.shard, fault.key, fault.text)))))
            faults += 1
            if faults <= LISTED_FAULTS:
                listed.append({"shard": fault.shard, "key": fault.key, "text": fault.text})
        else:
            samples += 1
    json_output.add(folder=output, counts={"samples": samples, "faults": faults}, faults=listed)
    end = f"; {how_to_repack(output)}" if faults else ""
    print(f"{counted(samples, 'sample')} read, {counted(faults, 'fault')}{end}", file=sys.stderr)
    if faults:
        raise typer.Exit(DataFault.status)


app.command(cls=ExportCommand)(export)


@derive(app, write_page)
def view(call: Call, serve: Serve = False, port: Port = 0) -> None:
    """Write an HTML page that shows samples with their boxes, and rejected and failed pairs."""
    from gritmill.pages.viewer.serve import address, server
    from pipeline import files

    if not serve and "port" in given.get():
        raise CallError("--port: only with --serve")
    summary = call()
    counts = ", ".join(f"{summary[name]} {name}" for name in ("kept", "rejected", "failed"))
    print(f"{counts}; {summary['missing']} without an image; {counted(summary['asked'], 'box')} to check")
    print(f"page in {summary['page']}", flush=True)
    json_output.add(page=summary["page"], counts={key: number for key, number in summary.items() if key != "page"})
    if serve:
        with server(files.parent(summary["page"]), port) as running:
            print(f"serving the page on {address(running)} until interrupted", flush=True)
            json_output.add(address=address(running))
            json_output.print_object(0)  # now: a script that waits for the end would not learn the address
            with suppress(KeyboardInterrupt):  # the way to stop it
                running.serve_forever()


@derive(app, measure, "eval")
def evaluate(call: Call, phrases_only: bool, relations: bool, detect: bool) -> None:
    """Measure boxes, phrases or claims against human annotations."""
    from gritmill.evaluation import options, relation_tables, tables

    options.check_measured(phrases_only, relations, detect, given.get())
    result = call()
    json_output.add(**result)
    if phrases_only:
        tables.show_phrases(result)
        outcome.check_phrases(result["figures"])
    elif relations:
        relation_tables.show_relations(result)
        outcome.check_relations(result)
    else:
        tables.show_boxes(result)
        outcome.check_measured(result["figures"], result["pictures"])


@derive(app, calibrate_threshold)
def calibrate(
    call: Call, output: str, without_truth: str | None, clicks: str | None, config_name: str, changes: list[str]
) -> None:
    """Find a score threshold: from annotations, from your answers, or from the numbers that captions state."""
    from gritmill.evaluation import options, tables

    way = "--clicks" if clicks is not None else "--without-truth" if without_truth is not None else "--truth"
    options.check_used(way, given.get())
    options.check_changes(way, [change.partition("=")[0].strip() for change in changes])
    result = call()
    json_output.add(folder=output, **{key: value for key, value in result.items() if key != "curves"})
    if without_truth is not None:
        tables.show_number_f1(result)
        outcome.check_counted(result)
        print(f"curves in {output}")
        return
    if clicks is not None:
        tables.show_clicks(result)
        print(f"curves in {output}")
        outcome.check_threshold(result)
        return
    tables.show_calibration(result)
    outcome.check_measured(result["curves"], result["pictures"])
    print(f"curves and reliability diagram in {output}")
    outcome.check_threshold(result)


def _warn(*lines: str) -> None:
    for line in filter(None, lines):
        print(f"gritmill: {printable(line)}", file=sys.stderr)


def _add_manifest(output: str, manifest: dict[str, Any]) -> None:
    """Adds what a finished pack has to the object of `--json`."""
    shards, names = manifest["shards"], ("samples", "boxes", "bytes")
    counts = {name: sum(shard[name] for shard in shards) for name in names}
    json_output.add(folder=output, ledger=manifest["ledger"], shards=len(shards), counts=counts)
    json_output.add(**{name: manifest[name] for name in ("threshold", "source_faults", "partial")})


def _show_report(output: str, pace: bool) -> "Report":
    from pipeline.pack.report import read_report
    from pipeline.pack.summary import show

    report = read_report(output)
    show(report, output, pace)
    return report
