"""Command line: `python -m stress kills`, `flips`, `races`, `mutations` and `memory`."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from pipeline.screen import data_console
from stress import flips as _flips
from stress import kills as _kills
from stress import memory as _memory
from stress import mutations as _mutations
from stress import races as _races

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def kills(
    number: Annotated[int, typer.Option(help="Number of kills per command.")] = 15,
    seed: Annotated[int, typer.Option(help="Seed for the times of the kills.")] = 0,
    only: Annotated[str, typer.Option(help="Only commands that contain this word.")] = "",
) -> None:
    """Kill every command that writes at random times, and compare the results with undisturbed runs."""
    table = Table("command", "kills", "while it wrote", "starts", "same bytes", "temporary files", "wrongly finished")
    good = True
    with tempfile.TemporaryDirectory(prefix="gritmill-stress-") as folder:
        for one in _kills.trial(Path(folder), number, seed, only):
            numbers = (one.kills, one.mid_write, one.starts, "yes" if one.same else "no", one.leftovers)
            table.add_row(one.command, *map(str, numbers), str(one.false_finished))
            good &= one.good
            print(one, file=sys.stderr, flush=True)
    data_console().print(table)
    if not good:
        raise typer.Exit(1)


@app.command()
def flips(
    number: Annotated[int, typer.Option(help="Number of bits, one in each trial.")] = 500,
    seed: Annotated[int, typer.Option(help="Seed for the places of the bits.")] = 0,
) -> None:
    """Flip single bits in the files of a run, and let every command that reads a run read it."""
    table = Table("files", "flips", "harmless", "told", "told by", "wrong")
    wrong = []
    with tempfile.TemporaryDirectory(prefix="gritmill-stress-") as folder:
        for one in _flips.trial(Path(folder), number, seed):
            told = one.flips - one.harmless - len(one.wrong)
            table.add_row(one.kind, *map(str, (one.flips, one.harmless, told, ", ".join(one.told), len(one.wrong))))
            wrong += one.wrong
            print(one, file=sys.stderr, flush=True)
    _show(table, wrong)


@app.command()
def races(
    number: Annotated[int, typer.Option(help="Number of races per reader and writer.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed for the offsets between their starts.")] = 0,
) -> None:
    """Run each reader of a run beside each command that changes it."""
    table = Table("reader", "writer", "before", "after", "one line", "a part", "writer refused", "wrong")
    wrong = []
    with tempfile.TemporaryDirectory(prefix="gritmill-stress-") as folder:
        for one in _races.trial(Path(folder), number, seed):
            endings = (one.endings[ending] for ending in ("before", "after", "one line", "a part"))
            table.add_row(one.reader, one.writer, *map(str, (*endings, one.refused, len(one.wrong))))
            wrong += one.wrong
            print(one, file=sys.stderr, flush=True)
    _show(table, wrong)


@app.command()
def mutations(
    number: Annotated[int, typer.Option(help="Number of files.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Seed for the mutations.")] = 0,
) -> None:
    """Read mutated files of every source kind."""
    table = Table("file", "mutations", "refused", "source faults", "failed pairs", "good pairs", "wrong")
    wrong = []
    for one in _mutations.trial(number, seed):
        table.add_row(one.kind, *map(str, (one.files, one.refused, one.faults, one.failed, one.good, len(one.wrong))))
        wrong += one.wrong
        print(one, f"peak memory {_mutations.peak_mebibytes():.0f} MiB", file=sys.stderr, flush=True)
    _show(table, wrong)


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


def _show(table: Table, wrong: list[str]) -> None:
    data_console().print(table)
    for line in wrong:
        print(line)
    if wrong:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
