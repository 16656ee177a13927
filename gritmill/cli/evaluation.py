"""`gritmill eval` and `gritmill calibrate`: their options, and how they end. Heavy imports wait for the call."""

from typing import Annotated, Any

import typer

from gritmill.cli.arguments import Changes, Config, Quiet, configuration
from gritmill.evaluation.options import Nms, On
from pipeline.faults import DataFault

Set = Annotated[list[str], typer.Option("--truth", help="The set: its folder, or files.", metavar="PATH...")]
Form = Annotated[On, typer.Option("--on", help="What form the set is of.")]
Images = Annotated[str | None, typer.Option("--images", help="Folder of the set's pictures.", metavar="DIR")]
Split = Annotated[str | None, typer.Option("--split", help="Of the set: val, test, testA, ...", metavar="NAME")]
First = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N pictures.", metavar="N")]
Figures = Annotated[str | None, typer.Option("--output", help="JSON file for all figures.", metavar="FILE")]
Folder = Annotated[str, typer.Option("--output", help="Folder for calibration.json and .html.", metavar="DIR")]
Spans = Annotated[bool, typer.Option("--phrases", help="Compare extracted phrases with marked ones, not boxes.")]
Alone = Annotated[bool, typer.Option("--alone", help="Ask for every phrase in a prompt of its own.")]
Suppress = Annotated[Nms, typer.Option("--nms", help="Non-maximum suppression before boxes are ranked.")]
Wished = Annotated[float, typer.Option("--precision", min=0, max=1, help="Share of boxes that are to be right.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of the bootstrap.")]


def evaluate(
    config: Config = "grit",
    *,
    truth: Set,
    on: Form = On.JSONL,
    images: Images = None,
    split: Split = None,
    output: Figures = None,
    set: Changes = None,
    limit: First = None,
    phrases: Spans = False,
    alone: Alone = False,
    nms: Suppress = Nms.NONE,
    quiet: Quiet = False,
) -> None:
    """Measure boxes, or phrases, against those of people: a table, and all figures as JSON."""
    from gritmill.evaluation import evaluate, tables

    result = evaluate.evaluate(
        configuration(config, set),
        truth=truth,
        on=on,
        images=images,
        split=split,
        output=output,
        limit=limit,
        phrases_only=phrases,
        alone=alone,
        nms=nms,
        quiet=quiet,
    )
    if phrases:
        tables.show_phrases(result)
    else:
        tables.show_boxes(result)
        _check(result["figures"], result["pictures"])


def calibrate(
    config: Config = "grit",
    *,
    truth: Set,
    output: Folder,
    precision: Wished = 0.9,
    on: Form = On.JSONL,
    images: Images = None,
    split: Split = None,
    set: Changes = None,
    limit: First = None,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Find the score threshold for a wished precision, on a set with true boxes."""
    from gritmill.evaluation import calibrate, tables

    result = calibrate.calibrate(
        configuration(config, set),
        truth=truth,
        output=output,
        precision=precision,
        on=on,
        images=images,
        split=split,
        limit=limit,
        seed=seed,
        quiet=quiet,
    )
    tables.show_calibration(result)
    _check(result["curves"], result["pictures"])
    print(f"curves and reliability in {output}")
    if result["threshold"] is None:
        raise DataFault(f"no threshold gives a precision of {precision:g}: {_highest(result)}")


def _check(figures: Any, pictures: dict[str, Any]) -> None:
    """Raises DataFault if nothing could be measured."""
    if figures:
        return
    reasons = ", ".join(f"{number} {reason}" for reason, number in pictures["unusable"].items())
    if reasons:
        example = next(iter(pictures["examples"].values()))
        whole = f"nothing was measured: of {pictures['pictures']} pictures {reasons}"
        raise DataFault(f"{whole}, for example {example} (--images says where they are)")
    raise DataFault(f"nothing was measured: {pictures['pictures']} pictures, and no phrase with a true box")


def _highest(result: dict[str, Any]) -> str:
    best = result["highest_precision"]
    if best is None:
        return "there is no box at all"
    return f"the highest is {best['precision']:.3f}, at {best['threshold']:g}"
