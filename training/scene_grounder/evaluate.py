"""Measures a grounder on scenes: the figures of its model card.

Each scene gives one prompt of its true and absent phrases for gritmill's detector. The score of a phrase is the mean
over its tokens. Suppression and other filters are off, so that the figures describe the model itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gritmill.evaluation.metrics import MIN_IOU
from training.scene_grounder.tars import Example
from transforms.detectors.base import Found, Request
from transforms.detectors.grounding_dino.model import GroundingDino
from transforms.detectors.settings import DetectorSettings
from transforms.records import Box
from transforms.selection.select_boxes import ious, suppress

_NEAR = 0.7  # IoU of near duplicates
_TOGETHER = 64  # scenes per detector call


def hits(boxes: Sequence[Box], things: Sequence[Box]) -> int:
    """Counts the things with a right box, each box for one thing. Pairs are matched by decreasing IoU."""
    overlaps = ious([box.corners for box in boxes], [thing.corners for thing in things])
    taken: set[int] = set()
    matched: set[int] = set()
    for overlap, b, t in sorted(((overlap, *pair) for pair, overlap in np.ndenumerate(overlaps)), reverse=True):
        if overlap >= MIN_IOU and b not in taken and t not in matched:
            taken.add(b)
            matched.add(t)
    return len(matched)


@dataclass(frozen=True)
class PhraseResult:
    """One phrase and the model's answer. truth: the true boxes, empty for an absent phrase. boxes: best first.

    unseen: whether the phrase combines a colour and a noun that are held out of training.
    """

    text: str
    truth: tuple[Box, ...]
    boxes: tuple[Box, ...]
    unseen: bool = False

    def right(self, boxes: Sequence[Box]) -> bool:
        """Whether at least one of the boxes is right."""
        return hits(boxes, self.truth) > 0

    def all_right(self, boxes: Sequence[Box]) -> bool:
        """Whether every thing has its own right box."""
        return hits(boxes, self.truth) == len(self.truth)

    def above(self, threshold: float) -> list[Box]:
        """Returns the boxes with at least this score."""
        return [box for box in self.boxes if box.score >= threshold]


@dataclass(frozen=True)
class Figures:
    """Shares of phrases, 0..1, at one threshold, and the numbers of phrases.

    recall_at_1: present phrases whose best box is right. plural: phrases for several things, all of which have a right
    box above the threshold. plural_ranked: the same among the best n boxes for n things, after the suppression of near
    duplicates. absent: absent phrases with a box above the threshold. present: present phrases with a right box above
    the threshold.
    """

    threshold: float
    recall_at_1: float
    plural: float
    plural_ranked: float
    absent: float
    present: float
    numbers: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return (
            f"Recall@1 {self.recall_at_1:.3f}; at threshold {self.threshold:.3f} right boxes for {self.present:.3f} of "
            f"the present phrases, boxes for {self.absent:.3f} of the absent ones, complete plurals {self.plural:.3f}"
        )


def query_model(model: Path | str, examples: Sequence[Example]) -> list[PhraseResult]:
    """Queries the model and returns a result for every phrase of the examples."""
    settings = DetectorSettings(model=str(model), device="cpu", threads=1, batch=4, floor=0.02, candidates=30)
    detector = GroundingDino.load(settings)
    results: list[PhraseResult] = []
    for first in range(0, len(examples), _TOGETHER):
        some = examples[first : first + _TOGETHER]
        found = detector.detect([Request(one.data, one.width, one.height, _phrases(one)) for one in some])
        for example, answer in zip(some, found, strict=True):
            results += _phrase_results(example, answer)
    return results


def _phrases(example: Example) -> tuple[str, ...]:
    return (*(truth.text for truth in example.truths), *example.absent)


def _phrase_results(example: Example, found: Found) -> Iterable[PhraseResult]:
    if found.error:
        raise ValueError(f"{example.key}: {found.error}")
    truths = [tuple(Box(0, *box, 1.0) for box in truth.boxes) for truth in example.truths]
    truths += [()] * len(example.absent)
    unseen = [truth.unseen for truth in example.truths] + [False] * len(example.absent)
    for number, (text, truth) in enumerate(zip(_phrases(example), truths, strict=True)):
        yield PhraseResult(text, truth, tuple(box for box in found.boxes if box.phrase == number), unseen[number])


def figures(results: Sequence[PhraseResult], threshold: float) -> Figures:
    """Computes the figures at one threshold."""
    present = [one for one in results if one.truth]
    absent = [one for one in results if not one.truth]
    plural = [one for one in present if len(one.truth) > 1]
    return Figures(
        threshold,
        _share([one.right(one.boxes[:1]) for one in present]),
        _share([one.all_right(one.above(threshold)) for one in plural]),
        _share([one.all_right(suppress(one.boxes, _NEAR)[: len(one.truth)]) for one in plural]),
        _share([bool(one.above(threshold)) for one in absent]),
        _share([one.right(one.above(threshold)) for one in present]),
        {"present": len(present), "plural": len(plural), "absent": len(absent)},
    )


def threshold_for(results: Sequence[PhraseResult], absent: float) -> float:
    """Returns the lowest threshold, to three decimals, at which at most this share of absent phrases has a box."""
    best = sorted((one.boxes[0].score if one.boxes else 0.0 for one in results if not one.truth), reverse=True)
    allowed = int(absent * len(best))
    return float(np.ceil((best[allowed] + 1e-6) * 1000) / 1000)


def _share(found: Sequence[bool]) -> float:
    return sum(found) / len(found) if found else float("nan")
