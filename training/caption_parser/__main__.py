"""The command line: `python -m training.caption_parser train …`, then `… evaluate …`."""

import os

# Numeric libraries read this once, when they are imported; with one thread the same seed gives the same weights.
os.environ["OMP_NUM_THREADS"] = "1"

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)

Silver = Annotated[Path, typer.Option(help="The silver parses, a gzipped file of JSON lines.", exists=True)]


@app.command()
def train(
    silver: Silver,
    work: Annotated[Path, typer.Option(help="Folder for rounds and corpora; the same command goes on from there.")],
    output: Annotated[Path, typer.Option(help="Where to write the pipeline.")],
    teacher: Annotated[Path, typer.Option(help="The pipeline to learn from, and to start from.", exists=True)],
    seed: Annotated[int, typer.Option(help="The model in the repository has seed 0.")] = 0,
) -> None:
    """Train the pipeline in rounds and write what ships."""
    from training.caption_parser.rounds import train_in_rounds
    from training.caption_parser.ship import ship

    ship(train_in_rounds(silver, work, seed, teacher), output)


@app.command()
def evaluate(
    silver: Silver,
    captions: Annotated[Path, typer.Option(help="The TSV of LAION captions that the marks belong to.", exists=True)],
    models: Annotated[list[Path], typer.Argument(help="Pipelines; differences are from the last one.", exists=True)],
    report: Annotated[Path | None, typer.Option(help="A JSON file to write the figures to.")] = None,
    marks: Annotated[Literal["test", "dev"], typer.Option(help="Which hand marks.")] = "test",
) -> None:
    """Compare pipelines on the validation parses and on the hand marks."""
    from training.caption_parser.report import write_report

    write_report(silver, captions, models, marks, report)


if __name__ == "__main__":
    app()
