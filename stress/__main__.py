"""Command line: `python -m stress kills` and `python -m stress memory`."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from pipeline.screen import data_console
from stress import kills as _kills
from stress import memory as _memory

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def kills(
    number: Annotated[int, typer.Option(help="Number of kills per command.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed for the times of the kills.")] = 0,
) -> None:
    """Kill ground and pack at random times, and compare the results with undisturbed runs."""
    with tempfile.TemporaryDirectory(prefix="gritmill-stress-") as folder:
        outcomes = _kills.trial(Path(folder), number, seed)
    columns = ("kills", "while it wrote", "starts", "same bytes as undisturbed", "temporary files left")
    table = Table("command", *columns, "half-written called valid", "validate at the end")
    for one in outcomes:
        tally = one.tally
        numbers = (
            tally.kills,
            tally.mid_write,
            tally.starts,
            "yes" if one.same else "no",
            one.leftovers,
            tally.false_valid,
        )
        table.add_row(one.command, *map(str, numbers), one.validate_output)
    data_console().print(table)
    if not all(one.same and not one.leftovers and not one.tally.false_valid for one in outcomes):
        raise typer.Exit(1)


@app.command()
def memory(
    ground: Annotated[tuple[int, int], typer.Option(help="Numbers of pairs, few and many.")] = (512, 10_240),
    pack: Annotated[tuple[int, int], typer.Option(help="Numbers of pairs, few and many.")] = (10_000, 200_000),
) -> None:
    """Measure the peak memory of ground and pack for few and for many pairs."""
    with tempfile.TemporaryDirectory(prefix="gritmill-stress-") as folder:
        peaks = _memory.trial(Path(folder), ground, pack)
    table = Table("command", "pairs", "peak memory, MiB", "relative to few pairs")
    for few, many in zip(peaks[::2], peaks[1::2], strict=True):
        table.add_row(few.command, f"{few.pairs:,}", f"{few.mebibytes:.0f}", "")
        table.add_row(many.command, f"{many.pairs:,}", f"{many.mebibytes:.0f}", f"{many.mebibytes / few.mebibytes:.2f}")
    data_console().print(table)


if __name__ == "__main__":
    app()
