"""Expressions of RefCOCO, RefCOCO+ and RefCOCOg, which people wrote to tell one thing from the others.

"The left cup" is taken for a place in the picture, although it may compare with other cups only; "far left" and "left
most" for the first among the things with expressions. In "a man next to a horse", the object may be any thing whose
expression has the same noun; often its own box is missing. So a rule is wrong less often than it contradicts here.
"""

import re
from collections import defaultdict

from gritmill.evaluation.sets import refcoco
from gritmill.evaluation.sets.truth import TrueCaption
from pipeline import files
from training.claim_trials.parsed import head_of, parsed
from training.claim_trials.rows import Row
from transforms.claims.check_claims import spans_of
from transforms.claims.verdicts import PhraseBoxes
from transforms.phrases.class_names import singular
from transforms.records import CharSpan, Claim, ClaimKind
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
    """Three rows for each file: places in the picture, ranks from one side, and relations to other things."""
    rows = []
    for path in paths:
        captions = list(refcoco.load([path], None, None).captions)
        name = files.name(path).removesuffix(".json")
        rows += [*_sides(name, captions), _relations(name, captions)]
    return rows


def _sides(name: str, captions: list[TrueCaption]) -> list[Row]:
    things: dict[str, set[Corners]] = {}
    for caption in captions:
        things.setdefault(caption.picture, set()).update(caption.phrases[0].boxes)
    places, ranks = Row(f'{name}, "left" or "right" as a place'), Row(f'{name}, "far left", "right most"')
    for caption in captions:
        text = caption.phrases[0].text.lower()
        (box,) = caption.phrases[0].boxes
        sides = sorted(set(re.findall(r"\b(left|right)\b", text)))
        if len(sides) == 1 and not _NO_PLACE.search(text.replace(sides[0], "")):
            claim = Claim(ClaimKind.RELATION, 0, 0, *_SPAN, f"picture_{sides[0]}")
            places.add(claim, {_SPAN: PhraseBoxes((box,), 1)}, _size(caption), text)
        others = tuple(sorted(things[caption.picture] - {box}))
        if others and (first := _FIRST.fullmatch(text)):
            claim = Claim(ClaimKind.RANK, 0, 0, *_SPAN, f"from_{next(filter(None, first.groups()))}", 1)
            boxes = {_SPAN: PhraseBoxes((box,), 1, head="thing"), _OTHERS: PhraseBoxes(others, 1, head="thing")}
            ranks.add(claim, boxes, _size(caption), text)
    return [places, ranks]


def _relations(name: str, captions: list[TrueCaption]) -> Row:
    """The relations of the first phrase of an expression, whose box is that of the expression."""
    row = Row(f"{name}, relations to things with an expression")
    pairs = parsed([caption.phrases[0].text for caption in captions])
    things: defaultdict[tuple[str, str], set[Corners]] = defaultdict(set)
    for caption, pair in zip(captions, pairs, strict=True):
        if pair.phrases:
            things[caption.picture, singular(head_of(pair, 0).lower())].update(caption.phrases[0].boxes)
    for caption, pair in zip(captions, pairs, strict=True):
        boxes: dict[CharSpan, PhraseBoxes] = {}
        for number, phrase in enumerate(pair.phrases):
            noun = singular(head_of(pair, number).lower())
            own = set(caption.phrases[0].boxes)
            same = noun == singular(head_of(pair, 0).lower())
            found = own if number == 0 else things.get((caption.picture, noun), set()) - (own if same else set())
            if found:
                boxes[phrase.start, phrase.end] = PhraseBoxes(
                    tuple(sorted(found)), len(found), head=head_of(pair, number)
                )
        for claim in pair.claims:
            about_it = claim.objects and claim.subject == (pair.phrases[0].start, pair.phrases[0].end)
            if claim.kind is ClaimKind.RELATION and about_it and all(span in boxes for span in spans_of(claim)):
                row.add(claim, boxes, _size(caption), pair.caption)
    return row


def _size(caption: TrueCaption) -> tuple[int, int]:
    return caption.width, caption.height
