"""What would remain of a pair at any score threshold, so that another threshold can be judged without a run."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from transforms.judge_pair import CannotWrite, Policy, texts
from transforms.records import Pair, Phrase
from transforms.select_boxes import Grounding, select

GRID = tuple(i / 100 for i in range(101))
"""Score thresholds, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a pair has at threshold `GRID[level]` and below, down to the next step: phrases with a box, and boxes.

    0 and 0: it is not kept there, since a dialect cannot carry it.
    """

    level: int
    phrases: int
    boxes: int


def ranked(pair: Pair, policy: Policy) -> list[Grounding]:
    """What would be kept of a pair if there were no threshold, best score first.

    What a threshold keeps is the beginning of it: candidates are ranked by score, and neither suppression nor a cap
    lets a lower one touch a higher one.
    """
    return sorted(select(pair, policy.selection, 0.0), key=lambda grounding: -grounding.box.score)


def steps(pair: Pair, ranked: Sequence[Grounding], policy: Policy) -> Iterator[Step]:
    """The steps of a pair, from the highest threshold down; none if it has no box at any."""
    best: dict[Phrase, Grounding] = {}
    carried = False
    for boxes, (grounding, following) in enumerate(zip_longest(ranked, ranked[1:]), 1):
        new = best.setdefault(grounding.phrase, grounding) is grounding
        carried = _carried(pair, list(best.values()), policy) if new else carried
        level = _level(grounding)
        if following is None or _level(following) < level:
            yield Step(level, len(best), boxes) if carried else Step(level, 0, 0)


def _level(grounding: Grounding) -> int:
    return bisect_right(GRID, grounding.box.score) - 1


def _carried(pair: Pair, groundings: list[Grounding], policy: Policy) -> bool:
    """Whether every dialect can write these phrases; the number of their boxes and where they are never decide it."""
    try:
        texts(pair, groundings, policy.text)
    except CannotWrite:
        return False
    return True
