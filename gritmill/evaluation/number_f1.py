"""Number-F1: how well the numbers of boxes agree with the numbers that captions state, by score threshold.

The true F1 of boxes at a threshold is 2 right / (boxes + things). Without true boxes, a caption still says how many
things a phrase names: "two dogs" names 2, "the dog" names 1. With n boxes of a phrase and the stated number k, at most
min(n, k) boxes are right and k is the number of things:

    number-F1 = 2 Σ min(n, k) / (Σ n + Σ k + D)

It sees boxes that are too many or too few. It does not see where a box is.

**D, the boxes of decoys.** Some phrases name nothing in the image. Their boxes are wrong, but min(n, k) counts them as
right, so that low thresholds look too good. Decoys are absent by construction. They enter as often as absent phrases
occur, however many of them each pair was asked: beside N phrases, a share `a` of absent ones is A = N a / (1 - a) of
them, and D = A d, where d is the mean number of boxes of a decoy. With all decoys, precision would matter several times
too much. To take the absent phrases out of Σ min(n, k) and of Σ k instead would be about twice as strong, and exact if
`a` and d were; docs/evaluation.md compares the forms.

**The share a** is estimated from the same boxes. At some threshold, let f be the share of phrases with a box, and m
that of decoys; r and q are the shares of present and of absent things with a box. A share `b` of the decoys is in the
image, although its captions do not name them. Then

    f = (1 - a) r + a q        m = b r + (1 - b) q

As r <= 1 and q >= 0, at every threshold 1 - f >= a' (1 - m) and m >= b' f, for the numbers a' and b' with
a = a' (1 - b') / (1 - a' b') and b = b' (1 - a') / (1 - a' b'). So the lowest (1 - f) / (1 - m) of all thresholds
estimates a', and the lowest m / f estimates b': each is the largest share of one distribution of scores that the other
one can contain. They are exact if the detector finds all things at its floor, and no absent ones at its highest scores
(Blanchard, Lee and Scott 2010; Scott, Blanchard and Handy 2013, "mutual contamination"). a' alone, which is Storey's
(2002) share of true null hypotheses with decoys as null, is too high if decoys are there. A present phrase that is
missed even at the floor counts as absent, so that `a` is still rather too high than too low. d is not corrected for
decoys that are there.

**Readings.** "A man" is also said of an image with several men, of which one is meant. `EXACTLY_ONE` takes it as k = 1,
and `AT_LEAST_ONE` takes every further box as right: k = max(n, 1). The truth is between them, and exact counts tell
where: boxes beyond an exact count are wrong, and a singular has about as many wrong boxes. If further boxes of
singulars are more frequent than boxes beyond exact counts, the excess is right. `BETWEEN` takes it less two standard
errors (of two Poisson counts), so that few exact counts change nothing, and never less of it at a lower threshold.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from transforms.selection.select_boxes import rank_within

EXACTLY_ONE, BETWEEN, AT_LEAST_ONE = "exactly_one", "between", "at_least_one"
READINGS = (EXACTLY_ONE, BETWEEN, AT_LEAST_ONE)

ENOUGH_COUNTS = 100
"""With fewer exact counts, a threshold is only indicative."""

RESAMPLES = 500
_INTERVAL = (2.5, 97.5)
_LEAST = 20
"""Decoys without a box, or phrases with one, at a threshold that counts for the estimate of shares. A ratio to fewer
would be mostly chance."""

_ERRORS = 2.0
"""Standard errors that are taken from the excess of further boxes. With 1, chance lowers thresholds in scenes."""

_MOST = 0.5
"""Neither share is estimated to be higher: scores that separate so little say nothing about shares."""


@dataclass(frozen=True)
class Boxes:
    """The boxes that a run would write at the lowest threshold. score: float64. owner: number of the phrase."""

    score: np.ndarray
    owner: np.ndarray


@dataclass(frozen=True)
class Counted:
    """Phrases with a stated number, and decoys, with their boxes.

    number: int, the stated number of each phrase, at least 1. exact: bool, whether words state it ("two dogs"); the
    others are in the singular, and their number is 1. picture: int, the number of each phrase's image, from 0.
    decoy_picture: of each decoy. pictures: how many images there are, also those without phrases.
    """

    number: np.ndarray
    exact: np.ndarray
    picture: np.ndarray
    boxes: Boxes
    decoy_picture: np.ndarray
    decoy_boxes: Boxes
    pictures: int

    def curve(self, thresholds: np.ndarray) -> "NumberCurve":
        """The counts at each threshold. thresholds: ascending."""
        return self._sorted.curve(thresholds, np.ones(self.pictures))

    def resampled(self, thresholds: np.ndarray, seed: int, resamples: int = RESAMPLES) -> "Iterator[NumberCurve]":
        """Curves of resamples of the images, with replacement: phrases of one image are not independent."""
        rng = np.random.default_rng(seed)
        for _ in range(resamples):
            chosen = rng.integers(0, self.pictures, self.pictures)
            yield self._sorted.curve(thresholds, np.bincount(chosen, minlength=self.pictures).astype(float))

    @cached_property
    def _sorted(self) -> "_Sorted":
        order, rank = _best_first(self.boxes)
        owner = self.boxes.owner[order]
        decoy_order, decoy_rank = _best_first(self.decoy_boxes)
        return _Sorted(
            self,
            self.boxes.score[order],
            self.picture[owner],
            rank < self.number[owner],
            (rank > 0) & ~self.exact[owner],
            rank == 0,
            self.decoy_boxes.score[decoy_order],
            self.decoy_picture[self.decoy_boxes.owner[decoy_order]],
            decoy_rank == 0,
        )


def _best_first(boxes: Boxes) -> tuple[np.ndarray, np.ndarray]:
    """The order of the boxes by descending score, and the rank of each in this order among the boxes of its owner."""
    order = np.argsort(-boxes.score, kind="stable")
    return order, rank_within(boxes.owner[order])


@dataclass(frozen=True)
class _Sorted:
    """Boxes by descending score, so that each count at a threshold is a sum of the first ones.

    agrees: whether a box is within the stated number. extra: whether it is a further one of a singular. first: whether
    it is the best of its phrase.
    """

    counted: Counted
    score: np.ndarray
    picture: np.ndarray
    agrees: np.ndarray
    extra: np.ndarray
    first: np.ndarray
    decoy_score: np.ndarray
    decoy_picture: np.ndarray
    decoy_first: np.ndarray

    def curve(self, thresholds: np.ndarray, weight: np.ndarray) -> "NumberCurve":
        """The curve in which each image counts `weight` times."""
        ends, decoy_ends = _ends(self.score, thresholds), _ends(self.decoy_score, thresholds)
        weights, decoy_weights = weight[self.picture], weight[self.decoy_picture]
        of_phrase = weight[self.counted.picture]
        return NumberCurve(
            thresholds,
            _sums(weights, ends),
            _sums(weights * self.agrees, ends),
            _sums(weights * self.extra, ends),
            _sums(weights * self.first, ends),
            float((of_phrase * self.counted.number).sum()),
            float(of_phrase.sum()),
            float(of_phrase[self.counted.exact].sum()),
            _sums(decoy_weights, decoy_ends),
            _sums(decoy_weights * self.decoy_first, decoy_ends),
            float(weight[self.counted.decoy_picture].sum()),
        )


def _ends(score: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many of the scores, which descend, reach each threshold."""
    ends: np.ndarray = len(score) - np.searchsorted(score[::-1], thresholds, side="left")
    return ends


