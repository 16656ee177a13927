"""`gritmill demo`: a run on the bundled scenes, and one screen with its results and the next commands.

This module must import fast: the command is derived from it.
"""

import shlex
import shutil
import sys
from collections.abc import Sequence
from os import fspath, path
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from gritmill import api
from gritmill.options import LimitPairs, Option, PathOrUri, Quiet
from pipeline.faults import FolderMismatch, printable
from transforms import bundled

if TYPE_CHECKING:
    from rich.console import Console

    from gritmill.evaluation.quality import Quality
    from gritmill.reading import Sample
    from pipeline.pack.report import Report

FOLDER_NAME = "demo-output"


def run(
    output: Annotated[PathOrUri, Option("", "Run folder.", "DIR", cli_type=str)] = FOLDER_NAME,
    *,
    limit: LimitPairs = None,
    fresh: Annotated[
        bool, Option("--fresh", "Rename existing detections to detections.N, replace shards, and start over.")
    ] = False,
    beam: Sequence[str] = (),
    quiet: Quiet = True,
) -> dict[str, Any]:
    """Grounds and packs the bundled scenes with the embedded models. A second call resumes.

    Returns:
      The manifest.

    Raises:
      CallError: the folder contains another run. EnvironmentFault: disk, permission or a worker failed.
    """
    scenes = bundled.folder("examples") / "scenes"
    try:
        if fresh:
            return _start_over(scenes, output, limit, beam, quiet)
        manifest = api.run("demo", inputs=scenes, output=output, limit=limit, beam=beam, quiet=quiet)
        _delete_mark(output)  # of a --fresh that was interrupted: this call has finished it
        return manifest
    except FolderMismatch as error:
        folder = "" if fspath(output) == FOLDER_NAME else f"{shlex.quote(fspath(output))} "
        raise FolderMismatch(error.difference, f"use another folder, or gritmill demo {folder}--fresh") from error


def _start_over(scenes: Path, output: PathOrUri, limit: int | None, beam: Sequence[str], quiet: bool) -> dict[str, Any]:
    """`ground --fresh`, then `pack --fresh`. If either is interrupted, the next call resumes it."""
    from pipeline import files
    from pipeline.files.publish import publish_json

    def ground(fresh: bool) -> None:
        api.ground("demo", inputs=scenes, output=output, limit=limit, fresh=fresh, beam=beam, quiet=quiet)

    try:
        ground(fresh=not files.exists(_mark(output)))
    except FolderMismatch:  # the interrupted call had other options
        ground(fresh=True)
    publish_json(_mark(output), {})
    manifest = api.pack("demo", output=output, fresh=True, beam=beam, quiet=quiet)
    _delete_mark(output)
    return manifest


def _mark(output: PathOrUri) -> str:
    """The file that exists while the `pack --fresh` of a `demo --fresh` is not finished."""
    from pipeline import files, layout

    return files.join(files.canonical(output), layout.FRESH)


def _delete_mark(output: PathOrUri) -> None:
    from pipeline import files

    files.delete([_mark(output)])


def show(output: str) -> "Report":
    """Prints one screen: the ledger, the quality, an example, and the next commands.

    Returns:
      The report of the run.
    """
    from gritmill.evaluation import quality
    from pipeline.pack.report import read_report
    from pipeline.pack.summary import show as show_report
    from pipeline.screen import data_console

    report = read_report(output)
    show_report(report, output)
    console = data_console()
    _show_quality(console, quality.run_quality(output))
    sample = _find_example(output)
    if sample is not None:
        _show_title(console, "For example", f" {sample.key}.grounded.txt")
        console.print(printable(sample.grounded), soft_wrap=True)
    _show_title(console, "Look at it")
    console.print(f"  {_gritmill_command()} view {shlex.quote(output)}", soft_wrap=True)
    _show_next(console)
    return report


def _show_title(console: "Console", title: str, rest: str = "") -> None:
    console.print(f"\n{title}", style="bold", end="")
    console.print(rest, soft_wrap=True)


def _show_quality(console: "Console", measured: "Quality") -> None:
    from rich.table import Column, Table

    from gritmill.evaluation.metrics import MIN_IOU

    contradicted = f"{measured.contradicted_right} of {measured.contradicted}"
    rows = (
        (measured.extracted, measured.phrases, "annotated phrases were extracted (same head noun)"),
        (measured.located, measured.extracted, "of these have a correct box"),
        (measured.fully_located, measured.plural, "phrases for several objects have a correct box for each"),
        (measured.boxes_right, measured.boxes, "boxes are correct"),
        (measured.absent_boxed, measured.absent, "phrases for objects that are not in the image have a box"),
        (measured.claims_right, measured.claims, f"claims have the true boxes' verdict (contradicted: {contradicted})"),
    )
    table = Table(Column(justify="right"), Column(justify="right"), "", show_header=False, box=None, pad_edge=False)
    for part, total, label in rows:
        if total:
            table.add_row(f"{part / total:.1%}", f"{part} of {total}", label)
    _show_title(console, "Quality", f" against the ground truth of the scenes (correct: IoU of at least {MIN_IOU:g})")
    console.print(table)


def _find_example(output: str) -> "Sample | None":
    """The sample with the shortest text that has two grounded phrases, or None."""
    from gritmill.reading import read

    samples = (sample for sample in read(output) if sample.grounded.count("<phrase>") > 1)
    return min(samples, key=lambda sample: len(sample.grounded), default=None)


def _show_next(console: "Console") -> None:
    _show_title(console, "Next, with your own pairs")
    for line in next_commands():
        console.print(f"  {line}", soft_wrap=True)
    console.print(
        "scene-grounder, used in the demo, works only on drawn scenes. For photos, the\n"
        "first command downloads IDEA-Research/grounding-dino-tiny from the model hub.",
        soft_wrap=True,
    )


def next_commands() -> list[str]:
    """Commands to try with the user's own pairs: run, view, change the threshold, validate."""
    gritmill = _gritmill_command()
    return [
        f"{gritmill} run --input 'YOUR/*.tar' --output out --limit 100",
        f"{gritmill} view out",
        f"{gritmill} pack --detections out --output strict --set selection.score=0.4",
        f"{gritmill} validate strict",
    ]


def _gritmill_command() -> str:
    """How to call this gritmill: `make demo` runs it in an environment that is not activated."""
    script = Path(sys.executable).with_name("gritmill")
    on_path = shutil.which("gritmill")
    if on_path and path.realpath(on_path) == path.realpath(script):
        return "gritmill"
    relative = script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script
    return shlex.quote(str(relative)) if script.exists() else f"{shlex.quote(sys.executable)} -m gritmill"
