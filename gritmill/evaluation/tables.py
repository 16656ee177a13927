"""Tables on standard output: what `eval` and `calibrate` have measured."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from gritmill.evaluation.metrics import RANKS, RIGHT, STRICT
from gritmill.evaluation.options import TruthFormat
from pipeline.faults import printable


def show_boxes(result: dict[str, Any]) -> None:
    """The figures of `gritmill eval`, every kind a row, and the pictures that could not be used."""
    console = Console(highlight=False)
    if result["figures"]:
        heads = _accuracy_heads() if result["on"] == TruthFormat.REFCOCO else _recall_heads()
        table = _table("phrases", "number", *heads)
        for kind, one in _rows(result["figures"]):
            cells = _accuracy(one) if result["on"] == TruthFormat.REFCOCO else _recall(one)
            table.add_row(printable(kind), str(one["phrases"]), *map(share, cells))
        console.print(table)
    for line in (*_pictures(result["pictures"]), *_left_out(result["phrases"])):
        console.print(line, markup=False, soft_wrap=True)


def show_phrases(result: dict[str, Any]) -> None:
    """The figures of `gritmill eval --phrases`."""
    console, one = Console(highlight=False), result["figures"]
    table = _table("", "marked", "extracted", "right", "precision", "recall", "F1", "recall by head")
    shares = (one["precision"], one["recall"], one["f1"], one["recall_by_head"])
    table.add_row("all", str(one["marked"]), str(one["extracted"]), str(one["hit"]), *map(share, shares))
    for kind, counts in one["kinds"].items():
        table.add_row(printable(kind), str(counts["marked"]), "", "", "", share(counts["recall"]))
    console.print(table)
    for title, reasons, whole in (
        ("marked, but not extracted", one["misses"], one["marked"]),
        ("extracted, but not marked", one["false_alarms"], one["extracted"]),
    ):
        console.print(f"{title}:")
        for reason, number in reasons.items():
            console.print(f"  {number:>7}  {share(number / whole):>6}  {reason}", markup=False)


def show_calibration(result: dict[str, Any]) -> None:
    """The threshold, its figures by kind, and the line to paste."""
    console = Console(highlight=False)
    if result["threshold"] is not None:
        table = _table("phrases", "number", "boxes", "precision", "recall", "with a right box", "absent, with a box")
        for kind, one in result["at_threshold"].items():
            shares = (one["precision"], one["recall"], one["phrases_with_right_box"], one["absent_with_box"])
            number = str(result["counts"][kind]["phrases"])
            table.add_row(printable(kind), number, str(one["boxes"]), *map(share, shares))
        console.print(table)
    for line in (*_pictures(result["pictures"]), *_told(result)):
        console.print(line, markup=False, soft_wrap=True)


def _told(result: dict[str, Any]) -> Iterator[str]:
    if not result["curves"]:
        return
    force = result["in_force"]
    now, precision = force["figures"], result["interval"]["precision"]
    yield (
        f"in force: {force['threshold']:g} ({printable(force['source'])}): precision {share(now['precision'])}, "
        f"recall {share(now['recall'])}"
    )
    if result["threshold"] is None:
        return
    low, high = result["interval"]["threshold"]
    lowest = result["configuration"]["detector"]["floor"] + 0.001 > result["threshold"]
    least = " (the lowest that there is: detector.floor)" if lowest else ""
    yield f"threshold for a precision of {result['wished_precision']:g}: {result['threshold']:g}{least}"
    yield f"  95 % interval {low:.3f} to {high:.3f}; of its precision {share(precision[0])} to {share(precision[1])}"
    if result["at_threshold"]["all"]["right"] == result["at_threshold"]["all"]["boxes"]:
        yield "  no box of this set is wrong there, so that the interval says nothing: take more pictures"
    if result["interval"]["reached"] < 1:
        yield f"  {share(1 - result['interval']['reached'])} of the resamples have no such threshold"
    yield f"  {result['paste']['set']}"


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first)
    for head in others:
        table.add_column(head, justify="right")
    return table


def _rows(figures: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "all", figures["all"]
    yield from figures["kinds"].items()


def _recall_heads() -> list[str]:
    return [f"{name} R@{k}" for name in ("any", "merged") for k in RANKS]


def _recall(one: dict[str, Any]) -> list[float | None]:
    return [one[name][f"recall@{k}"] for name in ("any_box", "merged_box") for k in RANKS]


def _accuracy_heads() -> list[str]:
    return [f"Acc@{RIGHT:g}", f"Acc@{STRICT:g}", "mean IoU", *(f"R@{k}" for k in RANKS[1:])]


def _accuracy(one: dict[str, Any]) -> list[float | None]:
    named = [one[f"acc@{RIGHT:g}"], one[f"acc@{STRICT:g}"], one["mean_iou"]]
    return [*named, *(one["any_box"][f"recall@{k}"] for k in RANKS[1:])]


def _pictures(counts: dict[str, Any]) -> Iterator[str]:
    yield f"{counts['measured']} of {counts['pictures']} pictures measured"
    for reason, number in counts["unusable"].items():
        yield f"  {number} {reason}, for example {printable(counts['examples'][reason])}"
    if counts["failed"]:
        yield f"  the detector failed at {counts['failed']} captions; their phrases count as not found"


def _left_out(phrases: dict[str, int]) -> Iterator[str]:
    named = {"without_picture": "without a picture", "without_boxes": "without true boxes", "absent": "absent"}
    told = [f"{phrases[name]} {said}" for name, said in named.items() if phrases[name]]
    if told:
        yield f"phrases not measured: {', '.join(told)}"


def share(value: float | None) -> str:
    """As a table shows it."""
    return "–" if value is None else f"{value:.1%}"
