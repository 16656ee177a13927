"""Commands that train, draw and evaluate for the scene-grounder."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from pipeline.screen import data_console
from training.scene_grounder.blocks import content_hash, make_blocks
from training.scene_grounder.evaluate import figures, query_model
from training.scene_grounder.ship import DEMO_SEED, TRAINING_SEED, glance, ship, table
from training.scene_grounder.tars import read_tars, write_tars
from training.scene_grounder.train import Job, Losses, Schedule, check, load_checkpoint, train

_GLANCE_AT = 1000  # steps

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

FontOption = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Path of NotoColorEmoji.ttf.")]
WorkOption = Annotated[Path, typer.Option(help="Folder for scenes and checkpoints. The same command resumes there.")]
OutputOption = Annotated[Path, typer.Option(help="Folder to write to.")]
CountOption = Annotated[int, typer.Option(min=1)]
BlocksOption = Annotated[int, typer.Option(min=1, help="Training scenes, in thousands.")]
WorkersOption = Annotated[int, typer.Option(min=1, help="Processes with one thread each. Use one with a GPU.")]
AlsoOption = Annotated[
    list[Path] | None,
    typer.Option(exists=True, file_okay=False, help="Further folder of tars to report figures for."),
]


@app.command("train")
def train_command(
    font: FontOption,
    work: WorkOption = Path("build/scene-grounder"),
    seed: int = 0,
    blocks: BlocksOption = 36,
    steps: CountOption = Schedule.steps,
    batch: CountOption = Schedule.batch,
    workers: WorkersOption = Schedule.workers,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = Schedule.device,
    output: OutputOption = Path("models/scene-grounder"),
    also: AlsoOption = None,
) -> None:
    """Draw the training scenes, train, and write the model with its threshold and figures."""
    scenes = work / f"scenes-{content_hash(font, TRAINING_SEED)}"
    schedule = Schedule(steps, batch, workers=workers, device=device)
    job = Job(scenes, blocks, work / f"seed-{seed}", seed, schedule)
    names = ["calibration", "fresh", *(folder.name for folder in also or ())]
    if len(set(names)) < len(names):
        raise typer.BadParameter(f"--also: two sets of scenes are named {max(names, key=names.count)}; rename a folder")
    try:
        check(job)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn()) as progress:
        making = progress.add_task("thousands of scenes", total=blocks)
        for _ in make_blocks(str(font), scenes, TRAINING_SEED, blocks, workers):
            progress.advance(making)
        training = progress.add_task("steps", total=steps, completed=load_checkpoint(job).get("step", 0))

        def on_step(step: int, losses: Losses, seconds: float) -> None:
            parts = f"classes {losses.classes:.2f}, places {losses.places:.2f}, hints {losses.hints:.2f}"
            progress.update(training, completed=step, description=f"steps, {parts}")
            if step % 100 == 0:
                progress.console.print(f"step {step}: {parts}, {seconds / step:.2f} s per step", highlight=False)
            if step % _GLANCE_AT == 0:
                progress.console.print(f"step {step}: {glance(str(font), work, job)}", highlight=False)

        train(job, on_step)
    data_console().print(table(ship(str(font), work, job, output, also or ())))


@app.command()
def draw(
    font: FontOption,
    output: OutputOption,
    seed: int = DEMO_SEED,
    scenes: int = 100,
    per_tar: int = 50,
    unseen: Annotated[bool, typer.Option(help="Use combinations that training never sees.")] = False,
) -> None:
    """Draw scenes with captions and true boxes, as tars. The defaults draw the scenes of gritmill's demo."""
    write_tars(str(font), output, seed, scenes, per_tar, unseen=unseen)


@app.command()
def evaluate(
    model: Path,
    scenes: Annotated[list[Path], typer.Argument(help="Folders of tars.")],
    threshold: Annotated[float, typer.Option(min=0, max=1)],
) -> None:
    """Print the figures of a model on sets of scenes."""
    data_console().print(
        table({str(one): figures(query_model(model, list(read_tars(one))), threshold) for one in scenes})
    )
