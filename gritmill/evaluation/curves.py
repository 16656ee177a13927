"""Precision and recall by threshold, reliability, and the threshold for a target precision.

As in COCO's evaluation, a box is correct if it has an IoU of at least 0.5 with a thing of its own phrase that no
better-scored box has taken. Of two boxes on one thing, one is correct and one is wrong. Boxes of absent phrases are
wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gritmill.evaluation.metrics import share

STEPS = 1000
"""Thresholds are whole thousandths, so that the printed threshold is the measured one."""

RESAMPLES = 1000
_INTERVAL = (2.5, 97.5)
_BINS = 20


@dataclass(frozen=True)
class BoxArrays:
    """The selected boxes of measured phrases. right: bool. phrase, picture: the number of each."""

    score: np.ndarray
    right: np.ndarray
    phrase: np.ndarray
    picture: np.ndarray

    def where(self, mask: np.ndarray) -> "BoxArrays":
        """The boxes that `mask`, a bool per box, selects."""
        return BoxArrays(self.score[mask], self.right[mask], self.phrase[mask], self.picture[mask])


@dataclass(frozen=True)
class PhraseArrays:
    """The measured phrases. things: how many each names; 0 if it is absent."""

    things: np.ndarray
    kinds: list[tuple[str, ...]]

    def of_kind(self, kind: str) -> np.ndarray:
        """Whether each phrase is of the kind: a bool per phrase."""
        return np.array([kind in kinds for kinds in self.kinds], bool)


def threshold_grid(floor: float) -> np.ndarray:
    """The thousandths from `floor`, the lowest score that a candidate may have, to 1."""
    return np.arange(int(np.ceil(round(floor * STEPS, 6))), STEPS + 1) / STEPS


@dataclass(frozen=True)
class Curve:
    """Counts at each threshold, and totals.

    boxes: boxes with at least that score. right: those of them that are correct. present_hit: present phrases with a
    correct box. absent_hit: absent phrases with a box. things, present, absent: totals of things and phrases.
    """

    thresholds: np.ndarray
    boxes: np.ndarray
    right: np.ndarray
    present_hit: np.ndarray
    absent_hit: np.ndarray
    things: int
    present: int
    absent: int

    @property
    def precision(self) -> np.ndarray:
        """The share of boxes that are correct; NaN where there is no box."""
        return _ratio(self.right, self.boxes)

    def figures_at(self, threshold: float) -> dict[str, Any]:
        """The figures at a threshold, or at the next higher one of the curve. A share is None if its total is 0."""
        i = min(int(np.searchsorted(self.thresholds, threshold - 1e-9)), len(self.thresholds) - 1)
        boxes, right = int(self.boxes[i]), int(self.right[i])
        return {
            "threshold": float(self.thresholds[i]),
            "boxes": boxes,
            "right": right,
            "precision": share(right, boxes),
            "recall": share(right, self.things),
            "phrases_with_right_box": share(int(self.present_hit[i]), self.present),
            "absent_with_box": share(int(self.absent_hit[i]), self.absent),
        }


def build_curve(boxes: BoxArrays, phrases: PhraseArrays, selected: np.ndarray, thresholds: np.ndarray) -> Curve:
    """The curve of some phrases. selected: a bool per phrase. thresholds: ascending."""
    subset = boxes.where(selected[boxes.phrase])
    absent = selected & (phrases.things == 0)
    return Curve(
        thresholds,
        _count_at_least(subset.score, thresholds),
        _count_at_least(subset.score[subset.right], thresholds),
        _count_at_least(_best_scores(subset.where(subset.right), len(selected)), thresholds),
        _count_at_least(_best_scores(subset.where(absent[subset.phrase]), len(selected)), thresholds),
        int(phrases.things[selected].sum()),
        int((selected & (phrases.things > 0)).sum()),
        int(absent.sum()),
    )


def _best_scores(boxes: BoxArrays, phrases: int) -> np.ndarray:
    """The best score of each phrase that has a box."""
    best = np.full(phrases, -1.0)
    np.maximum.at(best, boxes.phrase, boxes.score)
    reached: np.ndarray = best[best >= 0]
    return reached


def _count_at_least(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many scores reach each threshold."""
    counts: np.ndarray = len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left")
    return counts


def lowest_threshold(thresholds: np.ndarray, precision: np.ndarray, target_precision: float) -> float | None:
    """The lowest threshold that has the target precision, and so the highest recall of those that have it, or None."""
    reached = np.flatnonzero(np.nan_to_num(precision, nan=-1.0) >= target_precision)
    return float(thresholds[reached[0]]) if len(reached) else None


def bootstrap(
    boxes: BoxArrays,
    pictures: int,
    thresholds: np.ndarray,
    target_precision: float,
    chosen_threshold: float | None,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Bootstrap over images.

    Each resample draws as many images as there are, with replacement. Images are drawn rather than boxes, because
    the boxes of one image are not independent. chosen_threshold: the threshold whose precision gets an interval.

    Returns:
      95 % intervals of `threshold` and `precision`, None where there is none; `reached`, the share of the resamples
      that reach the target precision.
    """
    order = np.argsort(-boxes.score, kind="stable")
    picture, right = boxes.picture[order], boxes.right[order]
    ends = _count_at_least(boxes.score, thresholds)
    rng = np.random.default_rng(seed)
    found_thresholds, precisions = [], []
    for _ in range(resamples):
        weight = np.bincount(rng.integers(0, pictures, pictures), minlength=pictures)[picture]
        all_boxes = np.concatenate(([0], np.cumsum(weight)))[ends]
        right_boxes = np.concatenate(([0], np.cumsum(weight * right)))[ends]
        precision = _ratio(right_boxes, all_boxes)
        found_thresholds.append(lowest_threshold(thresholds, precision, target_precision))
        if chosen_threshold is not None:
            precisions.append(precision[np.searchsorted(thresholds, chosen_threshold - 1e-9)])
    reached_thresholds = [one for one in found_thresholds if one is not None]
    return {
        "threshold": _interval(reached_thresholds),
        "precision": _interval([p for p in precisions if not np.isnan(p)]),
        "reached": len(reached_thresholds) / resamples,
    }


def _interval(values: Sequence[float]) -> tuple[float, float] | None:
    if not values:
        return None
    low, high = np.percentile(values, _INTERVAL)
    return float(low), float(high)


def reliability_bins(boxes: BoxArrays) -> list[dict[str, Any]]:
    """Mean score and precision of the boxes in twenty equal bins of the score. Empty bins are left out."""
    bins = np.minimum((boxes.score * _BINS).astype(int), _BINS - 1)
    return [
        {
            "from": number / _BINS,
            "to": (number + 1) / _BINS,
            "boxes": int((bins == number).sum()),
            "mean_score": float(boxes.score[bins == number].mean()),
            "precision": float(boxes.right[bins == number].mean()),
        }
        for number in np.unique(bins).tolist()
    ]


def calibration_error(bins: Sequence[dict[str, Any]]) -> float | None:
    """Expected calibration error (Naeini et al. 2015): mean |mean score - precision| of the bins, weighted by boxes."""
    boxes = sum(bin_["boxes"] for bin_ in bins)
    distance = sum(bin_["boxes"] * abs(bin_["mean_score"] - bin_["precision"]) for bin_ in bins)
    return distance / boxes if boxes else None


def _ratio(part: np.ndarray, total: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.divide(part, total, out=np.full(len(total), np.nan), where=total > 0)
    return result
