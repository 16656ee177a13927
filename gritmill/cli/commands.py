"""The commands and their options. What they do can be had from `gritmill.api` as well.

What takes time to import is imported by the command that needs it: help must not wait for torch.
"""

import sys
from contextvars import ContextVar
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from gritmill.cli import evaluation, view
from gritmill.cli.arguments import ConfigArgument, DetectionsOption, QuietOption, SetOption, load_configuration
from gritmill.exports import formats
from gritmill.exports.options import Level, Options
from pipeline.faults import DataFault, printable

beam_arguments: ContextVar[tuple[str, ...]] = ContextVar("beam_arguments", default=())
"""What followed --. Typer would take the first word of it for CONFIG."""

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

InputOption = Annotated[list[str], typer.Option("--input", help="URIs, globs or folders.", metavar="URI...")]
OutputOption = Annotated[str, typer.Option("--output", help="Folder of the run.", metavar="DIR")]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="Only N pairs, spread over the input.", metavar="N")
]
ExtendOption = Annotated[bool, typer.Option("--extend", help="Take in inputs that the plan does not know yet.")]
RedoChangedOption = Annotated[bool, typer.Option("--redo-changed", help="Read inputs anew that have changed since.")]
RetryOption = Annotated[
    str | None,
    typer.Option(
        "--retry-failed",
        help="Do chunks with failed pairs again, or those that failed for REASON.",
        metavar="[=REASON]",
    ),
]
PartialOption = Annotated[bool, typer.Option("--partial", help="Pack what there is of an unfinished ground.")]
MaxFailedOption = Annotated[
    float, typer.Option("--max-failed", min=0, max=1, help="Share of failed pairs of a good run.")
]
SourceFaultsOption = Annotated[
    bool, typer.Option("--allow-source-faults", help="Faults of sources are no fault of the run.")
]
FreshShardsOption = Annotated[bool, typer.Option("--fresh", help="Replace shards of another fingerprint.")]
FreshDetectionsOption = Annotated[bool, typer.Option("--fresh", help="Move the old detections aside and begin anew.")]
FreshRunOption = Annotated[bool, typer.Option("--fresh", help="Move old detections aside, replace old shards.")]


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


@app.command()
def run(
    config: ConfigArgument = "grit",
    *,
    inputs: InputOption,
    output: OutputOption,
    changes: SetOption = None,
    limit: LimitOption = None,
    extend: ExtendOption = False,
    redo_changed: RedoChangedOption = False,
    fresh: FreshShardsOption = False,
    retry_failed: RetryOption = None,
    max_failed: MaxFailedOption = 0.05,
    allow_source_faults: SourceFaultsOption = False,
    quiet: QuietOption = False,
) -> None:
    """ground, then pack."""
    from gritmill import api

    settings = load_configuration(config, changes)
    _warn("" if quiet else api.embedded_model_warning(settings, inputs))
    manifest = api.run(
        settings,
        inputs=inputs,
        output=output,
        limit=limit,
        extend=extend,
        redo_changed=redo_changed,
        fresh=fresh,
        retry_failed=retry_failed,
        beam=beam_arguments.get(),
        quiet=quiet,
    )
    _show_and_check(manifest, output, max_failed, allow_source_faults, pace=True)


@app.command()
def ground(
    config: ConfigArgument = "grit",
    *,
    inputs: InputOption,
    output: OutputOption,
    changes: SetOption = None,
    limit: LimitOption = None,
    extend: ExtendOption = False,
    redo_changed: RedoChangedOption = False,
    fresh: FreshDetectionsOption = False,
    retry_failed: RetryOption = None,
    quiet: QuietOption = False,
) -> None:
    """Only the expensive half: find the boxes of every pair. Run it again and it goes on where it stopped."""
    from gritmill import api
    from pipeline.configuration import PACK_SECTIONS
    from pipeline.pack.driver import find_detections

    settings = load_configuration(config, changes)
    for key in (change.partition("=")[0] for change in changes or ()):
        if key.partition(".")[0] in PACK_SECTIONS:
            _warn(f"--set: {key}: ground takes no notice of it, give it to pack")
    _warn("" if quiet else api.embedded_model_warning(settings, inputs))
    api.ground(
        settings,
        inputs=inputs,
        output=output,
        limit=limit,
        extend=extend,
        redo_changed=redo_changed,
        fresh=fresh,
        retry_failed=retry_failed,
        beam=beam_arguments.get(),
        quiet=quiet,
    )
    print(f"detections in {find_detections(output)}; next: gritmill pack --output {output}")


