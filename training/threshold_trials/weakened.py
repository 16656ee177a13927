"""Weaker detectors, and disturbances of counts, decoys and boxes. Scores are changed as logits."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from training.threshold_trials.recorded import NO_THING, Candidates, Recorded

_SURE = 1e-4  # scores are kept this far from 0 and 1


@dataclass(frozen=True)
class Weakness:
    """How a detector differs from the recorded one.

    scale, shift: of all logits; they move the best threshold. noise: standard deviation of what is added to each logit.
    missed: share of the boxes on things whose logits fall, by 3 on average. false: mean number of boxes that each
    phrase and decoy gets at random places; false_logit: mean and standard deviation of their logits.
    """

    scale: float
    shift: float
    noise: float
    missed: float
    false: float
    false_logit: tuple[float, float]


WEAK = {
    "noisy": Weakness(1.0, 0.0, 1.0, 0.10, 0.6, (-3.0, 1.2)),
    "overconfident": Weakness(0.8, 1.6, 1.5, 0.15, 1.0, (-1.2, 1.2)),
    "poor": Weakness(0.7, 0.3, 2.0, 0.25, 1.5, (-2.0, 1.5)),
}
"""Three detectors. On scenes, their best thresholds are about 0.2, 0.6 and 0.4; that of the recorded one is 0.18."""


def weaken(boxes: Candidates, owners: int, weakness: Weakness, rng: np.random.Generator) -> Candidates:
    """The boxes of a weaker detector. owners: number of phrases or decoys."""
    logit = weakness.scale * _logit(boxes.score) + weakness.shift + rng.normal(0, weakness.noise, len(boxes.score))
    missed = (boxes.thing != NO_THING) & (rng.random(len(logit)) < weakness.missed)
    logit = logit - missed * rng.exponential(3.0, len(logit))
    owner = np.repeat(np.arange(owners), rng.poisson(weakness.false, owners))
    side = np.exp(rng.uniform(np.log(0.06), np.log(0.5), (2, len(owner))))
    low = rng.random((2, len(owner))) * (1 - side)
    score = _score(rng.normal(*weakness.false_logit, len(owner)))
    false = Candidates(score, owner, np.concatenate((low, low + side)), np.full(len(owner), NO_THING))
    return replace(boxes, score=_score(logit)).joined(false)


def _logit(score: np.ndarray) -> np.ndarray:
    score = np.clip(score, _SURE, 1 - _SURE)
    logit: np.ndarray = np.log(score / (1 - score))
    return logit


def _score(logit: np.ndarray) -> np.ndarray:
    score: np.ndarray = 1 / (1 + np.exp(-logit))
    return score


Disturb = Callable[[Recorded, np.random.Generator], Recorded]


def nothing(recorded: Recorded, rng: np.random.Generator) -> Recorded:
    """The run as it is."""
    return recorded


def wrong_counts(recorded: Recorded, rng: np.random.Generator) -> Recorded:
    """A fifth of the exact counts is off by one; never less than one."""
    wrong = recorded.exact & (rng.random(len(recorded.number)) < 0.2)
    off = rng.choice([-1, 1], len(recorded.number))
    return replace(recorded, number=np.where(wrong, np.maximum(recorded.number + off, 1), recorded.number))


def wrong_numbers(recorded: Recorded, rng: np.random.Generator) -> Recorded:
    """A fifth of all numbers is off by one: exact counts up or down, and a singular says "two". Most exact counts are
    then wrong: no captions are like this."""
    wrong = (recorded.number > 0) & (rng.random(len(recorded.number)) < 0.2)
    off = np.where(recorded.number == 1, 1, rng.choice([-1, 1], len(recorded.number)))
    return replace(recorded, number=recorded.number + wrong * off, exact=recorded.exact | (wrong & ~recorded.exact))


def several_meant(recorded: Recorded, rng: np.random.Generator) -> Recorded:
    """Plurals without a number are singulars: "a man" where there are several men."""
    several = (recorded.number == 0) & (recorded.things > 1)
    return replace(recorded, number=np.where(several, 1, recorded.number))


def decoys_there(recorded: Recorded, rng: np.random.Generator) -> Recorded:
    """40 % of the decoys have the boxes of a phrase that names something in another image."""
    replaced = np.flatnonzero(rng.random(len(recorded.decoy_picture)) < 0.4)
    source = rng.choice(np.flatnonzero(recorded.things > 0), len(replaced))
    order = np.argsort(recorded.boxes.owner, kind="stable")
    starts = np.searchsorted(recorded.boxes.owner[order], np.arange(len(recorded.number) + 1))
    taken = [order[starts[phrase] : starts[phrase + 1]] for phrase in source.tolist()]
    moved = recorded.boxes.take(np.concatenate([np.empty(0, int), *taken]))
    moved = replace(moved, owner=np.repeat(replaced, [len(one) for one in taken]))
    left = recorded.decoy_boxes.take(~np.isin(recorded.decoy_boxes.owner, replaced))
    return replace(recorded, decoy_boxes=left.joined(moved))


def noisy_scores(recorded: Recorded, rng: np.random.Generator) -> Recorded:
    """Noise with a standard deviation of 1 on each logit, in addition to that of the detector."""

    def noisy(boxes: Candidates) -> Candidates:
        return replace(boxes, score=_score(_logit(boxes.score) + rng.normal(0, 1.0, len(boxes.score))))

    return replace(recorded, boxes=noisy(recorded.boxes), decoy_boxes=noisy(recorded.decoy_boxes))


def duplicate_boxes(recorded: Recorded, rng: np.random.Generator) -> Recorded:
    """30 % of the boxes have a second one beside them, with an IoU of 0.6, which suppression keeps."""

    def doubled(boxes: Candidates) -> Candidates:
        chosen = boxes.take(rng.random(len(boxes.score)) < 0.3)
        shift = 0.25 * (chosen.corners[2] - chosen.corners[0]) * rng.choice([-1, 1], len(chosen.score))
        corners = np.clip(chosen.corners + np.array((shift, 0 * shift, shift, 0 * shift)), 0, 1)
        score = _score(_logit(chosen.score) - rng.exponential(0.5, len(chosen.score)))
        inside = corners[2] - corners[0] > 0.01
        return boxes.joined(replace(chosen, corners=corners, score=score).take(inside))

    return replace(recorded, boxes=doubled(recorded.boxes), decoy_boxes=doubled(recorded.decoy_boxes))


def group_boxes(recorded: Recorded, rng: np.random.Generator) -> Recorded:
    """Half of the phrases for several things have a box around all of them, with their best score."""
    grouped = np.flatnonzero((recorded.things > 1) & (rng.random(len(recorded.things)) < 0.5))
    best = np.zeros(len(recorded.things))
    np.maximum.at(best, recorded.boxes.owner, recorded.boxes.score)
    groups = Candidates(best[grouped], grouped, recorded.hull[:, grouped], np.full(len(grouped), NO_THING))
    return replace(recorded, boxes=recorded.boxes.joined(groups))


DISTURBANCES: dict[str, Disturb] = {
    "none": nothing,
    "20 % wrong counts": wrong_counts,
    "40 % of the decoys are there": decoys_there,
    "noisy scores": noisy_scores,
    "duplicate boxes": duplicate_boxes,
    "group boxes": group_boxes,
    "singulars where there are several": several_meant,
    "20 % wrong numbers, also of singulars": wrong_numbers,
}
"""By name. They are applied before the detector is weakened; noise is added to the noise of the detector."""
