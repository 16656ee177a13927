"""The command `view`."""

from contextlib import suppress
from typing import Annotated

import typer

from gritmill.cli.arguments import DetectionsOption, QuietOption


def view(
    run: Annotated[str, typer.Argument(metavar="DIR", help="Folder of a finished run.")],
    *,
    output: Annotated[
        str | None, typer.Option("--output", help="Of the page; default DIR/view.", metavar="DIR")
    ] = None,
    detections: DetectionsOption = None,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Pairs to show.", metavar="N")] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="Of their choice.", metavar="N")] = 0,
    serve: Annotated[bool, typer.Option("--serve", help="Show it on localhost until interrupted.")] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Default: any free one.", metavar="N")] = 0,
    quiet: QuietOption = False,
) -> None:
    """Write a page of samples with their boxes, rejected and failed ones too: it opens from disk, without a server."""
    from gritmill.pages.viewer.page import view as write_viewer
    from pipeline import files

    summary = write_viewer(run, output, detections=detections, samples=samples, seed=seed, quiet=quiet)
    counts = ", ".join(f"{summary[name]} {name}" for name in ("kept", "rejected", "failed"))
    print(f"{counts}; {summary['missing']} without their picture")
    print(f"page in {summary['page']}", flush=True)
    if serve:
        _serve(files.parent(summary["page"]), port)


def _serve(folder: str, port: int) -> None:
    from gritmill.pages.viewer.serve import address, server

    with server(folder, port) as running:
        print(f"{address(running)} shows it, until interrupted", flush=True)
        with suppress(KeyboardInterrupt):  # how one ends it
            running.serve_forever()
