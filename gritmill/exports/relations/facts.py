"""What the boxes of one picture state clearly: the places and sizes of two things, and how many there are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import Any

from gritmill.exports.format import ExportCounts
from gritmill.exports.relations.things import (
    LETTERS,
    Phrase,
    Thing,
    ranked_things,
    read_phrases,
    stated_numbers,
    unique_things,
)
from transforms.claims import geometry
from transforms.claims.check_relations import INSIDE, RELATIONS, Rule
from transforms.claims.geometry import ratio
from transforms.claims.verdicts import Corners, Measured, Verdict
from transforms.phrases.class_names import is_singular
from transforms.records import CharSpan

LARGER = "larger in the picture than"
SMALLER = "smaller in the picture than"
WITHIN = "within the bounds of"
"""The words of relations that the world may answer differently say what they are about: the picture, and boxes."""

EXACTLY = "exactly"
THERE = "there is"

_STEEP = 1.0
"""Of what is farther above than beside, one does not say that it is beside. The rules for captions take them at their
word there."""

_LARGER = 2.0
"""From this ratio of areas on, the larger box is clearly larger, if it is neither narrower nor lower."""

_WITHIN = 0.95
"""From this share on, a box is within another one, whose detected edges are not exact."""

_SAME = 0.5
"""Two boxes with this IoU may be of one thing with two names."""


_MOST = 20
"""So many things of a picture are compared, each with each: a caption may name hundreds."""


@dataclass(frozen=True)
class Side:
    """One side of a fact. boxes: in fractions of the picture's sides; empty for a number, and for what is not there.
    span: the noun chunk in the caption; empty if the caption has none."""

    name: str
    boxes: tuple[Corners, ...] = ()
    span: CharSpan | tuple[()] = ()


@dataclass(frozen=True)
class Fact:
    """Something that is clearly so in a picture, or clearly not.

    kind: "relation", "size", "containment", "ordinal", "count" or "existence". basis: what it stands on: "boxes",
    "boxes and caption" (numbers, which both agree on), or "not_found" (the detector was asked and found nothing).
    predicate: of two with opposite meanings, the first one of `CONVERSE`.
    """

    kind: str
    basis: str
    subject: Side
    predicate: str
    object: Side
    holds: bool

    @property
    def wording(self) -> str:
        """The same for all facts that are stated in the same words."""
        return f"{self.subject.name}\n{self.predicate}\n{self.object.name}"


def _beside(s: Corners, o: Corners, rule: Rule) -> Measured:
    """slope: how far one centre is above the other one, as a fraction of their distance on the x axis."""
    dx, dy = (s[axis] + s[axis + 2] - o[axis] - o[axis + 2] for axis in (0, 1))
    return {**rule.measure(s, o), "slope": ratio(abs(dy), abs(dx))}


def _flat(m: Measured, rule: Rule) -> Verdict:
    return rule.decide(m) if m["slope"] <= _STEEP else Verdict.UNDECIDED


def _sizes(s: Corners, o: Corners) -> Measured:
    """areas: of the subject over the object; widths and heights, too."""
    return {
        "areas": ratio(geometry.area(s), geometry.area(o)),
        "widths": ratio(s[2] - s[0], o[2] - o[0]),
        "heights": ratio(s[3] - s[1], o[3] - o[1]),
    }


def _compare(m: Measured, larger: bool) -> Verdict:
    if m["areas"] >= _LARGER and min(m["widths"], m["heights"]) >= 1:
        return Verdict.SUPPORTED if larger else Verdict.CONTRADICTED
    if m["areas"] <= 1 / _LARGER and max(m["widths"], m["heights"]) <= 1:
        return Verdict.CONTRADICTED if larger else Verdict.SUPPORTED
    return Verdict.UNDECIDED


def _lies_within(m: Measured) -> Verdict:
    if m["share"] >= _WITHIN:
        return Verdict.SUPPORTED
    return Verdict.CONTRADICTED if m["share"] < INSIDE else Verdict.UNDECIDED


RULES: dict[str, Rule] = {
    **{
        words: Rule(partial(_beside, rule=rule), partial(_flat, rule=rule))
        for words, rule in (("left of", RELATIONS["left_of"]), ("right of", RELATIONS["right_of"]))
    },
    "above": RELATIONS["over"],  # also on one vertical line: what is far away is higher in a picture, too
    "below": RELATIONS["under"],
    LARGER: Rule(_sizes, partial(_compare, larger=True)),
    SMALLER: Rule(_sizes, partial(_compare, larger=False)),
    WITHIN: Rule(RELATIONS["inside"].measure, _lies_within),
}
"""How each predicate of two things is measured and decided, on boxes whose axes have the same unit."""

CONVERSE = {"left of": "right of", "above": "below", LARGER: SMALLER}
"""The predicate that says the same of the object and the subject, which may not be said of the subject itself."""

_KINDS = {"left of": "relation", "above": "relation", LARGER: "size", WITHIN: "containment"}

NUMBERS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven")


def find_facts(record: Mapping[str, Any], counts: ExportCounts, with_decoys: bool = False) -> list[Fact]:
    """The facts of a record. Adds to the counts what it leaves out.

    with_decoys: also what is in the picture and what the detector did not find there.
    """
    phrases = read_phrases(record, counts)
    size = record["width"], record["height"]
    numbers = stated_numbers(record, phrases)
    things = unique_things(phrases)
    ranked = [thing for phrase, boxes in numbers for thing in ranked_things(phrase, boxes, *size)]
    facts = [fact for pair in combinations([*things, *ranked][:_MOST], 2) for fact in compare(*pair, *size)]
    facts += [fact for phrase, boxes in numbers for fact in _count(phrase, boxes)]
    return [*facts, *_existence(record)] if with_decoys else facts


def compare(one: Thing, other: Thing, width: int, height: int) -> Iterator[Fact]:
    """What the boxes of two things state. Nothing if they may be one thing.

    width, height: of the picture in pixels.
    """
    a, b = sorted((one, other), key=lambda thing: thing.name)
    boxes = geometry.square((a.box, b.box), width, height)
    common = geometry.shared(*boxes)
    if common >= _SAME * (sum(map(geometry.area, boxes)) - common):
        return
    first, second = (Side(thing.name, (thing.box,), thing.span) for thing in (a, b))
    for predicate in ("left of", "above", LARGER):
        if predicate == "left of" and a.ranked and a.span == b.span:
            continue  # "the leftmost dog is left of …": the words say so
        kind = "ordinal" if a.ranked or b.ranked else _KINDS[predicate]
        fact = Fact(kind, "boxes", first, predicate, second, holds=True)
        if _decide(predicate, *boxes) is Verdict.SUPPORTED:
            yield fact
        elif _decide(predicate, *reversed(boxes)) is Verdict.SUPPORTED:
            yield replace(fact, holds=False)
    if not (a.ranked or b.ranked):
        for subject, object_, pair in ((first, second, boxes), (second, first, boxes[::-1])):
            if (verdict := _decide(WITHIN, *pair)) is not Verdict.UNDECIDED:
                holds = verdict is Verdict.SUPPORTED
                yield Fact(_KINDS[WITHIN], "boxes", subject, WITHIN, object_, holds)


def _decide(predicate: str, subject: Corners, object_: Corners) -> Verdict:
    rule = RULES[predicate]
    return rule.decide(rule.measure(subject, object_))


def _count(phrase: Phrase, boxes: tuple[Corners, ...]) -> Iterator[Fact]:
    """The number of things, and those that are one off. Nothing of more things than `NUMBERS` has words for."""
    for number in range(len(boxes) - 1, len(boxes) + 2):
        if 1 <= number < len(NUMBERS) > len(boxes):
            stated, holds = Side(NUMBERS[number]), number == len(boxes)
            yield Fact("count", "boxes and caption", Side(phrase.name, boxes, phrase.span), EXACTLY, stated, holds)


def _existence(record: Mapping[str, Any]) -> Iterator[Fact]:
    """Each thing that has a box, in the caption's words, and each decoy that has none: "a red car"."""
    boxes: dict[CharSpan, list[Corners]] = {}
    for start, end, x1, y1, x2, y2, _ in record["noun_chunks"]:
        boxes.setdefault((int(start), int(end)), []).append((x1, y1, x2, y2))
    picture = Side("picture")
    for span, own in boxes.items():
        if text := _one_thing(record["caption"][slice(*span)]):
            yield Fact("existence", "boxes", Side(text, tuple(own), span), THERE, picture, holds=True)
    for decoy in record.get("absent", ()):
        if text := _one_thing(decoy):
            yield Fact("existence", "not_found", Side(text), THERE, picture, holds=False)


def _one_thing(text: str) -> str:
    """The words with "a" or "an" for one thing, in lower case; empty if they are no such words."""
    words = text.lower().split()
    good = len(words) > 1 and words[0] in ("a", "an") and all(map(LETTERS.fullmatch, words)) and is_singular(words[-1])
    return " ".join(words) if good else ""
