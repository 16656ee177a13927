"""Measures the boxes that a detector finds for a set's phrases against the annotated boxes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from gritmill.evaluation import metrics
from gritmill.evaluation.options import Nms
from gritmill.evaluation.query_detector import Answer, QueryCounts, load_detector, query
from gritmill.evaluation.sets.truth import Truth
from pipeline.configuration import Configuration
from transforms.records import Box
from transforms.selection.select_boxes import suppress

MIN_CANDIDATES = 100
"""At least this many boxes per phrase are ranked, down to a score of 0, even if `detector.candidates` is lower."""


def measure_boxes(truth: Truth, configuration: Configuration, nms: Nms, quiet: bool) -> dict[str, Any]:
    """The result of `gritmill.evaluate`, without the arguments of the call."""
    candidates = max(configuration.detector.candidates, MIN_CANDIDATES)
    settings = configuration.detector.model_copy(update={"floor": 0.0, "candidates": candidates})
    detector, configuration, model_identities = load_detector(configuration.model_copy(update={"detector": settings}))
    counts, phrase_counts = QueryCounts(), Counter[str]()
    results: list[metrics.PhraseResult] = []
    for answer in query(truth, detector, configuration, counts, quiet):
        phrase_counts.update(_phrase_counts(answer))
        if not answer.fault:
            results += _measure_answer(answer, nms, configuration.selection.nms_iou)
    return {
        "configuration": configuration.model_dump(mode="json", include={"detector", "selection"}),
        "model": model_identities["detector"],
        "pictures": counts.to_json(),
        "phrases": {name: phrase_counts[name] for name in ("measured", "without_picture", "without_boxes", "absent")},
        "figures": {"all": metrics.summarize(results), "kinds": metrics.summarize_by_kind(results)}
        if results
        else None,
    }


def _phrase_counts(answer: Answer) -> Iterator[str]:
    for phrase in answer.caption.phrases:
        if phrase.boxes:
            yield "without_picture" if answer.fault else "measured"
        elif phrase.text:
            yield "absent" if phrase.absent else "without_boxes"


def _measure_answer(answer: Answer, nms: Nms, iou: float) -> Iterator[metrics.PhraseResult]:
    boxes = _rank_boxes(answer, nms, iou)
    for number, phrase in enumerate(answer.caption.phrases):
        if phrase.boxes:
            corners = [box.corners for box in boxes.get(number, ())]
            yield metrics.measure_phrase(corners, phrase.boxes, phrase.kinds)


def _rank_boxes(answer: Answer, nms: Nms, iou: float) -> dict[int, Sequence[Box]]:
    """The boxes of each phrase, best first, after the chosen suppression."""
    if nms is Nms.NONE:
        return dict(answer.boxes)
    if nms is Nms.PHRASE:
        return {number: suppress(boxes, iou) for number, boxes in answer.boxes.items()}
    ranked = sorted(chain(*answer.boxes.values()), key=lambda box: (-box.score, box.phrase, box.corners))
    kept: dict[int, list[Box]] = {}
    for box in suppress(ranked, iou):
        kept.setdefault(answer.queried[box.phrase], []).append(box)
    return dict(kept)
