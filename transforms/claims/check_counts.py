"""Counts: how many boxes a phrase has, held against the number that the caption states.

Captions name the main things: with perfect boxes, "exactly two dogs" would be wrong for a third of people's counts,
because a third dog is far away. So more boxes contradict only if they are of similar size; fewer only if the detector
has no further candidate at all. Boxes of the source are those that somebody drew: fewer of them contradict nothing.
"""

from transforms.claims import geometry
from transforms.claims.group_boxes import MEMBERS, without_groups
from transforms.claims.verdicts import UNDECIDED, Checked, Corners, Measured, PhraseBoxes, Verdict
from transforms.records import AT_LEAST, EXACTLY

SIMILAR = 0.5
"""A further box counts if its area is at least this fraction of that of the smallest box of the stated number."""

COUNTS = frozenset({EXACTLY, AT_LEAST})
"""The predicates that boxes decide. "None" they do not: no detector is asked for "no dog", and a thing that another
phrase names does not contradict it: "a dog with a collar and one with no collar"."""


def check_count(
    predicate: str, number: int, phrase: PhraseBoxes | None, may_be_fewer: bool = False, may_be_more: bool = False
) -> Checked:
    """The verdict on a count. Undecided if the detector was not asked for the phrase (None), and for "none".

    Group boxes have no vote. A box that the source marks as one around several things is of at least one, so the exact
    number is undecided. measured: `boxes` with a vote and `groups` without one. If there are fewer boxes than
    stated, also `at_floor`, the things that the detector found at its floor; if there are more than exactly that many,
    `next_area`, the area of the largest further one over that of the smallest within the number.

    Args:
      number: at least 1. may_be_fewer: few boxes do not contradict: "dogs" says "several", but one
        box for all of them is no mistake. may_be_more: further boxes do not contradict.
    """
    if phrase is None or predicate not in COUNTS or number < 1:
        return UNDECIDED
    voting = without_groups(phrase.kept)
    measured: Measured = {"boxes": len(voting), "groups": len(phrase.kept) - len(voting)}
    if len(voting) < number:
        return _with_few_boxes(number, phrase, may_be_fewer, measured)
    if predicate == AT_LEAST:
        return Checked(Verdict.SUPPORTED, measured)
    if phrase.crowd:
        return Checked(Verdict.UNDECIDED, measured)
    if len(voting) > number:
        areas = sorted(map(geometry.area, voting), reverse=True)
        measured["next_area"] = geometry.ratio(areas[number], areas[number - 1])
        similar = measured["next_area"] >= SIMILAR and not may_be_more
        return Checked(Verdict.CONTRADICTED if similar else Verdict.UNDECIDED, measured)
    return Checked(Verdict.UNDECIDED if phrase.cut else Verdict.SUPPORTED, measured)


def needs_floor(predicate: str, number: int, kept: tuple[Corners, ...]) -> bool:
    """Whether the verdict on a count depends on what the detector found at its floor."""
    if predicate not in COUNTS:
        return False
    # The smallest boxes have a vote, so that most numbers do not need to know the group boxes.
    return len(kept) < number or (number > MEMBERS and len(without_groups(kept)) < number)


def _with_few_boxes(number: int, phrase: PhraseBoxes, may_be_fewer: bool, measured: Measured) -> Checked:
    if phrase.at_floor is None:
        return Checked(Verdict.UNDECIDED, measured)
    found = max(phrase.at_floor, len(phrase.kept))
    measured["at_floor"] = found
    if phrase.floor_cut or phrase.crowd or may_be_fewer or found >= number:
        return Checked(Verdict.UNDECIDED, measured)
    return Checked(Verdict.CONTRADICTED, measured)
