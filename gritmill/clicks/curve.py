"""Answers -> how likely a box of each score is right, with its uncertainty.

The chance that a box is right rises with its score from `low` to `high`, as a logistic curve of the logit of the score:

    p(s) = low + (high - low) / (1 + exp(-steepness (x - middle)))        x = (logit(s) - median) / deviation

`high` is below 1 if some boxes are wrong whatever their score, and `low` above 0 if some are right. A hundred answers
do not settle four numbers. So every curve of a grid is kept, with its probability given the answers (Bayes), and all
results are means and quantiles over the curves. The scale of x makes the grid independent of the range of the scores.

The likelihood is raised to the power of 0.8, as if there were a fifth fewer answers, because real curves are not
exactly of this form. Where 12 % of the phrases were wrong at any score, 91 to 95 % of the 95 % intervals of precision
then contained the truth, and 88 to 91 % without it (`training/threshold_trials/clicks.py`, 100 answers).
"""

from dataclasses import dataclass

import numpy as np

_LOW, _LOW_PRIOR = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35), (8.0, 3.0, 2.0, 1.0, 0.5, 0.3)
_HIGH, _HIGH_PRIOR = (1.0, 0.99, 0.97, 0.94, 0.88, 0.8, 0.65), (8.0, 3.0, 2.0, 1.0, 0.5, 0.3, 0.2)
_STEEPNESS = np.geomspace(0.8, 12, 9)
_MIDDLE = np.linspace(-4, 4, 41)
_POWER = 0.8
_SURE = 1e-4
"""Scores and chances are kept this far from 0 and 1."""
_FAR = 50.0
_LEAST_DEVIATION = 0.05
_NEGLIGIBLE = 1e-5
"""Curves with less than this share of the highest probability are left out."""


@dataclass(frozen=True)
class Curves:
    """Curves with their probabilities.

    probability: float64 [curves], with a sum of 1. chance: float64 [curves, scores], 0..1, rising along the scores: how
    likely a box of that score is right.
    """

    probability: np.ndarray
    chance: np.ndarray

    def mean(self, values: np.ndarray) -> np.ndarray:
        """The mean over the curves. values: float64 [curves, n] -> [n]."""
        result: np.ndarray = self.probability @ values
        return result

    def interval(self, values: np.ndarray) -> np.ndarray:
        """The quantiles 2.5 % and 97.5 %. values: float64 [curves, n] -> [2, n]."""
        order = np.argsort(values, axis=0)
        reached = np.cumsum(self.probability[order], axis=0)
        found = [(reached < share * reached[-1]).sum(axis=0) for share in (0.025, 0.975)]
        result: np.ndarray = np.take_along_axis(np.take_along_axis(values, order, 0), np.array(found), 0)
        return result


def fit(score: np.ndarray, right: np.ndarray, at: np.ndarray) -> Curves:
    """The curves that the answers leave. score: of each answered box, at least one, 0..1. right: bool, its answer.
    at: the scores at which the curves are computed, 0..1. Beyond the answered scores, curves stay as they are there."""
    logit = _logit(score)
    middle, deviation = np.median(logit), max(logit.std(), _LEAST_DEVIATION)
    low, high, steepness, position = (axis.ravel() for axis in np.meshgrid(_LOW, _HIGH, _STEEPNESS, _MIDDLE))
    prior = np.outer(_LOW_PRIOR, _HIGH_PRIOR)[np.searchsorted(_LOW, low), _place(high)]

    def chances(scores: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        x = (_logit(scores) - middle) / deviation
        rise = 1 / (1 + np.exp(np.clip(-steepness[chosen, None] * (x - position[chosen, None]), -_FAR, _FAR)))
        result: np.ndarray = low[chosen, None] + (high - low)[chosen, None] * rise
        return result

    chance = np.clip(chances(score, np.arange(len(low))), _SURE, 1 - _SURE)
    evidence = _POWER * np.log(np.where(right, chance, 1 - chance)).sum(axis=1) + np.log(prior)
    probability = np.exp(evidence - evidence.max())
    (kept,) = np.nonzero(probability > _NEGLIGIBLE)
    return Curves(probability[kept] / probability[kept].sum(), chances(np.clip(at, score.min(), score.max()), kept))


def _place(high: np.ndarray) -> np.ndarray:
    falling: np.ndarray = len(_HIGH) - 1 - np.searchsorted(_HIGH[::-1], high)
    return falling


def _logit(score: np.ndarray) -> np.ndarray:
    inside = np.clip(score, _SURE, 1 - _SURE)
    result: np.ndarray = np.log(inside / (1 - inside))
    return result
