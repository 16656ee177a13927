"""What would remain of a pair at any score threshold, so that another threshold can be judged without a run."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from transforms.records import Grounding, Pair, Phrase
from transforms.selection.boxes import select
from transforms.selection.judge import CannotWrite, Policy, texts
from transforms.text import dialects

GRID = tuple(i / 100 for i in range(101))
"""Score thresholds, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is left of a pair at threshold number `level` of a grid and below, down to the next step.

    phrases: with a box. boxes: of all of them. refusal: why a pair with just these is rejected; empty if it is kept.
    """

    level: int
    phrases: int
    boxes: int
    refusal: str = ""


def ranked(pair: Pair, policy: Policy) -> list[Grounding]:
    """What would be kept of a pair if there were no threshold, best score first.

    What a threshold keeps is the beginning of it: candidates are ranked by score, and neither suppression nor a cap
    lets a lower one touch a higher one.
    """
    return sorted(select(pair, policy.selection, 0.0), key=lambda grounding: -grounding.box.score)


def steps(pair: Pair, ranked: Sequence[Grounding], policy: Policy, grid: Sequence[float] = GRID) -> Iterator[Step]:
    """The steps of a pair, from the highest threshold of a rising grid down; none if it has no box at any."""
    best: dict[Phrase, Grounding] = {}
    refusal, asked = "", 0
    levels = [bisect_right(grid, grounding.box.score) - 1 for grounding in ranked]
    for boxes, (grounding, level, following) in enumerate(zip(ranked, levels, [*levels[1:], -1], strict=False), 1):
        best.setdefault(grounding.phrase, grounding)
        if level < 0 or following == level:
            continue
        if len(best) > asked:  # a text takes its time, and only a new phrase changes the answer
            refusal, asked = _refusal(pair, tuple(best.values()), policy), len(best)
        yield Step(level, len(best), boxes, refusal)


def is_refused(pair: Pair, best: Sequence[Grounding], policy: Policy, grid: Sequence[float], told: int) -> bool:
    """Whether any of a pair's steps has a refusal.

    best: of each phrase the best box, best first. told: with so many of them a text is known to be written.
    """
    one_answer = all(map(dialects.by_caption, policy.text.dialect))
    if one_answer and told:
        return False
    levels = [bisect_right(grid, grounding.box.score) for grounding in best]
    borders = (
        n for n, (level, following) in enumerate(zip(levels, [*levels[1:], 0], strict=True), 1) if level != following
    )
    asked = islice(borders, 1 if one_answer else None)
    return any(number != told and _refusal(pair, best[:number], policy) for number in asked)


def _refusal(pair: Pair, groundings: Sequence[Grounding], policy: Policy) -> str:
    """Why a text cannot be written with these phrases; how many boxes they have, and where, never decides it."""
    try:
        texts(pair, groundings, policy.text)
    except CannotWrite as error:
        return str(error)
    return ""
