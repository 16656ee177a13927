"""The three verdicts, the version of the rules, and what is known about the boxes of a phrase."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from transforms.records import CharSpan

RULES_VERSION = 3
"""Changes whenever a rule, a margin, `parts.yaml` or, for boxes of the source, `same_things.yaml` does: verdicts of
different versions are not comparable."""


def rules_version(given_boxes: bool) -> int:
    """The version of the rules for a run. given_boxes: whether its source has columns with boxes.

    Version 3 changed only verdicts on boxes of the source, so other runs keep version 2, and their packs stay current.
    Whoever increases `RULES_VERSION` for all runs returns it here for all of them.
    """
    return RULES_VERSION if given_boxes else 2


Corners = tuple[float, float, float, float]
"""x1, y1, x2, y2. In `PhraseBoxes` fractions of the picture's sides; in rules both axes have the same unit."""


class Verdict(StrEnum):
    """Whether boxes support a claim, contradict it, or decide nothing. Never a boolean: boxes can refute "on", and
    cannot prove it; "behind" they cannot decide at all."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNDECIDED = "undecided"

    def negated(self) -> "Verdict":
        """The verdict on the opposite. Only for predicates that boxes can prove as well as refute."""
        return _OPPOSITE[self]


_OPPOSITE = {
    Verdict.SUPPORTED: Verdict.CONTRADICTED,
    Verdict.CONTRADICTED: Verdict.SUPPORTED,
    Verdict.UNDECIDED: Verdict.UNDECIDED,
}

Measured = dict[str, float]
"""The numbers that a verdict depends on, rounded to `geometry.DIGITS` digits: counts are integers, the rest fractions.
A verdict is decided on the rounded numbers, so it follows from them."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A verdict and its numbers. measured: empty if nothing was measured, because a side of the claim has no box."""

    verdict: Verdict
    measured: Measured = field(default_factory=dict)


UNDECIDED = Checked(Verdict.UNDECIDED)


@dataclass(frozen=True, slots=True)
class PhraseBoxes:
    """What is known about the boxes of one phrase that the detector was asked for, or that comes with boxes of its
    source.

    kept: the boxes of the data set, best score first, group boxes included.
    at_floor: the things that the detector found at its floor: boxes that suppression leaves of the phrase's candidates
      alone, whatever their score and size. Other phrases do not count: in "two dogs beside a dog in a coat", the box of
      the third may suppress one of the two. Fewer than `kept` are read as that many. None: unknown, as for
      boxes of the source: what has none may be there. Only counts that `check_counts.needs_floor` names depend on it.
    cut: whether a limit may have removed boxes above the score threshold.
    floor_cut: whether a limit may have removed boxes above the floor, so that `at_floor` is a lower bound.
    head: the head noun, as in the caption. Ranks compare the boxes of one noun.
    given: whether the source brings the boxes: it may have left out others. labelled: whether a label
      says that they are of this phrase, which names only the noun. crowd: whether the source marks one of them as a box
      around several things.
    """

    kept: tuple[Corners, ...] = ()
    at_floor: int | None = None
    cut: bool = False
    floor_cut: bool = False
    head: str = ""
    given: bool = False
    labelled: bool = False
    crowd: bool = False


Boxes = Mapping[CharSpan, PhraseBoxes]
"""The boxes of each noun chunk that the detector was asked for, by its span."""
