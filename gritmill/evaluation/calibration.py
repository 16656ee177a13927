"""Collects the boxes that a run would write for a set with true boxes, and computes curves, threshold and intervals.

`selection` is applied to the candidates of all phrases of a caption together, with non-maximum suppression across
phrases. A higher threshold only cuts the resulting list: suppression is greedy from the highest score down, so
selecting at a threshold and cutting at it afterwards give the same boxes.
"""

from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gritmill.evaluation import curves
from gritmill.evaluation.curves import BoxArrays, Curve, PhraseArrays
from gritmill.evaluation.grammatical_kinds import grammatical_kinds
from gritmill.evaluation.metrics import match_boxes
from gritmill.evaluation.query_detector import Answer
from gritmill.evaluation.sets.truth import TruePhrase
from pipeline.configuration import Configuration
from pipeline.threshold import active_threshold, default_threshold
from transforms.phrases.parser import load_parser
from transforms.records import Box
from transforms.selection.select_boxes import select
from transforms.settings import SelectionSettings

PRESENT, ABSENT = "present", "absent"

_REPORT_EVERY = 10
"""The report has every tenth threshold of the curve: the hundredths."""


@dataclass
class BoxCollection:
    """The boxes of the answers. Phrases that have no true boxes and are not absent are left out."""

    rows: "array[float]" = field(default_factory=lambda: array("d"))
    """Four numbers per box: score, whether it is correct, number of its phrase, number of its image."""
    phrases: list[TruePhrase] = field(default_factory=list)

    def add(self, answer: Answer, picture: int, settings: SelectionSettings, floor: float) -> None:
        """Adds the boxes of an answer. picture: the number of its image."""
        selected: dict[int, list[Box]] = {number: [] for number in answer.queried}
        for grounding in select(answer.pair, settings, floor):
            selected[answer.queried[grounding.box.phrase]].append(grounding.box)
        for number, boxes in selected.items():
            phrase = answer.caption.phrases[number]
            if not (phrase.boxes or phrase.absent):
                continue
            hits = match_boxes([box.corners for box in boxes], phrase.boxes)
            for box, right in zip(boxes, hits, strict=True):
                self.rows.extend((box.score, right, len(self.phrases), picture))
            self.phrases.append(phrase)

    def arrays(self, parser: str) -> tuple[BoxArrays, PhraseArrays]:
        """All boxes and phrases, with the kinds of each phrase. parser: name of the parser model."""
        grammar = grammatical_kinds(load_parser(parser), [phrase.text for phrase in self.phrases])
        kinds = [
            (ABSENT if phrase.absent else PRESENT, *grammar[phrase.text], *phrase.kinds) for phrase in self.phrases
        ]
        things = np.array([len(phrase.boxes) for phrase in self.phrases], int)
        score, right, owner, picture = np.array(self.rows, float).reshape(-1, 4).T
        boxes = BoxArrays(score, right.astype(bool), owner.astype(int), picture.astype(int))
        return boxes, PhraseArrays(things, kinds)


def build_result(
    collected: BoxCollection, pictures: int, configuration: Configuration, target_precision: float, seed: int
) -> dict[str, Any]:
    """The result of `gritmill.calibrate`, from the key `threshold` on. pictures: how many were measured."""
    if not collected.phrases:
        return {"threshold": None, "curves": {}}
    boxes, phrases = collected.arrays(configuration.phrases.model)
    floor = configuration.detector.floor
    in_force = active_threshold(configuration.selection, default_threshold(configuration), floor)
    thresholds = np.union1d(curves.threshold_grid(floor), [in_force.score])
    overall = curves.build_curve(boxes, phrases, np.ones(len(phrases.kinds), bool), thresholds)
    by_kind = {"all": overall}
    for kind in sorted({kind for kinds in phrases.kinds for kind in kinds} - {"all"}):
        by_kind[kind] = curves.build_curve(boxes, phrases, phrases.of_kind(kind), thresholds)
    score = curves.lowest_threshold(thresholds, overall.precision, target_precision)
    intervals = curves.bootstrap(boxes, pictures, thresholds, target_precision, score, seed)
    bins = curves.reliability_bins(boxes)
    return {
        "threshold": score,
        "interval": {**intervals, "seed": seed, "resamples": curves.RESAMPLES},
        "paste": None if score is None else _paste(score),
        "at_threshold": None if score is None else {name: one.figures_at(score) for name, one in by_kind.items()},
        "highest_precision": _highest_precision(overall),
        "in_force": {
            "threshold": in_force.score,
            "source": in_force.origin,
            "figures": overall.figures_at(in_force.score),
        },
        "counts": {name: _count_phrases(one) for name, one in by_kind.items()},
        "reliability": {"bins": bins, "expected_calibration_error": curves.calibration_error(bins)},
        "curves": {name: _curve_points(one) for name, one in by_kind.items()},
    }


def _paste(score: float) -> dict[str, str]:
    return {"set": f"--set selection.score={score:g}", "yaml": f"selection:\n  score: {score:g}\n"}


def _highest_precision(curve: Curve) -> dict[str, Any] | None:
    """The figures where the precision is highest, at the lowest threshold of a tie; None if there is no box."""
    if not curve.boxes.any():
        return None
    return curve.figures_at(float(curve.thresholds[int(np.nanargmax(curve.precision))]))


def _count_phrases(curve: Curve) -> dict[str, int]:
    return {"phrases": curve.present + curve.absent, "absent": curve.absent, "things": curve.things}


def _curve_points(curve: Curve) -> list[dict[str, Any]]:
    """The figures at each hundredth that the score of at least one box reaches."""
    with_boxes = curve.thresholds[curve.boxes > 0].tolist()
    return [curve.figures_at(t) for t in with_boxes if round(t * curves.STEPS) % _REPORT_EVERY == 0]
