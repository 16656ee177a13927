"""The things of a record that one expression names for certain: "the cup", "the second dog from the left"."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from typing import Any

from gritmill.exports.format import ExportCounts, certain_rows
from transforms.claims import geometry
from transforms.claims.check_relations import RELATIONS
from transforms.claims.group_boxes import without_groups
from transforms.claims.numerals import ONLY
from transforms.claims.stuff import is_stuff
from transforms.claims.unsure import is_unsure_in
from transforms.claims.verdicts import Corners, Verdict
from transforms.claims.word_lists import read_list, words_of
from transforms.phrases.class_names import class_name, is_paired, is_singular, plural, singular
from transforms.phrases.same_things import is_everywhere, related, synonyms
from transforms.phrases.same_things import read_lists as read_kinds
from transforms.records import EXACTLY, CharSpan

LETTERS = re.compile(r"[^\W\d_]+(?:[ '’-][^\W\d_]+)*")
"""What a name consists of."""
_WORD = re.compile(r"[^\W_]+")

_ARTICLES = frozenset(("a", "an", "the", "one", "1"))
_ONE = frozenset(("a", "an", "one", "1"))
_ALONE = ONLY | {"lone", "solitary"}
_DETERMINERS = (
    _ARTICLES
    | _ALONE
    | frozenset(("this", "that", "these", "those", "its", "his", "her", "their", "my", "our", "your", "some", "own"))
)
"""With words that say nothing of the thing itself."""
_OF_SEVERAL = frozenset(
    ("another", "other", "each", "every", "any", "no", "neither", "either", "all", "first", "last", "next", "more")
) | frozenset(("same", "different", "extra", "additional", "further", "which", "what", "such", "half", "quarter"))
"""Words before a noun that speak of further things, of a part, or of none; with those of `quantities.yaml`."""

_PLACES = frozenset(("left", "right", "leftmost", "rightmost", "upper", "lower", "top", "bottom"))
"""Words before a noun that already say where a thing is. In the mirror, the left one is the right one, and a
right-handed batter is left-handed."""

_EXCLUSIVE = frozenset(("man", "woman", "boy", "girl"))
"""Of words that may name one thing, those that name different ones."""

_LONGEST = 4
"""Words of a name. Longer ones do not come twice."""

_GENERAL = frozenset(("person", "human", "individual", "figure", "someone", "adult", "child", "kid", "pet"))
"""With the `kinds` of `same_things.yaml`: "the person" is not one of two if the other one is "the man"."""

_MOST = 5
"""Of more things, no one is named by its place: "the sixth dog from the left" is hard to check for people, too."""

_ORDINALS = ("", "second", "third", "fourth")


@dataclass(frozen=True)
class Phrase:
    """A noun chunk with its boxes, best first, in fractions of the picture's sides.

    noun: its class, see `class_name`. name: the class with the words before it: "red car". Of other cars, neither the
    caption nor the detector says anything. one: whether it is in the singular and names one thing. counted: whether a
    number before it is that of the things, and all of them: not in "two slices of pizza", or "two dogs and a puppy".
    """

    span: CharSpan
    name: str
    noun: str
    one: bool
    counted: bool
    boxes: tuple[Corners, ...]


@dataclass(frozen=True)
class Thing:
    """A thing that the words "the `name`" name in the picture.

    span: the noun chunk of the caption. ranked: whether the name says which of several things it is.
    """

    name: str
    span: CharSpan
    box: Corners
    ranked: bool = False


def read_phrases(record: Mapping[str, Any], counts: ExportCounts) -> list[Phrase]:
    """The phrases of a record whose place in the caption is known, and whose class is a thing that one can count.

    No others have the same noun in the caption, in the singular or the plural, with boxes or without. Left out is what
    may not be there: the train of "a cake shaped like a train" is a cake.
    """
    caption = record["caption"]
    certain = certain_rows(record, counts)
    boxes: dict[tuple[CharSpan, CharSpan], list[Corners]] = {}
    for (start, end, *corners, _), head in zip(certain["noun_chunks"], certain["heads"], strict=True):
        x1, y1, x2, y2 = corners
        boxes.setdefault(((int(start), int(end)), (head[0], head[1])), []).append((x1, y1, x2, y2))
    words = Counter(singular(word.lower()) for word in _WORD.findall(caption))
    found = []
    for (span, head), own in boxes.items():
        noun = _noun(caption, span, head)
        if (
            not noun
            or is_unsure_in(caption, *span)
            or words[_last(noun)] != 1
            or any(_may_be_same(noun, other) for other in words)
        ):
            continue
        before = caption[span[0] : head[0]].lower().split()
        word = caption[slice(*head)].lower()
        # "a slice of pizza", but two of "a couple of dogs"
        one = is_singular(word) and "of" not in before and (not is_paired(word) or not _ONE.isdisjoint(before))
        counted = _counts_things(before) and not any(_may_be_one_of(noun, other) for other in words)
        if name := _name(before, noun):
            found.append(Phrase(span, name, noun, one, counted, tuple(own)))
    return found


def unique_things(phrases: list[Phrase]) -> list[Thing]:
    """The things of phrases in the singular with one box."""
    return [Thing(one.name, one.span, one.boxes[0]) for one in phrases if one.one and len(one.boxes) == 1]


def stated_numbers(record: Mapping[str, Any], phrases: list[Phrase]) -> list[tuple[Phrase, tuple[Corners, ...]]]:
    """The phrases of which the caption states an exact number and that have exactly as many boxes, with these."""
    exact = {
        tuple(claim["subject"]): claim["number"]
        for claim in record.get("claims", ())
        if claim["predicate"] == EXACTLY and claim["verdict"] == "supported" and not claim["negated"]
    }
    found = []
    for phrase in phrases:
        boxes = without_groups(phrase.boxes)
        if phrase.counted and plural(phrase.name) and len(boxes) == exact.get(phrase.span):
            found.append((phrase, boxes))
    return found


def ranked_things(phrase: Phrase, boxes: tuple[Corners, ...], width: int, height: int) -> list[Thing]:
    """The things of a phrase by their places from the left; empty if two of them are not clearly one after the other.

    width, height: of the picture in pixels.
    """
    if not 2 <= len(boxes) <= _MOST:
        return []
    places = sorted(boxes, key=lambda box: box[0] + box[2])
    left_of = RELATIONS["left_of"]
    for pair in combinations(geometry.square(tuple(places), width, height), 2):
        if left_of.decide(left_of.measure(*pair)) is not Verdict.SUPPORTED:
            return []
    name = phrase.name
    names = [f"{ordinal} {name} from the left" for ordinal in _ORDINALS[: len(places) - 1]]
    names = [f"leftmost {name}", *names[1:], f"rightmost {name}"]
    return [Thing(one, phrase.span, box, ranked=True) for one, box in zip(names, places, strict=True)]


def _noun(caption: str, span: CharSpan, head: CharSpan) -> str:
    """The class of a noun chunk; empty if it is none of things that one can count and tell apart."""
    word, name = caption[slice(*head)], class_name(caption, span[0], head)
    last = _last(name)
    if last != singular(word.lower()):  # a couple of dogs, a slice of pizza, the back of a man
        return ""
    # A name, as "Munich"; or the first word of the caption, of which one does not know.
    if word[:1].isupper() and caption[span[0] : head[0]].split(" ")[0].lower() not in _ARTICLES:
        return ""
    latin = LETTERS.fullmatch(name) and all(one.upper() != one for one in name if one.isalpha())
    no_thing = is_stuff(word) or is_stuff(last) or is_everywhere(name) or is_everywhere(last)
    no_place = words_of("predicates", "place_nouns") | words_of("predicates", "pictures") | words_of("parts", "parts")
    return name if latin and not no_thing and last not in no_place else ""


def _name(before: list[str], noun: str) -> str:
    """The class with the words before it, without determiners and a number; empty if they make no name."""
    numbers = read_list("quantities")["numbers"]
    if "of" in before:
        before = before[len(before) - before[::-1].index("of") :]
    modifiers = [word for word in before if word not in _DETERMINERS]
    if modifiers and modifiers[0] in numbers and _ONE.isdisjoint(before):  # "a two person kayak" is no person kayak
        del modifiers[0]
    for part in reversed(re.split("[ -]", noun)[:-1]):  # "hot" of "hot dog"
        if modifiers and modifiers[-1].strip("-") == part:
            modifiers.pop()
    name = " ".join([*modifiers, noun])
    good = LETTERS.fullmatch(name) and name.count(" ") < _LONGEST and _not_one().isdisjoint(modifiers)
    parts = {part for word in modifiers for part in word.split("-")}
    return name if good and parts.isdisjoint(_PLACES) and parts.isdisjoint(numbers) else ""


@cache
def _not_one() -> frozenset[str]:
    return _OF_SEVERAL | words_of("quantities", "several") | frozenset(read_list("quantities")["ordinals"])


def _last(name: str) -> str:
    return re.split("[ -]", name)[-1]


def _counts_things(before: list[str]) -> bool:
    """Whether a number among the words before a noun counts its things: "a couple of dogs", not "two boxes of"."""
    measures = read_list("quantities")["measures"]
    return all(word != "of" or measures.get(last, 0) for last, word in pairwise(["", *before]))


def _may_be_one_of(noun: str, other: str) -> bool:
    """Whether a thing that another noun of the caption names may be one more of these: a puppy is a dog."""
    different = {noun, other} <= _EXCLUSIVE
    return other not in (noun, _last(noun)) and not different and other in synonyms(noun)


def _may_be_same(noun: str, other: str) -> bool:
    """Whether one of two different nouns is a kind that the other one belongs to."""
    general = _GENERAL | read_kinds()["kinds"].keys()
    return other not in (noun, _last(noun)) and other in related(noun) and (noun in general or other in general)
