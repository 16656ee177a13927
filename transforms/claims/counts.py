"""Counts: how many boxes a phrase has, held against the number that the caption states.

Captions name the main things: with perfect boxes, "exactly two dogs" would be wrong for a third of people's counts,
because a third dog is far away. So more boxes contradict only if they are of similar size; fewer only if the detector
has no further candidate at all.
"""

from transforms.claims import geometry
from transforms.claims.group_boxes import without_groups
from transforms.claims.verdicts import UNDECIDED, Checked, Measured, PhraseBoxes, Verdict

SIMILAR = 0.5
"""A further box counts if its area is at least this fraction of that of the smallest box of the stated number."""

COUNTS = frozenset({"exactly", "at_least", "none"})
"""The predicates of counts."""


def check_count(predicate: str, number: int, phrase: PhraseBoxes | None, bare_plural: bool = False) -> Checked:
    """The verdict on a count. Undecided if the detector was not asked for the phrase (None).

    Group boxes have no vote. measured: `boxes` with a vote, `groups` without one, `at_floor` the things that the
    detector found at its floor. For `exactly`, if there are more boxes, also `next_area`: the area of the largest
    further one over that of the smallest within the number.

    Args:
      number: at least 1; ignored by `none`. bare_plural: "dogs" says "several", but one box for all of them is no
        mistake, so few boxes do not contradict.
    """
    if phrase is None or predicate not in COUNTS or (number < 1 and predicate != "none"):
        return UNDECIDED
    voting = without_groups(phrase.kept)
    boxes = len(voting)
    measured: Measured = {"boxes": boxes, "groups": len(phrase.kept) - boxes, "at_floor": phrase.found}
    if predicate == "none":
        if phrase.kept:
            return Checked(Verdict.CONTRADICTED, measured)
        decided = phrase.found == 0 and not phrase.floor_cut
        return Checked(Verdict.SUPPORTED if decided else Verdict.UNDECIDED, measured)
    if boxes < number:
        missing = phrase.found < number and not phrase.floor_cut and not bare_plural
        return Checked(Verdict.CONTRADICTED if missing else Verdict.UNDECIDED, measured)
    if predicate == "at_least":
        return Checked(Verdict.SUPPORTED, measured)
    if boxes > number:
        areas = sorted(map(geometry.area, voting), reverse=True)
        measured["next_area"] = geometry.ratio(areas[number], areas[number - 1])
        similar = measured["next_area"] >= SIMILAR
        return Checked(Verdict.CONTRADICTED if similar else Verdict.UNDECIDED, measured)
    return Checked(Verdict.UNDECIDED if phrase.cut else Verdict.SUPPORTED, measured)
