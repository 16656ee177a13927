"""How many things a phrase names, by the words of its caption."""

from collections.abc import Iterable
from dataclasses import dataclass

from transforms.decoys.same_things import is_everywhere
from transforms.phrases.class_names import class_name
from transforms.records import Claim, ClaimKind


@dataclass(frozen=True)
class Stated:
    """The number of things that a phrase names. exact: whether words state it; else it is 1, a singular."""

    number: int
    exact: bool


def stated_number(count: Claim) -> Stated | None:
    """The number that a count states. None for a plural without a number, and for what is not there."""
    if count.negated or count.number < 1:
        return None
    if count.predicate == "exactly":
        return Stated(count.number, True)
    return Stated(1, False) if count.predicate == "at_least" and count.number == 1 else None


def names_no_thing(caption: str, start: int, head: tuple[int, int]) -> bool:
    """Whether nearly every image has the thing of a noun chunk: "a street". Then no decoy is drawn of it, either.

    Args:
      start: where the noun chunk starts. head: start and end of its head noun.
    """
    return is_everywhere(class_name(caption, start, head))


def numbers_in_words(caption: str, claims: Iterable[Claim]) -> dict[tuple[int, int], Stated]:
    """The stated number of each noun chunk that a count is about, by its span: "two dogs", "a dog".

    It follows from a record alone, whether a phrase has a box or not. "The dog" is no count, so it is not among them;
    the head is the last word of the chunk. Of several counts of a chunk, the first one holds.
    """
    counts: dict[tuple[int, int], Claim] = {}
    for claim in claims:
        if claim.kind is ClaimKind.COUNT:
            counts.setdefault(claim.subject, claim)
    found = {}
    for (start, end), count in counts.items():
        words = caption[start:end]
        head = end - len(words.split()[-1]) if words.strip() else start
        if (stated := stated_number(count)) and not names_no_thing(caption, start, (head, end)):
            found[start, end] = stated
    return found
