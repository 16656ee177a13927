"""Expressions of RefCOCO and RefCOCOg with "left" or "right", which people wrote to tell one thing from the others.

"The left cup" is taken for a place in the picture, although it may compare with other cups only: so a rule is wrong
less often than it contradicts here. "Far left" and "left most" are taken for the first among the named things.
"""

import re

from gritmill.evaluation.sets import refcoco
from gritmill.evaluation.sets.truth import TrueCaption
from pipeline import files
from training.claim_trials.rows import Row
from transforms.claims.verdicts import PhraseBoxes
from transforms.records import Claim, ClaimKind
from transforms.text.grounded_caption import Corners

_SPAN, _OTHERS = (0, 1), (2, 3)

_NO_PLACE = re.compile(
    r"\b(hand|arm|leg|side of|most|foot|feet|eye|ear|from|2nd|3rd|second|third|next|of|his|her|facing|s)\b"
)
"""Words of expressions about parts, about other things, or in the frame of a person."""

_FAR = "far|furthest|farthest"
_FIRST = re.compile(
    rf"(?:the )?(?:{_FAR}|most)[ -]?(left|right)\b(?: \w+){{0,2}}"
    rf"|(?:\w+ ){{0,2}}(?:on )?(?:the )?(?:{_FAR}) (left|right)"
    r"|(?:\w+ )?(left|right)[ -]?most(?: \w+)?"
)


def expressions(paths: list[str]) -> list[Row]:
    """Two rows for each file: places in the picture, and ranks from one side."""
    return [row for path in paths for row in _of_file(path)]


def _of_file(path: str) -> list[Row]:
    captions = list(refcoco.load([path], None, None).captions)
    things: dict[str, set[Corners]] = {}
    for caption in captions:
        things.setdefault(caption.picture, set()).update(caption.phrases[0].boxes)
    name = files.name(path).removesuffix(".json")
    places, ranks = Row(f'{name}, "left" or "right" as a place'), Row(f'{name}, "far left", "right most"')
    for caption in captions:
        text = caption.phrases[0].text.lower()
        (box,) = caption.phrases[0].boxes
        sides = set(re.findall(r"\b(left|right)\b", text))
        if len(sides) == 1 and not _NO_PLACE.search(text.replace(*sides, "")):
            claim = Claim(ClaimKind.RELATION, 0, 0, *_SPAN, f"picture_{sides.pop()}")
            places.add(claim, {_SPAN: PhraseBoxes((box,), 1)}, _size(caption), text)
        others = tuple(sorted(things[caption.picture] - {box}))
        if others and (first := _FIRST.fullmatch(text)):
            claim = Claim(ClaimKind.RANK, 0, 0, *_SPAN, f"from_{next(filter(None, first.groups()))}", 1)
            boxes = {_SPAN: PhraseBoxes((box,), 1, head="thing"), _OTHERS: PhraseBoxes(others, 1, head="thing")}
            ranks.add(claim, boxes, _size(caption), text)
    return [places, ranks]


def _size(caption: TrueCaption) -> tuple[int, int]:
    return caption.width, caption.height