def _sums(values: np.ndarray, ends: np.ndarray) -> np.ndarray:
    sums: np.ndarray = np.concatenate(([0.0], np.cumsum(values)))[ends]
    return sums


@dataclass(frozen=True)
class NumberCurve:
    """Counts at each threshold, and totals. All are sums of weights of images.

    boxes: Σ n. agreed: Σ min(n, k), with k = 1 for a singular. extra: further boxes of singulars. found: phrases with
    a box. stated: Σ k. phrases, exact: the number of all, and of those with an exact count. decoy_boxes: boxes of
    decoys. decoys_found: decoys with a box. decoys: their number; 0 if none were asked for.
    """

    thresholds: np.ndarray
    boxes: np.ndarray
    agreed: np.ndarray
    extra: np.ndarray
    found: np.ndarray
    stated: float
    phrases: float
    exact: float
    decoy_boxes: np.ndarray
    decoys_found: np.ndarray
    decoys: float

    @cached_property
    def _shares(self) -> tuple[float, float]:
        """The shares of phrases that are absent and of decoys that are there, each 0..0.5; 0 without decoys."""
        if not (self.decoys and self.phrases):
            return 0.0, 0.0
        f, m = self.found / self.phrases, self.decoys_found / self.decoys
        low, high = self.decoys - self.decoys_found >= _LEAST, self.found >= _LEAST
        absent = min(_lowest(1 - f[low], 1 - m[low]), _MOST)
        there = min(_lowest(m[high], f[high]), _MOST)
        both = 1 - absent * there
        return absent * (1 - there) / both, there * (1 - absent) / both

    @property
    def absent_share(self) -> float:
        """The estimated share of phrases that are absent, 0..0.5. See the module."""
        return self._shares[0]

    @property
    def decoys_there(self) -> float:
        """The estimated share of decoys that are in the image, 0..0.5."""
        return self._shares[1]

    @property
    def absent_boxes(self) -> np.ndarray:
        """D at each threshold."""
        absent = self.phrases * self.absent_share / (1 - self.absent_share)
        result: np.ndarray = self.decoy_boxes * (absent / self.decoys if self.decoys else 0.0)
        return result

    def f1(self, reading: str) -> np.ndarray:
        """Number-F1 at each threshold, 0..1; 0 without phrases. reading: one of `READINGS`."""
        extra = self._right_extra(reading)
        total = self.boxes + self.stated + extra + self.absent_boxes
        result: np.ndarray = 2 * (self.agreed + extra) / np.maximum(total, 1)
        return result

    def _right_extra(self, reading: str) -> np.ndarray:
        """The further boxes of singulars that count as right, at each threshold."""
        if reading == AT_LEAST_ONE:
            return self.extra
        if reading == EXACTLY_ONE or not self.exact:
            return np.zeros(len(self.thresholds))
        beyond, singulars = self.boxes - self.agreed - self.extra, (self.phrases - self.exact) / self.exact
        error = np.sqrt(np.maximum(beyond, 1) * singulars**2 + self.extra)
        more = np.maximum(self.extra - beyond * singulars - _ERRORS * error, 0)
        result: np.ndarray = np.maximum.accumulate(more[::-1])[::-1]
        return result

    def best(self, reading: str) -> int:
        """The position of the threshold with the best number-F1; the lowest one of a tie."""
        return int(self.f1(reading).argmax())

    def figures_at(self, threshold: float) -> dict[str, Any]:
        """The figures at a threshold, or at the next higher one of the curve. A share is None if its total is 0."""
        at = min(int(np.searchsorted(self.thresholds, threshold - 1e-9)), len(self.thresholds) - 1)
        return {
            "threshold": float(self.thresholds[at]),
            "boxes": int(self.boxes[at]),
            "agreed": int(self.agreed[at]),
            **{reading: float(self.f1(reading)[at]) for reading in READINGS},
            "phrases_with_box": float(self.found[at] / self.phrases) if self.phrases else None,
            "decoys_with_box": float(self.decoys_found[at] / self.decoys) if self.decoys else None,
        }


def _lowest(part: np.ndarray, total: np.ndarray) -> float:
    """The lowest ratio; 0 if there is none."""
    return float((part / total).min()) if len(total) else 0.0


def intervals(counted: Counted, thresholds: np.ndarray, seed: int, resamples: int = RESAMPLES) -> dict[str, Any]:
    """By reading, the 95 % intervals of the best threshold, and of number-F1 at the best threshold of all images."""
    whole = counted.curve(thresholds)
    best = {reading: whole.best(reading) for reading in READINGS}
    found: dict[str, list[tuple[float, float]]] = {reading: [] for reading in READINGS}
    for curve in counted.resampled(thresholds, seed, resamples):
        for reading, at in best.items():
            f1 = curve.f1(reading)
            found[reading].append((float(thresholds[f1.argmax()]), float(f1[at])))
    result = {}
    for reading, values in found.items():
        (low, f1_low), (high, f1_high) = np.percentile(np.array(values), _INTERVAL, axis=0).tolist()
        result[reading] = {"threshold": [low, high], "f1": [f1_low, f1_high]}
    return result
