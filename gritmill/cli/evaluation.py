"""`gritmill eval` and `gritmill calibrate`: their options, and how they end. Heavy imports wait for the call."""

from typing import Annotated, Any

import typer

from gritmill.cli.arguments import ConfigArgument, QuietOption, SetOption, load_configuration
from gritmill.evaluation.options import Nms, TruthFormat
from pipeline.faults import DataFault

TruthOption = Annotated[list[str], typer.Option("--truth", help="The set: its folder, or files.", metavar="PATH...")]
FormatOption = Annotated[TruthFormat, typer.Option("--on", help="What form the set is of.")]
ImagesOption = Annotated[str | None, typer.Option("--images", help="Folder of the set's pictures.", metavar="DIR")]
SplitOption = Annotated[str | None, typer.Option("--split", help="Of the set: val, test, testA, ...", metavar="NAME")]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N pictures.", metavar="N")]
OutputFileOption = Annotated[str | None, typer.Option("--output", help="JSON file for all figures.", metavar="FILE")]
OutputFolderOption = Annotated[
    str, typer.Option("--output", help="Folder for calibration.json and .html.", metavar="DIR")
]
PhrasesOption = Annotated[
    bool, typer.Option("--phrases", help="Compare extracted phrases with marked ones, not boxes.")
]
AloneOption = Annotated[bool, typer.Option("--alone", help="Ask for every phrase in a prompt of its own.")]
NmsOption = Annotated[Nms, typer.Option("--nms", help="Non-maximum suppression before boxes are ranked.")]
PrecisionOption = Annotated[
    float, typer.Option("--precision", min=0, max=1, help="Share of boxes that are to be right.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of the bootstrap.")]


def evaluate(
    config: ConfigArgument = "grit",
    *,
    truth: TruthOption,
    on: FormatOption = TruthFormat.JSONL,
    images: ImagesOption = None,
    split: SplitOption = None,
    output: OutputFileOption = None,
    changes: SetOption = None,
    limit: LimitOption = None,
    phrases: PhrasesOption = False,
    alone: AloneOption = False,
    nms: NmsOption = Nms.NONE,
    quiet: QuietOption = False,
) -> None:
    """Measure boxes, or phrases, against those of people: a table, and all figures as JSON."""
    from gritmill.evaluation import evaluate, tables

    result = evaluate.evaluate(
        load_configuration(config, changes),
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
        _check_measured(result["figures"], result["pictures"])


def calibrate(
    config: ConfigArgument = "grit",
    *,
    truth: TruthOption,
    output: OutputFolderOption,
    precision: PrecisionOption = 0.9,
    on: FormatOption = TruthFormat.JSONL,
    images: ImagesOption = None,
    split: SplitOption = None,
    changes: SetOption = None,
    limit: LimitOption = None,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Find the score threshold for a wished precision, on a set with true boxes."""
    from gritmill.evaluation import calibrate, tables

    result = calibrate.calibrate(
        load_configuration(config, changes),
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
    _check_measured(result["curves"], result["pictures"])
    print(f"curves and reliability in {output}")
    if result["threshold"] is None:
        raise DataFault(f"no threshold gives a precision of {precision:g}: {_highest_precision(result)}")


def _check_measured(figures: Any, pictures: dict[str, Any]) -> None:
    """Raises DataFault if nothing could be measured."""
    if figures:
        return
    reasons = ", ".join(f"{number} {reason}" for reason, number in pictures["unusable"].items())
    if reasons:
        example = next(iter(pictures["examples"].values()))
        message = f"nothing was measured: of {pictures['pictures']} pictures {reasons}"
        raise DataFault(f"{message}, for example {example} (--images says where they are)")
    raise DataFault(f"nothing was measured: {pictures['pictures']} pictures, and no phrase with a true box")


def _highest_precision(result: dict[str, Any]) -> str:
    best = result["highest_precision"]
    if best is None:
        return "there is no box at all"
    return f"the highest is {best['precision']:.3f}, at {best['threshold']:g}"
