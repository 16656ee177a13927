"""The command `export`. Its options are the fields of `ExportOptions`."""

import sys
from typing import Annotated, Any

import typer

from gritmill.cli import json_output, outcome
from gritmill.cli.completion import completer
from gritmill.cli.derive import Command, Json, QuietProgress, given
from gritmill.exports import formats, is_built_in
from gritmill.exports.options import ExportOptions, Level, RelationForm, check_used
from transforms.wording import counted


class ExportCommand(Command):
    """Lists the formats in the help only: the search for formats of installed packages takes 15 ms."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        (to,) = (param for param in self.params if param.name == "to")
        to.help = f"Format: {', '.join(formats())}."  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


def export(
    run: Annotated[str, typer.Argument(metavar="DIR", help="Folder of a finished run.")],
    *,
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", autocompletion=completer("to"))],
    output: Annotated[str, typer.Option("--output", help="Folder for the exported files.", metavar="DIR")],
    level: Annotated[
        Level | None,
        typer.Option(
            "--phrases",
            help="Phrases to export: referring expressions or noun chunks. Default: expressions; chunks for mdetr.",
        ),
    ] = ExportOptions.level,
    images: Annotated[
        bool, typer.Option(help="Write image files, if the format refers to files.")
    ] = ExportOptions.images,
    dialect: Annotated[
        str,
        typer.Option(
            help="Dialect of the texts, for --to instructions.", metavar="NAME", autocompletion=completer("dialect")
        ),
    ] = ExportOptions.dialect,
    seed: Annotated[
        int,
        typer.Option(help="Seed that chooses questions or statements, for --to instructions, relations.", metavar="N"),
    ] = ExportOptions.seed,
    per_caption: Annotated[
        bool,
        typer.Option(
            "--per-caption",
            help="An entry per caption instead of one per image, for --to coco, refcoco, flickr30k-entities, yolo.",
        ),
    ] = ExportOptions.per_caption,
    split: Annotated[
        str,
        typer.Option(help="Names and folders as in COCO's release, with this split, for --to coco.", metavar="NAME"),
    ] = ExportOptions.split,
    tokenizer: Annotated[
        str,
        typer.Option(help="File tokenizer.json of a text encoder, to count its tokens, for --to odvg.", metavar="FILE"),
    ] = ExportOptions.tokenizer,
    form: Annotated[RelationForm, typer.Option(help="Form of the rows, for --to relations.")] = ExportOptions.form,
    quads: Annotated[
        bool,
        typer.Option(
            "--quads", help="Statements about left and right also for the mirrored picture, for --to relations."
        ),
    ] = ExportOptions.quads,
    with_decoys: Annotated[
        bool,
        typer.Option(
            "--with-decoys", help="Also statements that a thing is there, false ones of decoys, for --to relations."
        ),
    ] = ExportOptions.with_decoys,
    allow_blind: Annotated[
        bool,
        typer.Option(
            "--allow-blind",
            help="Do not fail if many statements are answered without the picture, for --to relations.",
        ),
    ] = ExportOptions.allow_blind,
    calibration: Annotated[
        str,
        typer.Option(help="File calibration.json of calibrate --clicks, for the data card.", metavar="FILE"),
    ] = "",
    processes: Annotated[
        int | None,
        typer.Option(
            help="Processes that write shards, 1 to 256. Default: one per core, at most one per 4,000 samples.",
            metavar="N",
        ),
    ] = None,
    json: Json = False,
    quiet: QuietProgress = False,
) -> None:
    """Convert the shards of a finished run to another tool's format. Run it again to resume."""
    from gritmill.exports.export import export as exported
    from pipeline import files, layout

    if is_built_in(to):
        check_used(to, given.get())
    finished = files.exists(files.join(files.canonical(output), layout.EXPORT))
    options = ExportOptions(
        images,
        level,
        dialect,
        seed,
        per_caption=per_caption,
        split=split,
        tokenizer=tokenizer,
        form=form,
        quads=quads,
        with_decoys=with_decoys,
        allow_blind=allow_blind,
    )
    written = exported(run, to, output, options, calibration, processes, quiet)
    if finished:
        samples = counted(written["run"]["ledger"]["written"], "sample")
        print(f"export: nothing to do: all {samples} are done", file=sys.stderr)
    json_output.add(folder=output, format=to, counts=written["figures"], ledger=written["run"]["ledger"])
    for name, number in written["figures"].items():
        print(f"{number:>12,}  {name}")
    outcome.check_exported(written["figures"], written["run"]["ledger"]["written"], quads)
    print(f"{to} and a data card in {output}")
