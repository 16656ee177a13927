"""Checks a detector's answers: one per request, with boxes inside the image, for phrases of the request."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from transforms.culprits import WrongAnswer
from transforms.detectors.base import Found, Request
from transforms.records import Box, Drop, Fault, Reason
from transforms.wording import counted, type_of

_VALUES = ("x1", "y1", "x2", "y2", "score")


def check_answers(answers: Any, requests: Sequence[Request], floor: float) -> list[Found]:
    """The answers of a detector; raises WrongAnswer if one is not valid or their number is wrong."""
    listed = list_answers(answers, len(requests))
    return [_check_answer(answer, request, floor) for answer, request in zip(listed, requests, strict=True)]


def list_answers(answers: Any, requests: int) -> list[Any]:
    """The answers as a list; raises WrongAnswer if there is not one per request."""
    listed = _as_list(answers, "the detector returned", "one answer per request")
    if len(listed) != requests:
        returned = f"{counted(len(listed), 'answer')} for {counted(requests, 'request')}"
        raise WrongAnswer(f"the detector returned {returned}")
    return listed


def _check_answer(answer: Any, request: Request, floor: float) -> Found:
    """The answer with values rounded to float32, in which they are stored, and without boxes below the floor.

    Raises:
      WrongAnswer: a box is not inside the image, has no area, has a score outside 0..1, or has an unknown phrase; or a
        value has another type than in `Found`.
    """
    if isinstance(answer, Found):
        found = answer
    else:
        found = Found(tuple(_as_list(answer, "an answer of the detector is", "a Found or a list of gritmill.Box")))
    boxes = _check_boxes(found.boxes, len(request.phrases))
    problem = next(_other_problems(found, len(request.phrases)), "")
    if problem:
        raise WrongAnswer(f"the detector returned a Found whose {problem}")
    boxes = [box for box in boxes if box.score >= floor]
    dropped = {number: Drop(reason) for number, reason in found.dropped.items()}
    return replace(found, boxes=tuple(sorted(boxes, key=lambda box: (box.phrase, -box.score))), dropped=dropped)


def _as_list(value: Any, what: str, wanted: str) -> list[Any]:
    wrong = WrongAnswer(f"{what} {type_of(value)}, not {wanted}")
    if isinstance(value, str | bytes | dict):
        raise wrong
    try:
        iterator = iter(value)
    except TypeError:
        raise wrong from None
    return list(iterator)  # outside of the block: a generator runs user code


def _check_boxes(found: Any, phrases: int) -> list[Box]:
    """The boxes, rounded to float32."""
    given = _as_list(found, "the boxes of an answer of the detector are", "a list of gritmill.Box")
    for box in given:
        if not isinstance(box, Box):
            raise WrongAnswer(f"the detector returned {box!r} as a box, which is not a gritmill.Box")
    try:
        rows = np.array([(*box.corners, box.score) for box in given], np.float32).tolist()
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: a tensor of torch that needs a gradient
        raise WrongAnswer(f"the detector returned a box with a value that is not a number: {error}") from None
    boxes = [Box(box.phrase, *row) for box, row in zip(given, rows, strict=True)]
    for box, original in zip(boxes, given, strict=True):
        inside = 0 <= box.x1 < box.x2 <= 1 and 0 <= box.y1 < box.y2 <= 1 and 0 <= box.score <= 1
        if not inside or _number_problem(box.phrase, phrases):
            raise WrongAnswer(f"the detector returned a box whose {_box_problem(box, phrases)}: {original}")
    return boxes


def _box_problem(box: Box, phrases: int) -> str:
    for name in _VALUES:
        if not 0 <= (value := getattr(box, name)) <= 1:
            rule = "scores must be in" if name == "score" else "corners must be fractions of the width and height,"
            return f"{name} is {value:g}: {rule} 0..1"
    for low, high in (("x1", "x2"), ("y1", "y2")):
        first, last = getattr(box, low), getattr(box, high)
        if not first < last:
            return f"{low} is {first:g} and {high} is {last:g}: {low} must be less than {high}"
    return _number_problem(box.phrase, phrases)


def _number_problem(number: Any, phrases: int) -> str:
    if isinstance(number, int | np.integer) and 0 <= number < phrases:
        return ""
    return f"phrase is {number!r}: the request has {counted(phrases, 'phrase')}, numbered from 0"


def _other_problems(found: Found, phrases: int) -> Iterator[str]:
    if not isinstance(found.cut, int | np.integer):
        yield f"cut is {found.cut!r}, not a number of boxes"
    if not isinstance(found.dropped, dict):
        yield f"dropped is {found.dropped!r}, not a dict of gritmill.Drop by phrase"
        return
    for number, reason in found.dropped.items():
        if problem := _number_problem(number, phrases):
            yield f"dropped has a key that is no phrase: {problem}"
        if reason not in [*Drop]:
            yield f"dropped[{number}] is {reason!r}; use one of {', '.join(Drop)}"
    if found.error is not None and not isinstance(found.error, Fault):
        yield f"error is {type_of(found.error)}, not a gritmill.Fault"
    elif found.error and found.error.reason not in [*Reason]:
        yield f"error has the reason {found.error.reason!r}; use one of {', '.join(Reason)}"
