"""Command line: `python -m training.caption_parser train …`, then `… evaluate …`."""

import os

# Numeric libraries read this once, at import. With one thread, the same seed gives the same weights.
os.environ["OMP_NUM_THREADS"] = "1"

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)

Silver = Annotated[Path, typer.Option(help="Silver parses: a gzipped JSON Lines file.", exists=True)]


@app.command()
def train(
    silver: Silver,
    work: Annotated[Path, typer.Option(help="Folder for rounds and corpora. The same command resumes there.")],
    output: Annotated[Path, typer.Option(help="Folder to write the pipeline to.")],
    teacher: Annotated[Path, typer.Option(help="Pipeline to learn from and to start from.", exists=True)],
    seed: Annotated[int, typer.Option(help="Random seed. The model in the repository has seed 0.")] = 0,
) -> None:
    """Train the pipeline in rounds and write it in the form that ships."""
    from training.caption_parser.rounds import train_in_rounds
    from training.caption_parser.ship import ship

    ship(train_in_rounds(silver, work, seed, teacher), output)


@app.command()
def evaluate(
    silver: Silver,
    captions: Annotated[
        Path, typer.Option(help="TSV of the captions that were marked: COCO's for coco, else LAION's.", exists=True)
    ],
    models: Annotated[list[Path], typer.Argument(help="Pipelines. All are compared with the last one.", exists=True)],
    report: Annotated[Path | None, typer.Option(help="JSON file to write the figures to.")] = None,
    marks: Annotated[Literal["test", "dev", "web", "coco"], typer.Option(help="Which hand marks to use.")] = "test",
) -> None:
    """Compare pipelines on the validation parses and on the hand-marked captions."""
    from training.caption_parser.report import write_report

    write_report(silver, captions, models, marks, report)


if __name__ == "__main__":
    app()
