"""Whether a detector's answers can be used: one a request, boxes inside the picture, of phrases that were asked for."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from transforms.detectors.base import Found, Request
from transforms.records import Box


def check_answers(answers: Sequence[Found | Sequence[Box]], requests: Sequence[Request], floor: float) -> list[Found]:
    """A detector's answers, checked; raises ValueError for one that is wrong, or if their number is."""
    if len(answers) != len(requests):
        raise ValueError(f"the detector gave {len(answers)} answers to {len(requests)} requests")
    return [_check_answer(answer, request, floor) for answer, request in zip(answers, requests, strict=True)]


def _check_answer(answer: Found | Sequence[Box], request: Request, floor: float) -> Found:
    """A detector's answer: boxes of known phrases, inside the picture, in float32, in which they are kept.

    Those with a score below the floor are left out.

    Raises:
      ValueError: there are other boxes, or some without an area.
    """
    found = answer if isinstance(answer, Found) else Found(tuple(answer))
    rows = np.array([(*box.corners, box.score) for box in found.boxes], np.float32).tolist()
    boxes = [Box(box.phrase, *row) for box, row in zip(found.boxes, rows, strict=True)]
    for box, original in zip(boxes, found.boxes, strict=True):
        inside = 0 <= box.x1 < box.x2 <= 1 and 0 <= box.y1 < box.y2 <= 1 and 0 <= box.score <= 1
        if not inside or box.phrase not in range(len(request.phrases)):
            raise ValueError(f"the detector gave {original} for {len(request.phrases)} phrases")
    boxes = [box for box in boxes if box.score >= floor]
    return replace(found, boxes=tuple(sorted(boxes, key=lambda box: (box.phrase, -box.score))))
