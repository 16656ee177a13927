"""Command line: `python -m cluster [--engine flink] [--row 2]`. `make cluster` runs all of it."""

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


def main(
    engine: Annotated[str, typer.Option(help=f"One of {', '.join(ENGINES)}; empty: all.")] = "",
    row: Annotated[int, typer.Option(help=f"One of {', '.join(map(str, ROWS))}; 0: all.")] = 0,
    keep: Annotated[Path | None, typer.Option(help="Folder for runs and logs. Default: a temporary folder.")] = None,
) -> None:
    """Run gritmill on real engines, kill their processes, and compare the results with those of the local engine."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # ends all processes, as Ctrl-C does
    if engine and engine not in ENGINES:
        raise typer.BadParameter(f"ENGINE={engine}: use one of {', '.join(ENGINES)}")
    if row and row not in ROWS:
        raise typer.BadParameter(f"ROW={row}: use one of {', '.join(map(str, ROWS))}")
    if keep and keep.exists():
        raise typer.BadParameter(f"{keep} exists; give a new folder")
    chosen = [one for name, engines in ENGINES.items() if engine in ("", name) for one in engines]
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
            for number in [row] if row else one.rows(ROWS):
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
