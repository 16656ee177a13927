"""The commands: what each prints and checks. Their options are those of the Python functions.

What takes time to import is imported by the command that needs it: help must not wait for torch.
"""

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from gritmill import api
from gritmill import demo as scenes
from gritmill.cli import outcome
from gritmill.cli.derive import Call, derive
from gritmill.evaluation.calibrate import calibrate as calibrate_threshold
from gritmill.evaluation.evaluate import evaluate as measure
from gritmill.exports import formats
from gritmill.exports.options import ExportOptions, Level
from gritmill.options import Option
from gritmill.pages.viewer.view import view as write_page
from pipeline.faults import DataFault, printable

if TYPE_CHECKING:
    from pipeline.configuration import Configuration
    from pipeline.pack.report import Report

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

MaxFailed = Annotated[float, Option("--max-failed", "Share of failed pairs of a good run.", min=0, max=1)]
SourceFaults = Annotated[bool, Option("--allow-source-faults", "Faults of sources are no fault of the run.")]
Serve = Annotated[bool, Option("--serve", "Show it on localhost until interrupted.")]
Port = Annotated[int, Option("--port", "Default: any free one.", "N", min=0, max=65535)]


def _version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version  # a tenth of the time that the help takes

        print(f"gritmill {version('gritmill')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="And exit.")] = False,
) -> None:
    """Image-caption pairs in, grounded WebDataset shards out. Beam options follow after --."""


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
    """ground, then pack."""
    _warn("" if quiet else api.embedded_model_warning(config, inputs))
    call()
    outcome.check_ledger(_show_report(output, pace=True), max_failed, allow_source_faults)


@derive(app, api.ground)
def ground(
    call: Call, config: "Configuration", inputs: list[str], output: str, changes: list[str], quiet: bool
) -> None:
    """Only the expensive half: find the boxes of every pair. Run it again and it goes on where it stopped."""
    from pipeline.configuration import PACK_SECTIONS
    from pipeline.pack.driver import find_detections

    for key in (change.partition("=")[0] for change in changes):
        if key.partition(".")[0] in PACK_SECTIONS:
            _warn(f"--set: {key}: ground takes no notice of it, give it to pack")
    _warn("" if quiet else api.embedded_model_warning(config, inputs))
    call()
    print(f"detections in {find_detections(output)}; next: gritmill pack --output {output}")


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
    """Only the cheap half: write shards from detections, without any model."""
    from pipeline.pack.driver import check_ground_settings

    check_ground_settings(config, [change.partition("=")[0].strip() for change in changes], detections or output)
    call()
    outcome.check_ledger(_show_report(output, pace=False), max_failed, allow_source_faults)


@derive(app, scenes.run)
def demo(call: Call, output: str, quiet: bool) -> None:
    """The whole run on bundled scenes with the embedded models: a first look, without hub or GPU."""
    _warn("" if quiet else f"the bundled scenes go through the whole pipeline, into {output}")
    call()
    outcome.check_ledger(scenes.show(output))


@app.command()
def validate(
    output: Annotated[str, typer.Argument(metavar="DIR", help="Folder of a finished run.")],
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only N samples a shard.", metavar="N")] = None,
) -> None:
    """Read everything back. One line per fault; exit status 1 if there is one."""
    from gritmill.validation.validate import validate as findings

    samples = faults = 0
    for fault in findings(output, limit):
        if fault.text:
            print(printable(": ".join(filter(None, (fault.shard, fault.key, fault.text)))))
            faults += 1
        else:
            samples += 1
    print(f"{samples} sample{'s' * (samples != 1)} read, {faults} fault{'s' * (faults != 1)}", file=sys.stderr)
    if faults:
        raise typer.Exit(DataFault.status)


class _ExportCommand(TyperCommand):
    """Names the formats only where help is asked for: to look for installed packages' formats takes 15 ms."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        (to,) = (param for param in self.params if param.name == "to")
        to.help = ", ".join(formats())  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


@app.command(cls=_ExportCommand)
def export(
    run: Annotated[str, typer.Argument(metavar="DIR", help="Folder of a finished run.")],
    *,
    to: Annotated[str, typer.Option("--to", metavar="FORMAT")],
    output: Annotated[str, typer.Option("--output", help="Folder of the run.", metavar="DIR")],
    level: Annotated[Level, typer.Option("--phrases", help="Which spans become phrases.")] = ExportOptions.level,
    images: Annotated[
        bool, typer.Option(help="Write pictures as files, where the format names files.")
    ] = ExportOptions.images,
    dialect: Annotated[str, typer.Option(help="Of instructions.")] = ExportOptions.dialect,
    seed: Annotated[int, typer.Option(help="Of instructions.")] = ExportOptions.seed,
) -> None:
    """Write a finished run in the format of another tool, from its shards alone. Run it again and it goes on."""
    from gritmill.exports.export import export as exported

    written = exported(run, to, output, ExportOptions(images, level, dialect, seed))
    for name, number in written["figures"].items():
        print(f"{number:>12,}  {name}")
    print(f"{to} and a data card in {output}")


@derive(app, write_page)
def view(call: Call, serve: Serve = False, port: Port = 0) -> None:
    """Write a page of samples with their boxes, rejected and failed ones too: it opens from disk, without a server."""
    from gritmill.pages.viewer.serve import address, server
    from pipeline import files

    summary = call()
    counts = ", ".join(f"{summary[name]} {name}" for name in ("kept", "rejected", "failed"))
    print(f"{counts}; {summary['missing']} without their picture")
    print(f"page in {summary['page']}", flush=True)
    if serve:
        with server(files.parent(summary["page"]), port) as running:
            print(f"{address(running)} shows it, until interrupted", flush=True)
            with suppress(KeyboardInterrupt):  # how one ends it
                running.serve_forever()


@derive(app, measure, "eval")
def evaluate(call: Call, phrases_only: bool) -> None:
    """Measure boxes, or phrases, against those of people: a table, and all figures as JSON."""
    from gritmill.evaluation import tables

    result = call()
    if phrases_only:
        tables.show_phrases(result)
    else:
        tables.show_boxes(result)
        outcome.check_measured(result["figures"], result["pictures"])


@derive(app, calibrate_threshold)
def calibrate(call: Call, output: str) -> None:
    """Find the score threshold for a wished precision, on a set with true boxes."""
    from gritmill.evaluation import tables

    result = call()
    tables.show_calibration(result)
    outcome.check_measured(result["curves"], result["pictures"])
    print(f"curves and reliability in {output}")
    outcome.check_threshold(result)


def _warn(line: str) -> None:
    if line:
        print(f"gritmill: {printable(line)}", file=sys.stderr)


def _show_report(output: str, pace: bool) -> "Report":
    from pipeline.pack.report import read_report, show

    report = read_report(output)
    show(report, output, pace)
    return report
