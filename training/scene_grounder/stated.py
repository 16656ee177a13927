"""What the caption of a scene claims, and whether that is so: the truth for the reader and the checks of claims.

Words of distance ("near", "next to", "beside") are drawn wherever the things are. Whether such a claim is true is only
known where the boxes leave no doubt. "With" is no claim, and nothing is claimed about what somebody waits for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from training.scene_grounder.lexicon import COUNTS, lexicon
from training.scene_grounder.phrases import GeneratedPhrase
from training.scene_grounder.scenes import Thing, side
from transforms.records import AT_LEAST, EXACTLY, NONE

NEAR = ("near", "next to", "beside", "with")
FAR = "far away from"
WITHOUT = "without"

_NEAR_GAP = 0.25  # a gap below this share of the larger thing's side is near for everybody
_FAR_GAP = 1.5  # a gap above this multiple of it is not


@dataclass(frozen=True)
class Stated:
    """A claim of a caption.

    predicate: as in `transforms.records.Claim`; number: of a count. subject, object: numbers of mentions; object is -1
    for a count. bare: whether a plural alone states the count. true: whether the things are so; None if that depends on
    what one calls near. optional: whether a reader may leave it out, because the words may also be about other things.
    """

    predicate: str
    subject: int
    object: int = -1
    number: int = 0
    bare: bool = False
    true: bool | None = True
    optional: bool = False


def left(a: Thing, b: Thing) -> bool:
    """Whether the whole of a thing is left of another one."""
    return a.box[2] < b.box[0]


def above(a: Thing, b: Thing) -> bool:
    """Whether the whole of a thing is above another one."""
    return a.box[3] < b.box[1]


RELATIONS: tuple[tuple[str, str, Callable[[Thing, Thing], bool]], ...] = (
    ("to the left of", "left_of", left),
    ("to the right of", "right_of", lambda a, b: left(b, a)),
    ("above", "above", above),
    ("over", "over", above),
    ("below", "below", lambda a, b: above(b, a)),
    ("beneath", "under", lambda a, b: above(b, a)),
)
"""Words, predicate, and when the words are used."""

_PREDICATES = {words: predicate for words, predicate, _ in RELATIONS} | {
    "near": "near",
    "next to": "next_to",
    "beside": "next_to",
}


def stated_claims(
    phrases: Sequence[GeneratedPhrase], joints: Sequence[str], things: tuple[Thing, ...]
) -> tuple[Stated, ...]:
    """The claims of a caption. joints: the words between two phrases. Of the phrases, only the last can be absent."""
    claims = []
    for number, (phrase, joint) in enumerate(zip(phrases, ("", *joints), strict=True)):
        count = _count(number, phrase, joint)
        claims += [count] if count else []
    for number, ((one, other), joint) in enumerate(zip(pairwise(phrases), joints, strict=True)):
        if joint == FAR:  # after several things, one cannot say which of them are far away
            several = number > 0
            claims += [Stated("far_from", far, number + 1, true=False, optional=several) for far in range(number + 1)]
        elif joint in NEAR and joint in _PREDICATES:
            claims.append(Stated(_PREDICATES[joint], number, number + 1, true=_is_near(one, other, things)))
        elif joint in _PREDICATES:
            claims.append(Stated(_PREDICATES[joint], number, number + 1))
    return tuple(claims)


def _count(subject: int, phrase: GeneratedPhrase, joint: str) -> Stated | None:
    """The count that a phrase states. "The sheep" states none: it may be one."""
    if joint == WITHOUT:
        return Stated(NONE, subject)
    is_there = bool(phrase.things)
    if not is_there and joint != FAR:
        return None
    words = phrase.text.split()
    if words[0] in ("a", "an", "one", "another") and words[1:3] != ["pair", "of"] and words[:2] != ["pair", "of"]:
        return Stated(AT_LEAST, subject, number=1, true=is_there)
    if phrase.number == 1:
        return None
    exact = next((number for number, word in COUNTS.items() if word in words[:2]), 0)
    if exact or words[:3] == ["a", "pair", "of"]:
        return Stated(EXACTLY, subject, number=exact or 2, true=is_there)
    if words[0] in ("some", "several", "many"):
        return Stated(AT_LEAST, subject, number=2, true=is_there)
    looks_singular = words[-1] in lexicon().nouns
    return None if looks_singular else Stated(AT_LEAST, subject, number=2, bare=True, true=is_there)


def _is_near(one: GeneratedPhrase, other: GeneratedPhrase, things: tuple[Thing, ...]) -> bool | None:
    shares = [_gap(things[a], things[b]) for a, b in product(one.things, other.things)]
    if all(share < _NEAR_GAP for share in shares):
        return True
    return False if all(share > _FAR_GAP for share in shares) else None


def _gap(a: Thing, b: Thing) -> float:
    """The gap between two boxes, as a multiple of the larger one's side."""
    across = max(a.box[0], b.box[0]) - min(a.box[2], b.box[2])
    down = max(a.box[1], b.box[1]) - min(a.box[3], b.box[3])
    gap = float((max(across, 0.0) ** 2 + max(down, 0.0) ** 2) ** 0.5)
    return gap / max(side(a.box), side(b.box))
