"""Command line: `python -m cluster [--engine flink] [--row 2]`. `make cluster` calls it."""

import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cluster.engine import Missing
from cluster.rows import ENGINES, ROWS, trials
from cluster.trial import Lab
from pipeline.screen import data_console

_NAMES = ", ".join(ENGINES)
_NUMBERS = ", ".join(map(str, ROWS))


def main(
    engine: Annotated[list[str] | None, typer.Option(help=f"{_NAMES}; several times. Default: all.")] = None,
    row: Annotated[list[int] | None, typer.Option(help=f"{_NUMBERS}; several times. Default: all.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Folder for runs and logs. Default: a temporary folder.")] = None,
) -> None:
    """Run gritmill on real engines, kill their processes, and compare the results with those of the local engine."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # ends all processes, as Ctrl-C does
    if unknown := [name for name in engine or () if name not in ENGINES]:
        raise typer.BadParameter(f"ENGINE={unknown[0]}: use one of {_NAMES}")
    if strange := [number for number in row or () if number not in ROWS]:
        raise typer.BadParameter(f"ROW={strange[0]}: use one of {_NUMBERS}")
    if keep and keep.exists():
        raise typer.BadParameter(f"{keep} exists; give a new folder")
    chosen = [one for name in engine or ENGINES for one in ENGINES[name]]
    table, good = Table("engine", "row", "what", "seconds", "wrong"), True
    try:
        for one in chosen:
            one.need()
    except Missing as missing:
        print(f"cluster: {missing}", file=sys.stderr)
        raise typer.Exit(1) from missing
    with tempfile.TemporaryDirectory(prefix="gritmill-cluster-") as temporary:
        folder = (keep or Path(temporary)).resolve()
        lab = Lab(folder)
        for position, one in enumerate(chosen):
            for number in one.rows(row or ROWS):
                for outcome in trials(one, number, lab, folder / f"{position}-{one.name}-{number}"):
                    cells = (outcome.engine, str(outcome.row), outcome.what, f"{outcome.seconds:.0f}", outcome.wrong)
                    table.add_row(*cells)
                    print("  ".join(filter(None, cells)), file=sys.stderr, flush=True)
                    good &= not outcome.wrong
    data_console().print(table)
    if not good:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
