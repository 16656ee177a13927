"""How many things a phrase names, by the words of its caption."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from transforms.claims.unsure import is_unsure_in
from transforms.phrases.class_names import singular
from transforms.phrases.same_things import is_everywhere
from transforms.records import AT_LEAST, EXACTLY, CharSpan, Claim, ClaimKind


@dataclass(frozen=True)
class Stated:
    """The number of things that a phrase names. exact: whether words state it; else it is 1, a singular."""

    number: int
    exact: bool


def stated_number(count: Claim) -> Stated | None:
    """The number that a count states. None for a plural without a number, and for what is not there."""
    if count.negated or count.number < 1:
        return None
    if count.predicate == EXACTLY:
        return Stated(count.number, True)
    return Stated(1, False) if count.predicate == AT_LEAST and count.number == 1 else None


def first_counts(claims: Iterable[Claim]) -> dict[CharSpan, Claim]:
    """The first count of each noun chunk that counts are about, by its span."""
    counts: dict[CharSpan, Claim] = {}
    for claim in claims:
        if claim.kind is ClaimKind.COUNT:
            counts.setdefault(claim.subject, claim)
    return counts


def numbers_in_words(caption: str, claims: Iterable[Claim]) -> dict[CharSpan, Stated]:
    """The stated number of each noun chunk that a count is about, by its span: "two dogs", "a dog".

    It follows from a record alone, whether a phrase has a box or not. "The dog" is no count, so it is not among them.
    Left out are things that nearly every image has ("a street"), by the last word of the chunk, and what may not be
    there ("waiting for a bus"). Of several counts of a chunk, the first one holds.
    """
    stated = ((span, stated_number(count)) for span, count in first_counts(claims).items())
    return {
        span: number
        for span, number in stated
        if number and not _is_everywhere(caption[slice(*span)]) and not is_unsure_in(caption, *span)
    }


def _is_everywhere(chunk: str) -> bool:
    return any(map(_names_scenery, chunk.split()[-1:]))


@lru_cache(maxsize=4096)
def _names_scenery(word: str) -> bool:
    return is_everywhere(singular(word.lower()))
