"""Prints the results of `eval` and `calibrate` as tables on standard output."""

from collections.abc import Iterator
from typing import Any

from rich.table import Column, Table

from gritmill.evaluation.metrics import MIN_IOU, RANKS, STRICT_IOU
from gritmill.evaluation.options import TruthFormat
from pipeline.faults import printable
from pipeline.screen import data_console
from transforms.wording import counted


def show_boxes(result: dict[str, Any]) -> None:
    """Prints the figures of `gritmill eval`, one row per kind, and the images that could not be used."""
    console = data_console()
    if result["figures"]:
        shares = _accuracies if result["on"] == TruthFormat.REFCOCO else _recalls
        by_kind = {"all": result["figures"]["all"], **result["figures"]["kinds"]}
        table = make_table("phrases", "number", *shares(by_kind["all"]))
        for kind, figures in by_kind.items():
            table.add_row(printable(kind), str(figures["phrases"]), *map(percent, shares(figures).values()))
        console.print(table)
    for line in (*picture_lines(result["pictures"]), *_left_out_line(result["phrases"])):
        console.print(line, soft_wrap=True)


def show_phrases(result: dict[str, Any]) -> None:
    """Prints the figures of `gritmill eval --phrases`."""
    console, figures = data_console(), result["figures"]
    table = make_table("", "marked", "extracted", "correct", "precision", "recall", "F1", "recall by head")
    shares = (figures["precision"], figures["recall"], figures["f1"], figures["recall_by_head"])
    table.add_row("all", str(figures["marked"]), str(figures["extracted"]), str(figures["hit"]), *map(percent, shares))
    for kind, counts in figures["kinds"].items():
        table.add_row(printable(kind), str(counts["marked"]), "", "", "", percent(counts["recall"]))
    console.print(table)
    for title, reasons, total in (
        ("marked, but not extracted", figures["misses"], figures["marked"]),
        ("extracted, but not marked", figures["false_alarms"], figures["extracted"]),
    ):
        console.print(f"{title}:{'' if reasons else ' none'}")
        for reason, number in reasons.items():
            console.print(f"  {number:>7}  {percent(number / total):>6}  {printable(reason)}", soft_wrap=True)


def show_calibration(result: dict[str, Any]) -> None:
    """Prints the threshold, its figures by kind, and the option to paste."""
    console = data_console()
    if result["threshold"] is not None:
        table = make_table(
            "phrases", "number", "boxes", "precision", "recall", "with a correct box", "absent, with a box"
        )
        by_kind = {"all": result["at_threshold"]["all"], **result["at_threshold"]}
        for kind, figures in by_kind.items():
            names = ("precision", "recall", "phrases_with_right_box", "absent_with_box")
            number = str(result["counts"][kind]["phrases"])
            table.add_row(printable(kind), number, str(figures["boxes"]), *(percent(figures[name]) for name in names))
        console.print(table)
    for line in (*picture_lines(result["pictures"]), *_threshold_lines(result)):
        console.print(line, soft_wrap=True)


def _threshold_lines(result: dict[str, Any]) -> Iterator[str]:
    if not result["curves"]:
        return
    in_force = result["in_force"]
    figures, interval = in_force["figures"], result["interval"]["precision"]
    yield (
        f"active threshold: {in_force['threshold']:g} ({printable(in_force['source'])}): "
        f"precision {percent(figures['precision'])}, recall {percent(figures['recall'])}"
    )
    if result["threshold"] is None:
        return
    low, high = result["interval"]["threshold"]
    note = _lowest(result["threshold"], result["configuration"]["detector"]["floor"])
    yield f"threshold for a precision of {result['wished_precision']:g}: {result['threshold']:g}{note}"
    yield f"  95 % interval {low:.3f} to {high:.3f}; precision {percent(interval[0])} to {percent(interval[1])}"
    if result["at_threshold"]["all"]["right"] == result["at_threshold"]["all"]["boxes"]:
        yield "  no box is wrong at this threshold, so the interval has no meaning; use more images"
    if result["interval"]["reached"] < 1:
        yield f"  {percent(1 - result['interval']['reached'])} of the resamples do not reach this precision"
    yield f"  {result['paste']['set']}"


def show_number_f1(result: dict[str, Any]) -> None:
    """Prints the thresholds of `gritmill calibrate --without-truth` under both readings, and what is missing."""
    console = data_console()
    if result["curves"]:
        table = make_table("a singular is", "threshold", "95 % interval", "number-F1", "95 % interval", "boxes")
        for reading, one in result["readings"].items():
            (low, high), (f1_low, f1_high) = one["interval"]["threshold"], one["interval"]["f1"]
            f1, scores = percent(one["f1"]), f"{low:.3f} to {high:.3f}"
            shares, boxes = f"{percent(f1_low)} to {percent(f1_high)}", f"{one['figures']['boxes']:,}"
            table.add_row(reading.replace("_", " "), f"{one['threshold']:g}", scores, f1, shares, boxes)
        console.print(table)
    for line in _number_lines(result):
        console.print(line, soft_wrap=True)


