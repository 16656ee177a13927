"""Shows the result of `gritmill audit`."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from rich.table import Column, Table

from pipeline import files, layout
from pipeline.faults import printable
from pipeline.screen import data_console
from transforms.wording import counted

_FILES = 20  # are listed; of the others only the number
_KINDS = ("count", "relation", "rank")
_NOTE = "Intervals are of 95 %, by picture."
_NOTE_WITHOUT = "Intervals are of 95 %, as if no two captions had the same picture."
_UNDECIDED = (
    "An audit does not know what a detector found below its threshold: a count with too few boxes is undecided."
)


def show(result: dict[str, Any]) -> None:
    """Prints what was read, a table of the faults that were found, a table of the claims, and examples."""
    console = data_console()
    read = bool(result["counts"]["rows"])
    if not read and len(result["files"]) + len(result["left_out"]) == 1:
        return  # the error says the same
    for line in (*_file_lines(result), *([_counts_line(result)] if read else ())):
        console.print(printable(line), soft_wrap=True)
    if not read:
        return
    checks = {name: check for name, check in result["checks"].items() if check["found"]}
    if checks:
        table = _table("", "found", "of", "per 1,000", "95 % interval")
        for check in checks.values():
            table.add_row(check["title"], f"{check['found']:,}", f"{check['of']:,}", *_rates(check))
        console.print(table)
    if result["claims"]:
        table = _table("claims", "number", "supported", "undecided", "contradicted", "per 1,000", "95 % interval")
        for kind in _KINDS:
            claims = result["claims"][kind]
            numbers = (f"{claims[verdict]['found']:,}" for verdict in ("supported", "undecided", "contradicted"))
            table.add_row(f"{kind}s", f"{claims['number']:,}", *numbers, *_rates(claims["contradicted"]))
        console.print(table)
    for line in (*_nothing_lines(result), *_example_lines(result)):
        console.print(printable(line), soft_wrap=True)


def _table(first: str, *others: str) -> Table:
    columns = (Column(name, justify="right", no_wrap=True) for name in others)
    return Table(first, *columns, box=None, pad_edge=False, header_style="bold")


def _rates(figures: dict[str, Any]) -> tuple[str, str]:
    if figures["per_thousand"] is None:
        return "–", "–"
    rate, low, high = (f"{Decimal(f'{figures[name]:.3g}'):,f}" for name in ("per_thousand", "low", "high"))
    return rate, f"{low} to {high}"


def _file_lines(result: dict[str, Any]) -> Iterator[str]:
    found = result["files"]
    bad = [file for file in found if file["fault"]]
    good = [file for file in found if not file["fault"]]
    for file in good[:_FILES]:
        broken = f", {file['broken']:,} broken" if file["broken"] else ""
        yield f"{file['uri']}: {file['taken']}, {counted(file['rows'], 'row')}{broken}"
    if len(good) > _FILES:
        yield f"{len(good) - _FILES:,} more files, {counted(sum(file['rows'] for file in good[_FILES:]), 'row')}"
    for file in bad:
        completely = f" completely, only {counted(file['rows'], 'row')}" if file["rows"] else ""
        yield f"{file['uri']}: cannot be read{completely}: {file['fault']}"
    left_out = result["left_out"]
    yield from (f"left out: {line}" for line in left_out[:_FILES])
    if len(left_out) > _FILES:
        yield f"left out: {len(left_out) - _FILES:,} more files"


def _counts_line(result: dict[str, Any]) -> str:
    names = ("picture", "pair", "phrase") if _knows_pictures(result["counts"]) else ("pair", "phrase")
    numbers = [counted(result["counts"][f"{name}s"], name) for name in names]
    return ", ".join([*numbers, counted(result["counts"]["boxes"], "box")])


def _knows_pictures(counts: dict[str, int]) -> bool:
    """Whether the rows tell how many images there are. If each caption names another one, several may be equal."""
    return counts["pictures"] < counts["pairs"] or not counts["captions"]


def _nothing_lines(result: dict[str, Any]) -> Iterator[str]:
    """The checks that found nothing, and those that had nothing to look at."""
    checks = result["checks"].items()
    clean = [name for name, check in checks if check["of"] and not check["found"]]
    absent = [name for name, check in checks if not check["of"]]
    if clean:
        yield f"found nothing: {', '.join(clean)}"
    if absent:
        yield f"not in this data: {', '.join(absent)}"
    note = _NOTE if _knows_pictures(result["counts"]) else _NOTE_WITHOUT
    yield " ".join([note, *_undecided(result)])


def _undecided(result: dict[str, Any]) -> Iterator[str]:
    """Why counts are undecided, if there are any, and who has decided them."""
    if result["claims"] and result["claims"]["count"]["number"]:
        yield _UNDECIDED
        if found := result["runs"]:
            report = files.join(found[0], layout.REPORT_PAGE)
            more = " (and those of the other runs)" if len(found) > 1 else ""
            yield f"A run knows it: its own verdicts are in {report}{more} and in the records."


def _example_lines(result: dict[str, Any]) -> Iterator[str]:
    contradicted = (
        [result["claims"][kind]["contradicted"] for kind in ("count", "relation", "rank")] if result["claims"] else []
    )
    for figures in (*result["checks"].values(), *contradicted):
        if figures["examples"]:
            yield f"{figures['title']}, for example"
            yield from (f"  {line}" for line in figures["examples"])
