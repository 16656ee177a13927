"""Checks a detector's answers: one per request, with boxes inside the image, for phrases of the request."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from transforms.detectors.base import Found, Request
from transforms.records import Box


def check_answers(answers: Sequence[Found | Sequence[Box]], requests: Sequence[Request], floor: float) -> list[Found]:
    """The answers of a detector; raises ValueError if one is not valid or their number is wrong."""
    if len(answers) != len(requests):
        raise ValueError(f"the detector returned {len(answers)} answers for {len(requests)} requests")
    return [_check_answer(answer, request, floor) for answer, request in zip(answers, requests, strict=True)]


def _check_answer(answer: Found | Sequence[Box], request: Request, floor: float) -> Found:
    """The answer with values rounded to float32, in which they are stored, and without boxes below the floor.

    Raises:
      ValueError: a box is not inside the image, has no area, has a score outside 0..1, or has an unknown phrase.
    """
    found = answer if isinstance(answer, Found) else Found(tuple(answer))
    rows = np.array([(*box.corners, box.score) for box in found.boxes], np.float32).tolist()
    boxes = [Box(box.phrase, *row) for box, row in zip(found.boxes, rows, strict=True)]
    for box, original in zip(boxes, found.boxes, strict=True):
        inside = 0 <= box.x1 < box.x2 <= 1 and 0 <= box.y1 < box.y2 <= 1 and 0 <= box.score <= 1
        if not inside or box.phrase not in range(len(request.phrases)):
            raise ValueError(f"the detector returned an invalid box, {original}, for {len(request.phrases)} phrases")
    boxes = [box for box in boxes if box.score >= floor]
    return replace(found, boxes=tuple(sorted(boxes, key=lambda box: (box.phrase, -box.score))))
