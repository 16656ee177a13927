"""Draws of images: how far the F1 at the estimated threshold is below the best F1 against the truth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from gritmill.evaluation.curves import threshold_grid
from gritmill.evaluation.number_f1 import BETWEEN, EXACTLY_ONE, Boxes, Counted, NumberCurve
from training.threshold_trials.recorded import NO_THING, Candidates, Recorded
from training.threshold_trials.weakened import DISTURBANCES, WEAK, Disturb, Weakness, weaken
from transforms.claims.group_boxes import group_boxes
from transforms.selection.select_boxes import rank_within, suppress_many
from transforms.settings import SelectionSettings

FLOOR = 0.02
POINT = 0.01
"""A draw is good if its F1 is at most this much below the best."""

_NMS = SelectionSettings().nms_iou


def _every_decoy(curve: NumberCurve) -> np.ndarray:
    f1: np.ndarray = 2 * curve.agreed / np.maximum(curve.boxes + curve.stated + curve.decoy_boxes, 1)
    return f1


def _there_ignored(curve: NumberCurve) -> np.ndarray:
    """The share of absent phrases as if no decoy was there."""
    usable = curve.decoys - curve.decoys_found >= 20
    bounds = (1 - curve.found[usable] / curve.phrases) / (1 - curve.decoys_found[usable] / curve.decoys)
    share = min(float(bounds.min()), 0.5) if usable.any() else 0.0
    boxes = curve.phrases * share / (1 - share) * curve.decoy_boxes / curve.decoys
    f1: np.ndarray = 2 * curve.agreed / np.maximum(curve.boxes + curve.stated + boxes, 1)
    return f1


def _without_absent(curve: NumberCurve) -> np.ndarray:
    absent = curve.phrases * curve.absent_share
    agreed = curve.agreed - absent * curve.decoys_found / curve.decoys
    total = curve.boxes + curve.stated * (1 - curve.absent_share)
    f1: np.ndarray = 2 * np.maximum(agreed, 0) / np.maximum(total, 1)
    return f1


NUMBER_F1 = "number-F1"

ESTIMATORS: dict[str, Callable[[NumberCurve], np.ndarray]] = {
    NUMBER_F1: lambda curve: curve.f1(BETWEEN),
    "exactly one": lambda curve: curve.f1(EXACTLY_ONE),
    "without decoys": lambda curve: replace(curve, decoys=0.0).f1(BETWEEN),
    "with every decoy": _every_decoy,
    "decoys that are there ignored": _there_ignored,
    "absent phrases taken out of all sums": _without_absent,
}
"""What is maximised: number-F1, and other forms for comparison."""


@dataclass(frozen=True)
class Draw:
    """The result of a draw. thresholds: those of the estimators. losses: best F1 minus the F1 at each of them. best:
    the threshold with the best F1. absent: the estimated share of absent phrases, and the true one."""

    thresholds: Mapping[str, float]
    losses: Mapping[str, float]
    best: float
    absent: tuple[float, float]


def subset(recorded: Recorded, chosen: np.ndarray) -> Recorded:
    """The images with these numbers, with new numbers."""
    place = np.full(recorded.pictures, -1)
    place[chosen] = np.arange(len(chosen))
    kept, kept_decoys = place[recorded.picture] >= 0, place[recorded.decoy_picture] >= 0
    return Recorded(
        recorded.number[kept],
        recorded.exact[kept],
        place[recorded.picture[kept]],
        recorded.things[kept],
        recorded.hull[:, kept],
        _of(recorded.boxes, kept),
        place[recorded.decoy_picture[kept_decoys]],
        _of(recorded.decoy_boxes, kept_decoys),
        len(chosen),
    )


def _of(boxes: Candidates, kept: np.ndarray) -> Candidates:
    """The boxes of the owners that are kept, with new numbers of owners."""
    left = boxes.take(kept[boxes.owner])
    return Candidates(left.score, (np.cumsum(kept) - 1)[left.owner], left.corners, left.thing)


def draw(
    recorded: Recorded,
    weakness: Weakness,
    disturb: Disturb,
    pictures: int,
    rng: np.random.Generator,
    drop_groups: bool = False,
) -> Draw:
    """One draw: images without replacement, the disturbance, the weaker detector, selection, estimate, truth.

    drop_groups: as `selection.groups: drop`.
    """
    run = disturb(subset(recorded, rng.choice(recorded.pictures, pictures, replace=False)), rng)
    boxes = weaken(run.boxes, len(run.number), weakness, rng)
    decoys = weaken(run.decoy_boxes, len(run.decoy_picture), weakness, rng)
    kept = boxes.take(select_boxes(run.picture[boxes.owner], boxes, drop_groups))
    # As `without_truth` does: decoys compete with the phrases of the caption, and only their own boxes count.
    both = boxes.joined(Candidates(decoys.score, decoys.owner + len(run.number), decoys.corners, decoys.thing))
    left = select_boxes(np.concatenate((run.picture, run.decoy_picture))[both.owner], both, drop_groups)
    kept_decoys = decoys.take(left[left >= len(boxes.score)] - len(boxes.score))
    thresholds = threshold_grid(FLOOR)
    curve = _counted(run, kept, kept_decoys).curve(thresholds)
    f1 = true_f1(kept, right_boxes(kept), int(run.things.sum()), thresholds)
    absent = float((run.things[run.number > 0] == 0).mean())
    found = {name: int(estimate(curve).argmax()) for name, estimate in ESTIMATORS.items()}
    return Draw(
        {name: float(thresholds[at]) for name, at in found.items()},
        {name: float(f1.max() - f1[at]) for name, at in found.items()},
        float(thresholds[f1.argmax()]),
        (curve.absent_share, absent),
    )


def select_boxes(picture: np.ndarray, boxes: Candidates, drop_groups: bool) -> np.ndarray:
    """Positions of the boxes that a run keeps: suppression across the phrases of a picture, then group boxes."""
    (above,) = np.nonzero(boxes.score >= FLOOR)
    ranked = above[np.lexsort((boxes.owner[above], -boxes.score[above], picture[above]))]
    kept: np.ndarray = ranked[suppress_many(picture[ranked], boxes.corners[:, ranked], _NMS)]
    if drop_groups:
        kept = kept[~group_boxes(boxes.owner[kept], boxes.corners[:, kept], boxes.score[kept])]
    return kept


def _counted(run: Recorded, kept: Candidates, decoys: Candidates) -> Counted:
    """The phrases with a number."""
    numbered = run.number > 0
    own = numbered[kept.owner]
    return Counted(
        run.number[numbered],
        run.exact[numbered],
        run.picture[numbered],
        Boxes(kept.score[own], (np.cumsum(numbered) - 1)[kept.owner[own]]),
        run.decoy_picture,
        Boxes(decoys.score, decoys.owner),
        run.pictures,
    )


def right_boxes(kept: Candidates) -> np.ndarray:
    """Whether each box is right, a bool. Of the boxes on one thing, the best is right."""
    order = np.argsort(-kept.score, kind="stable")
    thing, owner = kept.thing[order], kept.owner[order]
    right = np.empty(len(order), bool)
    right[order] = (thing != NO_THING) & (rank_within(owner, thing) == 0)
    return right


def at_least(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many scores reach each threshold."""
    counts: np.ndarray = len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left")
    return counts


