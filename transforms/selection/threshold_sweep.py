"""What each score threshold would keep of a pair, so that another threshold can be judged without a run."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from transforms.records import Grounding, Pair, Phrase
from transforms.selection.judge import Policy, Rejected, encode_texts
from transforms.selection.select_boxes import select
from transforms.text import dialects

THRESHOLDS = tuple(i / 100 for i in range(101))
"""Score thresholds, 0 to 1."""


@dataclass(frozen=True, slots=True)
class SweepStep:
    """What is kept of a pair at threshold number `level` and below, down to the next step.

    phrases: with a box. boxes: of all of them. rejection: why a pair with just these is rejected; empty if it is kept.
    """

    level: int
    phrases: int
    boxes: int
    rejection: str = ""


def rank_candidates(pair: Pair, policy: Policy) -> list[Grounding]:
    """What would be kept of a pair if there were no threshold, best score first.

    What a threshold keeps is the beginning of it: candidates are ranked by score, and neither suppression nor a cap
    lets a lower one touch a higher one.
    """
    return sorted(select(pair, policy.selection, 0.0), key=lambda grounding: -grounding.box.score)


def sweep(
    pair: Pair,
    ranked: Sequence[Grounding],
    policy: Policy,
    thresholds: Sequence[float] = THRESHOLDS,
    written_phrases: int = 0,
) -> Iterator[SweepStep]:
    """The steps of a pair, from the highest threshold down; none if it has no box at any.

    thresholds: rising. written_phrases: with so many phrases a text is known to be written.
    """
    best: dict[Phrase, Grounding] = {}
    rejection, checked = "", 0
    one_answer = all(map(dialects.by_caption, policy.text.dialect))
    levels = [bisect_right(thresholds, grounding.box.score) - 1 for grounding in ranked]
    for boxes, (grounding, level, following) in enumerate(zip(ranked, levels, [*levels[1:], -1], strict=False), 1):
        best.setdefault(grounding.phrase, grounding)
        if level < 0 or following == level:
            continue
        # Encoding a text is slow, and only a further phrase changes the answer, if anything does.
        if len(best) > checked and not (checked and one_answer):
            rejection = "" if len(best) == written_phrases else _rejection(pair, tuple(best.values()), policy)
            checked = len(best)
        yield SweepStep(level, len(best), boxes, rejection)


def _rejection(pair: Pair, groundings: Sequence[Grounding], policy: Policy) -> str:
    """Why a text cannot be written with these phrases; how many boxes they have, and where, never decides it."""
    texts = encode_texts(pair, groundings, policy.text)
    return texts.reason if isinstance(texts, Rejected) else ""
