"""A statement as a relation conversation of All-Seeing v2 (arXiv 2402.19474; OpenGVLab/all-seeing, README)."""

import json
from typing import Any

from gritmill.exports.relations.facts import CONVERSE, EXACTLY, NUMBERS, RULES
from gritmill.exports.relations.wording import Statement, counted
from transforms.claims.verdicts import Corners

_LAST = 999
"""Corners are integers up to this one, as BOX_SCALE of that project's `visualize_rec.py`."""


def converse(statement: Statement, width: int, height: int) -> dict[str, Any]:
    """The statement as a question, and an answer that says what is so, with the boxes of the things and the predicate.

    width, height: of the picture in pixels.
    """
    question = f"<image>\nIs this true? {statement.text} Answer with the boxes of the things."
    answer = f"{'Yes' if statement.label else 'No'}. {_answer(statement, width, height)}"
    return {"conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]}


def _answer(statement: Statement, width: int, height: int) -> str:
    subject, object_ = statement.subject, statement.object
    boxes = [_boxes(side.boxes, width, height) for side in (subject, object_)]
    if statement.predicate == EXACTLY:
        number = NUMBERS[len(subject.boxes)]
        before, noun = counted(subject.name, number).split(f" {number} ")
        return f"There {before} {number} <ref>{noun}</ref>{boxes[0]} in the picture."
    if statement.predicate not in RULES:
        there = f"<ref>{subject.name}</ref>{boxes[0]}" if statement.label else f"no {subject.name.split(' ', 1)[1]}"
        return f"There is {there} in the picture."
    words = [f"<ref>{side.name}</ref>{box}" for side, box in zip((subject, object_), boxes, strict=True)]
    if not statement.label and statement.predicate not in _OPPOSITES:
        return f"The {words[0]} is not {statement.predicate} the {words[1]}."
    predicate = (statement if statement.label else statement.opposite()).predicate
    return f"The {words[0]} is <pred>{predicate}</pred>{''.join(boxes)} the {words[1]}."


_OPPOSITES = {*CONVERSE, *CONVERSE.values()}


def _boxes(boxes: tuple[Corners, ...], width: int, height: int) -> str:
    """The boxes in the picture that is padded to a square, half of the padding on each side, as LLaVA does."""
    side = max(width, height)
    left, top = (side - width) / 2, (side - height) / 2
    places = [
        [
            min(max(round(_LAST * (value * extent + padding) / side), 0), _LAST)
            for value, extent, padding in zip(box, (width, height) * 2, (left, top) * 2, strict=True)
        ]
        for box in boxes
    ]
    return f"<box>{json.dumps(places)}</box>"
