"""Candidate boxes -> the boxes of the data set: score, size, non-maximum suppression, caps.

Suppression is class-agnostic and runs across the phrases of a pair, as in step 4 of the Kosmos-2 paper. The paper gives
no threshold; its released data holds pairs of boxes with a plain IoU of up to 0.69, hence the default of 0.7.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from transforms.records import Box, Grounding, Pair
from transforms.selection.select_many import suppress_many
from transforms.settings import SelectionSettings

_ARRAYS_FROM = 24  # boxes, from which on arrays are faster


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0..1; 0 if neither has an area."""
    width = min(a.x2, b.x2) - max(a.x1, b.x1)
    height = min(a.y2, b.y2) - max(a.y1, b.y1)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    union = area(a) + area(b) - shared
    return shared / union if union > 0 else 0.0  # areas can be too small for a float


def area(box: Box) -> float:
    """Share of the picture that the box covers, 0..1."""
    return (box.x2 - box.x1) * (box.y2 - box.y1)


def suppress(boxes: Sequence[Box], threshold: float) -> list[Box]:
    """Greedy non-maximum suppression: a box goes if a kept one of higher rank overlaps it by more than `threshold` IoU.

    Boxes must come in rank order, best first.
    """
    if len(boxes) >= _ARRAYS_FROM:
        corners = np.array([box.corners for box in boxes]).T
        return [boxes[index] for index in suppress_many(np.zeros(len(boxes)), corners, threshold)]
    kept: list[Box] = []
    for box in boxes:
        if all(iou(box, other) <= threshold for other in kept):
            kept.append(box)
    return kept


def select(pair: Pair, settings: SelectionSettings, threshold: float) -> list[Grounding]:
    """The kept boxes of a pair, in the order of its record: by the noun chunk's start and end, then best score first.

    A score equal to the threshold is kept. Of equally good boxes the one of the earlier span wins.
    """
    ranked = sorted(
        (box for box in pair.boxes if box.score >= threshold and _fits(box, settings)),
        key=lambda box: (-box.score, _span(pair, box), box.corners),
    )
    kept = _capped(suppress(ranked, settings.nms_iou), settings)
    return in_record_order(Grounding(pair.phrases[box.phrase], box) for box in kept)


def in_record_order(groundings: Iterable[Grounding]) -> list[Grounding]:
    """By the noun chunk's start and end, then best score first."""
    return sorted(groundings, key=lambda g: (g.phrase.start, g.phrase.end, -g.box.score, g.box.corners))


def _span(pair: Pair, box: Box) -> tuple[int, int]:
    phrase = pair.phrases[box.phrase]
    return phrase.start, phrase.end


def _fits(box: Box, settings: SelectionSettings) -> bool:
    shortest = min(box.x2 - box.x1, box.y2 - box.y1)
    return shortest >= settings.min_side and settings.min_area <= area(box) <= settings.max_area


def _capped(ranked: Sequence[Box], settings: SelectionSettings) -> list[Box]:
    counts: Counter[int] = Counter()
    kept = []
    for box in ranked:
        counts[box.phrase] += 1
        if settings.boxes_per_phrase is None or counts[box.phrase] <= settings.boxes_per_phrase:
            kept.append(box)
    return kept[: settings.boxes_per_pair]
