"""`python -m training.threshold_trials RUN` prints a table of trials. RUN: a run on scenes with `decoys.number`."""

from typing import Annotated

import numpy as np
import typer

from pipeline.screen import data_console
from training.threshold_trials.recorded import has_decoys, read_run
from training.threshold_trials.trials import comparison, markdown, run_trials


def main(
    run: str,
    draws: Annotated[int, typer.Option(min=1)] = 60,
    pictures: Annotated[int, typer.Option(min=1, help="Images of each draw.")] = 400,
    seed: int = 0,
    drop_groups: Annotated[bool, typer.Option("--drop-groups", help="As selection.groups=drop.")] = False,
) -> None:
    """Try the threshold without labels on weakened detectors and under disturbances."""
    if not has_decoys(run):
        raise typer.BadParameter(f"{run}: no decoys; run gritmill ground with --set decoys.number=4")
    recorded = read_run(run)
    if pictures > recorded.pictures:
        raise typer.BadParameter(f"--pictures {pictures}: {run} has {recorded.pictures}")
    results = run_trials(recorded, draws, pictures, seed, drop_groups)
    console = data_console()
    print(f"{recorded.pictures} images, {len(recorded.number)} phrases, {recorded.exact.sum()} exact counts")
    estimated, true = np.mean([one.absent for one in results["none", "noisy"]], axis=0)
    print(f"absent phrases: {true:.1%}, estimated {estimated:.1%} (noisy)")
    for table in (markdown(results), comparison(results)):
        console.print(f"{table}\n", soft_wrap=True, markup=False, highlight=False)


if __name__ == "__main__":
    typer.run(main)
