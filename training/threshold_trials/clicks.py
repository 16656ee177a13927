"""`python -m training.threshold_trials.clicks RUN...` prints tables of trials of `gritmill calibrate --clicks`.

RUN: runs on scenes with `decoys.number`, used in turn. The true boxes answer in place of a person.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import typer

from gritmill.clicks.result import Estimates
from gritmill.clicks.spread import spread
from pipeline.screen import data_console
from training.threshold_trials.recorded import NO_THING, Recorded, read_run
from training.threshold_trials.trials import FLOOR, POINT, at_least, right_boxes, select_boxes, true_f1
from training.threshold_trials.weakened import DISTURBANCES, WEAK, Weakness, weaken
from transforms.selection.threshold_sweep import THRESHOLDS

DETECTORS = {"recorded": Weakness(1.0, 0.0, 0.0, 0.0, 0.0, (0.0, 1.0)), **WEAK}
ANSWERS = (60, 100, 200)
AT = (0.1, 0.2, 0.35, 0.5, 0.7, 0.85)
"""The thresholds whose precision is estimated."""

_THRESHOLDS = np.array([max(FLOOR, score) for score in THRESHOLDS if score > FLOOR - 0.01])

Answering = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""The true answers -> what is answered."""


@dataclass(frozen=True)
class ClickDraw:
    """The result of a draw. threshold, best: estimated and true threshold of the best F1. loss: of F1. covered: for
    each threshold of `AT`, whether the 95 % interval of precision contains the truth. width: of these intervals."""

    threshold: float
    best: float
    loss: float
    covered: tuple[bool, ...]
    width: tuple[float, ...]


def _exactly(right: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return right


def _mistaken(right: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return right ^ (rng.random(len(right)) < 0.05)


def _wrong_whatever_the_score(run: Recorded, rng: np.random.Generator) -> Recorded:
    """12 % of the phrases are wrong: their boxes are on no thing."""
    wrong = rng.random(len(run.number)) < 0.12
    return replace(run, boxes=replace(run.boxes, thing=np.where(wrong[run.boxes.owner], NO_THING, run.boxes.thing)))


CASES: dict[str, tuple[Callable[[Recorded, np.random.Generator], Recorded], Answering]] = {
    **{name: (DISTURBANCES[name], _exactly) for name in ("none", "noisy scores", "duplicate boxes", "group boxes")},
    "12 % of the phrases are wrong at any score": (_wrong_whatever_the_score, _exactly),
    "5 % of the answers are wrong": (DISTURBANCES["none"], _mistaken),
}


def draw(recorded: Recorded, weakness: Weakness, case: str, answers: int, seed: Sequence[int]) -> ClickDraw:
    """One draw: the disturbance, the weaker detector, selection, a choice of boxes, answers, estimate, truth."""
    rng = np.random.default_rng(seed)
    disturb, answering = CASES[case]
    run = disturb(recorded, rng)
    boxes = weaken(run.boxes, len(run.number), weakness, rng)
    kept = boxes.take(select_boxes(run.picture[boxes.owner], boxes, drop_groups=False))
    right = right_boxes(kept)
    chosen = spread(kept.score, np.ones(len(right)), run.picture[kept.owner], answers, int(rng.integers(1 << 32)))
    found = at_least(kept.score, _THRESHOLDS)
    made = Estimates(kept.score[chosen], answering(right[chosen], rng), _THRESHOLDS, found)
    f1 = true_f1(kept, right, int(run.things.sum()), _THRESHOLDS)
    best = int(made.mean(made.f1).argmax())
    places = [made.at(threshold) for threshold in AT]
    true = at_least(kept.score[right], _THRESHOLDS[places]) / np.maximum(found[places], 1)
    low, high = made.precision_interval[:, places]
    return ClickDraw(
        float(_THRESHOLDS[best]),
        float(_THRESHOLDS[f1.argmax()]),
        float(f1.max() - f1[best]),
        tuple(((low <= true) & (true <= high)).tolist()),
        tuple((high - low).tolist()),
    )


def run_trials(runs: Sequence[Recorded], draws: int, case: str, answers: int, seed: int) -> dict[str, list[ClickDraw]]:
    """The draws by detector. They use the runs in turn."""
    return {
        name: [draw(runs[n % len(runs)], weakness, case, answers, (seed, n)) for n in range(draws)]
        for name, weakness in DETECTORS.items()
    }


def cell(draws: Sequence[ClickDraw]) -> str:
    """Share within a point, largest loss, mean thresholds; share of intervals that contain the truth, mean width."""
    good = np.mean([one.loss <= POINT for one in draws])
    worst = max(one.loss for one in draws)
    estimated, best = np.mean([(one.threshold, one.best) for one in draws], axis=0)
    covered, width = (np.mean([getattr(one, name) for one in draws]) for name in ("covered", "width"))
    within = f"{good:.0%}, at most {100 * worst:.1f}; {estimated:.2f}, best {best:.2f}"
    return f"{within}; {covered:.0%}, {100 * width:.0f} points"


def table(results: Mapping[str, Mapping[str, Sequence[ClickDraw]]]) -> str:
    """The cells, a row for each name and a column for each detector."""
    rows = [f"| | {' | '.join(DETECTORS)} |", f"| --- |{' --- |' * len(DETECTORS)}"]
    rows += [f"| {name} | {' | '.join(cell(own[one]) for one in DETECTORS)} |" for name, own in results.items()]
    return "\n".join(rows)


def main(runs: list[str], draws: Annotated[int, typer.Option(min=1)] = 60, seed: int = 0) -> None:
    """Try the threshold from answers on weakened detectors and under disturbances."""
    recorded = [read_run(run) for run in runs]
    console = data_console()
    by_number = {f"{number} answers": run_trials(recorded, draws, "none", number, seed) for number in ANSWERS}
    by_case = {case: run_trials(recorded, draws, case, 100, seed) for case in CASES}
    for results in (by_number, by_case):
        console.print(f"{table(results)}\n", soft_wrap=True, markup=False, highlight=False)


if __name__ == "__main__":
    typer.run(main)