def true_f1(kept: Candidates, right: np.ndarray, things: int, thresholds: np.ndarray) -> np.ndarray:
    """2 right / (boxes + things) at each threshold, over all phrases. right: as from `right_boxes`."""
    boxes = at_least(kept.score, thresholds)
    f1: np.ndarray = 2 * at_least(kept.score[right], thresholds) / np.maximum(boxes + things, 1)
    return f1


def run_trials(
    recorded: Recorded, draws: int, pictures: int, seed: int, drop_groups: bool = False
) -> dict[tuple[str, str], list[Draw]]:
    """The draws by disturbance and detector."""
    return {
        (name, detector): [
            draw(recorded, weakness, disturb, pictures, np.random.default_rng([seed, number]), drop_groups)
            for number in range(draws)
        ]
        for name, disturb in DISTURBANCES.items()
        for detector, weakness in WEAK.items()
    }


def markdown(results: Mapping[tuple[str, str], list[Draw]]) -> str:
    """A table: for each disturbance and detector, the share of good draws, the largest loss, the thresholds."""
    detectors = list(dict.fromkeys(detector for _, detector in results))
    rows = [f"| | {' | '.join(detectors)} |", f"| --- |{' --- |' * len(detectors)}"]
    for name in dict.fromkeys(name for name, _ in results):
        cells = [_cell(results[name, detector]) for detector in detectors]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _cell(draws: list[Draw]) -> str:
    worst = max(one.losses[NUMBER_F1] for one in draws)
    estimated, best = np.mean([(one.thresholds[NUMBER_F1], one.best) for one in draws], axis=0)
    return f"{_good(draws, NUMBER_F1)}, at most {100 * worst:.1f}; {estimated:.2f}, best {best:.2f}"


def _good(draws: list[Draw], estimator: str) -> str:
    return f"{np.mean([one.losses[estimator] <= POINT for one in draws]):.0%}"


def comparison(results: Mapping[tuple[str, str], list[Draw]]) -> str:
    """A table: for each disturbance and estimator, the share of good draws of each detector."""
    detectors = list(dict.fromkeys(detector for _, detector in results))
    rows = [f"| {', '.join(detectors)} | {' | '.join(ESTIMATORS)} |", f"| --- |{' --- |' * len(ESTIMATORS)}"]
    for name in dict.fromkeys(name for name, _ in results):
        cells = (", ".join(_good(results[name, one], estimator) for one in detectors) for estimator in ESTIMATORS)
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)
