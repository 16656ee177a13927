"""Prints the results of `gritmill eval --relations` as tables on standard output."""

from collections.abc import Iterator
from typing import Any

from gritmill.evaluation.metrics import share
from gritmill.evaluation.tables import make_table, percent, picture_lines
from gritmill.evaluation.verdict_figures import FALSE, READ, SWAPPED, TRUE
from pipeline.faults import printable
from pipeline.screen import data_console
from transforms.claims.verdicts import Verdict
from transforms.wording import counted

_TITLES = {
    TRUE: "true",
    FALSE: "false",
    SWAPPED: "true, but swapped",
    READ: "as read",
}


def show_relations(result: dict[str, Any]) -> None:
    """Prints what was read, and the verdicts on true boxes and on those of the detector."""
    console = data_console()
    if result["reading"]:
        _show_reading(result)
    for title, verdicts in (("the annotated boxes", result["verdicts"]), ("the detector's boxes", result["detected"])):
        if verdicts and verdicts["groups"]:
            console.print(f"verdicts on {title}:")
            _show_verdicts(verdicts["groups"])
    for line in _lines(result):
        console.print(line, soft_wrap=True)


def _show_reading(result: dict[str, Any]) -> None:
    table = make_table("read from the captions", "stated", "read", "correct", "precision", "recall")

    def add(name: str, figures: dict[str, Any]) -> None:
        numbers = (f"{figures[key]:,}" if key in figures else "" for key in ("stated", "read", "right"))
        rates = (percent(figures[key]) if key in figures else "" for key in ("precision", "recall"))
        table.add_row(printable(name), *numbers, *rates)

    reading = result["reading"]
    for kind, figures in reading["kinds"].items():
        add(kind, figures)
        for name, one in (reading["categories"] or figures["predicates"]).items():
            add(f"  {name}", one)
    for one in result["inside"]:
        add(one["frame"], one["kinds"]["relations"])
    data_console().print(table)


def _show_verdicts(groups: dict[str, Any]) -> None:
    table = make_table("", "number", *Verdict)

    def add(name: str, verdicts: dict[str, Any]) -> None:
        numbers = [verdicts[verdict] for verdict in Verdict]
        total = sum(numbers)
        table.add_row(printable(name), f"{total:,}", *(percent(share(one, total)) for one in numbers))

    for group, kinds in groups.items():
        for kind, verdicts in kinds.items():
            add(f"{_TITLES[group]}: {kind}", verdicts)
            for name, one in verdicts["predicates"].items():
                add(f"  {name}", one)
    data_console().print(table)


def _lines(result: dict[str, Any]) -> Iterator[str]:
    read, failed = result["captions"]["read"], result["captions"]["failed"]
    yield f"{counted(read, 'caption')}{f', {failed} on which the parser failed' if failed else ''}"
    verdicts, detected = result["verdicts"], result["detected"]
    if verdicts is None:
        yield "no verdicts on true boxes: no phrase of a statement or claim has any"
    elif verdicts["unknown"]:
        parts = (f"{number:,} {_TITLES[group]}" for group, number in verdicts["unknown"].items())
        yield f"without annotated boxes on a side: {', '.join(parts)}"
    if detected is not None:
        yield from picture_lines(detected["pictures"])
