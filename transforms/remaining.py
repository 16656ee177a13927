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
    """What a pair has at threshold number `level` of a grid and below, down to the next step: phrases with a box, and
    boxes; 0 and 0 where it is not kept, since a dialect cannot carry it."""

    level: int
    phrases: int
    boxes: int


def ranked(pair: Pair, policy: Policy) -> list[Grounding]:
    """What would be kept of a pair if there were no threshold, best score first.

    What a threshold keeps is the beginning of it: candidates are ranked by score, and neither suppression nor a cap
    lets a lower one touch a higher one.
    """
    return sorted(select(pair, policy.selection, 0.0), key=lambda grounding: -grounding.box.score)


def steps(pair: Pair, ranked: Sequence[Grounding], policy: Policy, grid: Sequence[float] = GRID) -> Iterator[Step]:
    """The steps of a pair, from the highest threshold of a rising grid down; none if it has no box at any."""
    before: Step | None = None
    for boxes, phrases, score, refusal in beginnings(pair, ranked, policy):
        level = bisect_right(grid, score) - 1
        if before and level < before.level:
            yield before
        before = Step(level, 0, 0) if refusal else Step(level, phrases, boxes)
    if before and before.level >= 0:
        yield before


def beginnings(pair: Pair, ranked: Sequence[Grounding], policy: Policy) -> Iterator[tuple[int, int, float, str]]:
    """For each score that a box has, from the best down: how many boxes a threshold of just that score keeps, of how
    many phrases, the score, and why the pair is rejected with these, if it is."""
    best: dict[Phrase, Grounding] = {}
    refusal = ""
    for boxes, (grounding, following) in enumerate(zip_longest(ranked, ranked[1:]), 1):
        if grounding.phrase not in best:
            best[grounding.phrase] = grounding
            refusal = _refusal(pair, list(best.values()), policy)
        if following is None or following.box.score < grounding.box.score:
            yield boxes, len(best), grounding.box.score, refusal


def _refusal(pair: Pair, groundings: list[Grounding], policy: Policy) -> str:
    """Why a text cannot be written with these phrases; how many boxes they have, and where, never decides it."""
    try:
        texts(pair, groundings, policy.text)
    except CannotWrite as error:
        return str(error)
    return ""
