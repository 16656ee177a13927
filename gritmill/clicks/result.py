"""The answers and the run's numbers of boxes -> precision, thresholds, curves.

With W boxes of the whole run between two thresholds, and the chance p that one of them is right, the boxes at a
threshold contain R = Σ W p right ones, over all higher scores. So the precision is R / Σ W: boxes count as often as the
run has them, however many were asked about. F1 is 2 R / (Σ W + R at the lowest threshold): things without any candidate
are not seen. They would lower every F1, and the best threshold slightly.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from gritmill.clicks.clicks_file import NO, SKIPPED, YES, Clicks
from gritmill.clicks.curve import Curves, fit
from pipeline.faults import DataFault
from transforms.wording import counted

ENOUGH_ANSWERS = 40
"""With fewer answers, a threshold is only indicative."""

_MANY_SKIPPED = 0.2
_GROUPS = 10


class Estimates:
    """What the curves say about the boxes of a run at each threshold.

    thresholds: rising. boxes: how many the run would write at each. found, precision, recall, f1: float64 [curves,
    thresholds]: right boxes; their share of the boxes; their share of the right boxes at the lowest threshold; F1.
    precision_interval: float64 [2, thresholds], 95 %.
    """

    def __init__(self, score: np.ndarray, right: np.ndarray, thresholds: np.ndarray, boxes: np.ndarray) -> None:
        """score, right: the answers, as for `fit`. boxes: by threshold, of the run."""
        self.thresholds = thresholds
        upper = np.append(thresholds[1:], max(1.0, thresholds[-1]))
        self.scores = (thresholds + upper) / 2
        self.curves: Curves = fit(score, right, self.scores)
        # Selection can reject a pair at a lower threshold only: then there are fewer boxes, not less than none.
        between = np.maximum(boxes - np.append(boxes[1:], 0), 0)
        self.boxes = _from_above(between.astype(float))
        self.found = _from_above(self.curves.chance * between)
        self.precision = self.found / np.maximum(self.boxes, 1)
        self.precision_interval = self._precision_interval(score, right)
        least = np.maximum(self.found[:, :1], 1e-9)
        self.recall = self.found / least
        self.f1 = 2 * self.found / (self.boxes + least)

    def _precision_interval(self, score: np.ndarray, right: np.ndarray) -> np.ndarray:
        """The 95 % interval of the precision, [2, thresholds]. As in that of Clopper and Pearson, it reaches 1 where no
        answer is no, and 0 where every one is no: quantiles of curves never do, and some precisions are 1."""
        low, high = self.curves.interval(self.precision)
        highest_no, highest_yes = (score[right == answer].max(initial=-1) for answer in (False, True))
        only_no = (self.thresholds > highest_yes) & (self.thresholds <= highest_no)
        return np.array((np.where(only_no, 0, low), np.where(self.thresholds > highest_no, 1, high)))

    def mean(self, values: np.ndarray) -> np.ndarray:
        """The mean over the curves. values: float64 [curves, n]."""
        return self.curves.mean(values)

    def interval_of(self, positions: np.ndarray, counted_in: np.ndarray) -> list[float] | None:
        """The 95 % interval of a threshold. positions: of the threshold of each curve. counted_in: bool, which curves
        have one; None if none has."""
        if not counted_in.any():
            return None
        curves = Curves(self.curves.probability[counted_in], self.curves.chance[counted_in])
        found: list[float] = curves.interval(self.thresholds[positions[counted_in], None])[:, 0].tolist()
        return found

    def lowest(self, precision: np.ndarray, wished: float) -> np.ndarray:
        """The position of the lowest threshold with boxes that has the precision, or -1. precision: [n, thresholds]."""
        reached = (precision >= wished) & (self.boxes > 0)
        return np.where(reached.any(axis=1), reached.argmax(axis=1), -1)

    def at(self, threshold: float) -> int:
        """The position of a threshold, or of the next higher one; the highest if there is none."""
        return min(int(np.searchsorted(self.thresholds, threshold - 1e-9)), len(self.thresholds) - 1)

    def figures(self) -> list[dict[str, Any]]:
        """The figures at each threshold. `low` and `high` are the 95 % interval of the precision; all three are None
        where the run has no boxes."""
        low, high = self.precision_interval
        of_boxes = ("precision", "low", "high")
        columns = {
            "threshold": self.thresholds,
            "boxes": self.boxes.astype(int),
            "precision": self.mean(self.precision),
            "low": low,
            "high": high,
            "recall": self.mean(self.recall),
            "f1": self.mean(self.f1),
        }
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        found = [dict(zip(columns, row, strict=True)) for row in rows]
        return [one if one["boxes"] else one | dict.fromkeys(of_boxes) for one in found]

    def chances(self) -> list[dict[str, Any]]:
        """The chance that a box is right, between each threshold and the next one, at its middle `score`."""
        low, high = self.curves.interval(self.curves.chance)
        columns = (self.scores, self.mean(self.curves.chance), low, high)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        names = ("score", "chance", "chance_low", "chance_high")
        return [dict(zip(names, row, strict=True)) for row in rows]


def _from_above(values: np.ndarray) -> np.ndarray:
    """Sums of the last axis from each position to its end."""
    result: np.ndarray = np.cumsum(values[..., ::-1], axis=-1)[..., ::-1]
    return result


def build_result(clicks: Clicks, file: str, wished_precision: float) -> dict[str, Any]:
    """The content of `calibration.json`. file: the name of the file with the clicks. wished_precision: 0..1.

    Raises:
      DataFault: no box has the answer yes or no.
    """
    counts = Counter(one.answer for one in clicks.boxes if one.answer)
    answered = [one for one in clicks.boxes if one.answer in (YES, NO)]
    if not answered:
        raise DataFault(
            f"{file}: nothing was measured: none of {counted(len(clicks.boxes), 'box')} has the answer yes or no, "
            f"{counts[SKIPPED]} skipped; answer more on the page of gritmill view"
        )
    score = np.array([one.score for one in answered])
    right = np.array([one.answer == YES for one in answered])
    made = Estimates(score, right, np.array(clicks.thresholds.score), np.array(clicks.thresholds.boxes))
    figures = made.figures()
    in_force = figures[made.at(clicks.threshold.score)]
    wished = int(made.lowest(made.mean(made.precision)[None], wished_precision)[0])
    of_curves = made.lowest(made.precision, wished_precision)
    reached = of_curves >= 0
    best = int(made.mean(made.f1).argmax())
    return {
        "clicks": {
            "asked": len(clicks.boxes),
            "answers": counts.total(),
            **{answer: counts[answer] for answer in (YES, NO, SKIPPED)},
        },
        "run": clicks.run,
        "fingerprints": clicks.fingerprints.model_dump(),
        "detector": clicks.detector,
        "seed": clicks.seed,
        "wished_precision": wished_precision,
        "precision": in_force["precision"],
        "threshold": figures[wished]["threshold"] if wished >= 0 else None,
        "interval": {
            "precision": [in_force["low"], in_force["high"]],
            "threshold": made.interval_of(of_curves, reached),
            "reached": float(made.curves.probability[reached].sum()),
        },
        "at_threshold": figures[wished] if wished >= 0 else None,
        "highest_precision": max(
            (one for one in figures if one["boxes"]), key=lambda one: one["precision"], default=None
        ),
        "best_f1": {
            "threshold": figures[best]["threshold"],
            "interval": {
                "f1": made.curves.interval(made.f1[:, [best]])[:, 0].tolist(),
                "threshold": made.interval_of(made.f1.argmax(axis=1), np.ones(len(made.f1), bool)),
            },
            "figures": figures[best],
        },
        "in_force": {"threshold": clicks.threshold.score, "source": clicks.threshold.source, "figures": in_force},
        "notes": list(_notes(counts, made, best)),
        "groups": list(_groups(score, right)),
        "curves": {"all": [one | chance for one, chance in zip(figures, made.chances(), strict=True)]},
    }


def _notes(counts: Counter[Any], made: Estimates, best: int) -> Iterator[str]:
    """What is missing, one line each."""
    usable = counts[YES] + counts[NO]
    if usable < ENOUGH_ANSWERS:
        yield f"indicative: {counted(usable, 'answer')} yes or no, fewer than {ENOUGH_ANSWERS}"
    if counts[SKIPPED] > _MANY_SKIPPED * counts.total():
        yield f"{counted(counts[SKIPPED], 'box')} of {counts.total()} skipped: if these are worse, precision is lower"
    if not counts[YES] or not counts[NO]:
        yield f"every answer is {YES if counts[YES] else NO}: the answers do not tell where the chance changes"
    if best == 0:
        yield "the best F1 is at the lowest threshold, detector.floor: a lower floor may find more"


def _groups(score: np.ndarray, right: np.ndarray) -> Iterator[dict[str, Any]]:
    """The answers in ten equal bins of the score. Empty bins are left out."""
    bins = np.minimum((score * _GROUPS).astype(int), _GROUPS - 1)
    for number in np.unique(bins).tolist():
        own = right[bins == number]
        edges = {"from": number / _GROUPS, "to": (number + 1) / _GROUPS}
        yield edges | {"score": float(score[bins == number].mean()), "answers": len(own), "yes": int(own.sum())}