def _number_lines(result: dict[str, Any]) -> Iterator[str]:
    pairs, phrases = result["pairs"], result["phrases"]
    exact, singular = counted(phrases["exact"], "exact count"), counted(phrases["singular"], "singular")
    used = f"{pairs['used']:,} of {counted(pairs['read'], 'pair')}, {counted(pairs['images'], 'image')}"
    yield f"{exact}, {singular}; {used}{'; the run is not finished' if result['partial'] else ''}"
    yield from (printable(note) for note in result["notes"])
    if not result["curves"]:
        return
    threshold, in_force = result["threshold"], result["in_force"]
    if result["decoys"]:
        rate, absent, there = (percent(result[name]) for name in ("decoy_rate", "absent_share", "decoys_there"))
        yield f"{result['decoys']:,} decoys: at {threshold:g}, at most {rate} of absent phrases get a box"
        yield f"  estimated: {absent} of the phrases are absent, {there} of the decoys are there"
    figures = in_force["figures"]
    yield (
        f"active threshold: {in_force['threshold']:g} ({printable(in_force['source'])}): "
        f"number-F1 {percent(figures['exactly_one'])} to {percent(figures['at_least_one'])}"
    )
    yield "  numbers say nothing about where a box is"
    yield f"  {result['paste']['set']}{_lowest(threshold, result['configuration']['detector']['floor'])}"
    yield _how_to_use(threshold)


def show_clicks(result: dict[str, Any]) -> None:
    """Prints the precision and the thresholds of `gritmill calibrate --clicks`, and what is missing."""
    console = data_console()
    for line in _click_lines(result):
        console.print(line, soft_wrap=True)


def _click_lines(result: dict[str, Any]) -> Iterator[str]:
    clicks, interval, in_force = result["clicks"], result["interval"], result["in_force"]
    counts = ", ".join(f"{clicks[answer]} {answer}" for answer in ("yes", "no", "skipped"))
    yield f"{clicks['answers']} of {counted(clicks['asked'], 'box')} answered: {counts}"
    yield from (printable(note) for note in result["notes"])
    precision = "the run has no boxes"
    if result["precision"] is not None:
        precision = f"precision {percent(result['precision'])}, 95 % interval {_percents(interval['precision'])}"
    yield f"active threshold: {in_force['threshold']:g} ({printable(in_force['source'])}): {precision}"
    best, floor = result["best_f1"], result["curves"]["all"][0]["threshold"]
    yield f"threshold for the best F1: {best['threshold']:g}, 95 % interval {_scores(best['interval']['threshold'])}"
    figures = best["figures"]
    yield (
        f"  F1 {percent(figures['f1'])} ({_percents(best['interval']['f1'])}), "
        f"precision {percent(figures['precision'])}, recall {percent(figures['recall'])} of the things with a candidate"
    )
    yield f"  --set selection.score={best['threshold']:g}"
    if result["threshold"] is not None:
        threshold = result["threshold"]
        yield (
            f"threshold for a precision of {result['wished_precision']:g}: {threshold:g}, "
            f"95 % interval {_scores(interval['threshold'])}{_lowest(threshold, floor)}"
        )
        if interval["reached"] < 0.975:
            yield f"  {percent(1 - interval['reached'])} of the likely curves do not reach this precision"
        yield f"  --set selection.score={threshold:g}"
    used = best["threshold"] if result["threshold"] is None else result["threshold"]
    yield _how_to_use(used)


def _lowest(threshold: float, floor: float) -> str:
    return " (the lowest possible: detector.floor)" if floor + 0.001 > threshold else ""


def _how_to_use(threshold: float) -> str:
    """The command that gives a finished run another threshold. Its folder and configuration are not known here."""
    return f"for a finished run: gritmill pack CONFIG --output RUN --fresh --set selection.score={threshold:g}"


def _scores(interval: list[float]) -> str:
    return "{:g} to {:g}".format(*interval)


def _percents(interval: list[float]) -> str:
    return " to ".join(map(percent, interval))


def make_table(first: str, *others: str) -> Table:
    """A table whose first column is text and whose others are numbers."""
    numbers = (Column(head, justify="right") for head in others)
    return Table(first, *numbers, box=None, pad_edge=False, header_style="bold")


def _recalls(figures: dict[str, Any]) -> dict[str, float | None]:
    return {f"{name} R@{k}": figures[f"{name}_box"][f"recall@{k}"] for name in ("any", "merged") for k in RANKS}


def _accuracies(figures: dict[str, Any]) -> dict[str, float | None]:
    accuracies = {f"Acc@{iou:g}": figures[f"acc@{iou:g}"] for iou in (MIN_IOU, STRICT_IOU)}
    recalls = {f"R@{k}": figures["any_box"][f"recall@{k}"] for k in RANKS[1:]}
    return {**accuracies, "mean IoU": figures["mean_iou"], **recalls}


def picture_lines(counts: dict[str, Any]) -> Iterator[str]:
    """How many images were measured, and why others were not."""
    yield f"{counts['measured']:,} of {counted(counts['pictures'], 'image')} measured"
    for reason, number in counts["unusable"].items():
        yield f"  {number} {reason}, for example {printable(counts['examples'][reason])}"
    if counts["failed"]:
        yield f"  the detector failed on {counted(counts['failed'], 'caption')}; their phrases count as not found"


def _left_out_line(phrases: dict[str, int]) -> Iterator[str]:
    named = {"without_picture": "without an image", "without_boxes": "without true boxes", "absent": "absent"}
    parts = [f"{phrases[name]} {label}" for name, label in named.items() if phrases[name]]
    if parts:
        yield f"phrases not measured: {', '.join(parts)}"


def percent(value: float | None) -> str:
    """A share as a percentage with one decimal; a dash for None."""
    return "–" if value is None else f"{value:.1%}"