@app.command()
def pack(
    config: ConfigArgument = "grit",
    *,
    output: OutputOption,
    detections: DetectionsOption = None,
    changes: SetOption = None,
    fresh: FreshShardsOption = False,
    partial: PartialOption = False,
    max_failed: MaxFailedOption = 0.05,
    allow_source_faults: SourceFaultsOption = False,
    quiet: QuietOption = False,
) -> None:
    """Only the cheap half: write shards from detections, without any model."""
    from gritmill import api
    from pipeline.pack.driver import check_ground_settings

    settings = load_configuration(config, changes)
    check_ground_settings(
        settings, [change.partition("=")[0].strip() for change in changes or ()], detections or output
    )
    manifest = api.pack(
        settings,
        output=output,
        detections=detections,
        fresh=fresh,
        partial=partial,
        beam=beam_arguments.get(),
        quiet=quiet,
    )
    _show_and_check(manifest, output, max_failed, allow_source_faults, pace=False)


@app.command()
def demo(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder of the run.")] = "demo-output",
    limit: LimitOption = None,
    fresh: FreshRunOption = False,
    quiet: QuietOption = False,
) -> None:
    """The whole run on bundled scenes with the embedded models: a first look, without hub or GPU."""
    from gritmill import demo as scenes

    if not quiet:
        _warn(f"the bundled scenes go through the whole pipeline, into {folder}")
    manifest = scenes.run(folder, limit=limit, fresh=fresh, beam=beam_arguments.get(), quiet=quiet)
    scenes.show(folder)
    _check_outcome(manifest, 0.0, False)


@app.command()
def validate(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder of a finished run.")],
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only N samples a shard.", metavar="N")] = None,
) -> None:
    """Read everything back. One line per fault; exit status 1 if there is one."""
    from gritmill.validation.validate import validate as findings

    samples = 0
    faults = 0
    for fault in findings(folder, limit):
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
    output: OutputOption,
    level: Annotated[Level, typer.Option("--phrases", help="Which spans become phrases.")] = Level.EXPRESSIONS,
    images: Annotated[bool, typer.Option(help="Write pictures as files, where the format names files.")] = True,
    dialect: Annotated[str, typer.Option(help="Of instructions.")] = "kosmos2",
    seed: Annotated[int, typer.Option(help="Of instructions.")] = 0,
) -> None:
    """Write a finished run in the format of another tool, from its shards alone. Run it again and it goes on."""
    from gritmill.exports.export import export as exported

    written = exported(run, to, output, Options(images, level, dialect, seed))
    for name, number in written["figures"].items():
        print(f"{number:>12,}  {name}")
    print(f"{to} and a data card in {output}")


app.command("view")(view.view)
app.command("eval")(evaluation.evaluate)
app.command("calibrate")(evaluation.calibrate)


def _warn(line: str) -> None:
    if line:
        print(f"gritmill: {printable(line)}", file=sys.stderr)


def _show_and_check(manifest: dict[str, Any], output: str, max_failed: float, allow_faults: bool, pace: bool) -> None:
    """Shows the report, then checks the outcome."""
    from pipeline import files
    from pipeline.pack import report

    report.show(files.read_json(files.join(files.canonical(output), report.REPORT_NAME)), output, pace)
    _check_outcome(manifest, max_failed, allow_faults)


def _check_outcome(manifest: dict[str, Any], max_failed: float, allow_faults: bool) -> None:
    """Raises DataFault if the data has more faults than allowed, or nothing came out."""
    from pipeline.pack.ledger import failed_pairs, rejected_pairs

    ledger = manifest["ledger"]
    read, failed = ledger["read"], failed_pairs(ledger)
    if not ledger["written"]:
        counts = f"of {read} pairs read {rejected_pairs(ledger)} were rejected and {failed} failed"
        uncaptioned = ledger["rejected"].get("no_caption", 0) == read > 0
        hint = "; source.columns.caption says which field holds the caption" if uncaptioned else ""
        raise DataFault(f"nothing was written: {counts}{hint}")
    if failed / read > max_failed:
        raise DataFault(f"{failed} of {read} pairs failed, more than --max-failed {max_failed:g} allows")
    if manifest["source_faults"] and not allow_faults:
        fault = manifest["source_faults"][0]
        raise DataFault(f"{fault['source']}: {fault['fault']} (--allow-source-faults lets this pass)")
