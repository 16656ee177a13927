"""What each score threshold would keep of a pair, so that thresholds can be compared without another run."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from transforms.annotations.annotate import given_links
from transforms.claims.verdicts import Checked
from transforms.records import Grounding, Pair, Phrase
from transforms.selection.check_kept import (
    PairChecker,
    SelectedPair,
    ThresholdChecker,
    open_claims,
    threshold_checkers,
)
from transforms.selection.contradictions import REASONS, rejecting_claims
from transforms.selection.judge import Policy, Rejected, encode_texts
from transforms.selection.select_boxes import candidates_of, select
from transforms.text import dialects

THRESHOLDS = tuple(i / 100 for i in range(101))
"""The score thresholds 0, 0.01, …, 1."""


@dataclass(frozen=True, slots=True)
class SweepStep:
    """What is kept of a pair from threshold number `level` down to the level of the next step.

    phrases: number of phrases with a box. boxes: number of boxes. rejection: why the pair is rejected with these boxes;
    empty if it is kept.
    """

    level: int
    phrases: int
    boxes: int
    rejection: str = ""


def rank_candidates(pair: Pair, policy: Policy) -> list[Grounding]:
    """The boxes of a pair that a threshold of 0 keeps, best score first.

    Each threshold keeps the first boxes of this list, because in suppression and in the caps a box never affects a box
    with a higher score.
    """
    return sorted(select(pair, policy.selection_of(pair), 0.0), key=lambda grounding: -grounding.box.score)


def sweep(
    pair: Pair,
    ranked: Sequence[Grounding],
    policy: Policy,
    thresholds: Sequence[float] = THRESHOLDS,
    written_phrases: int = 0,
    checker: ThresholdChecker | None = None,
) -> Iterator[SweepStep]:
    """Yields the steps of a pair, from the highest threshold down. Empty if no threshold keeps a box.

    Args:
      ranked: boxes, best score first, as from `rank_candidates`. thresholds: ascending.
      written_phrases: a number of phrases with which the text is known to be writable, so it is not encoded again; 0:
        none.
      checker: of the claims that may reject the pair, if the pair does not have its candidates.
    """
    steps = _sweep_texts(pair, ranked, policy, thresholds, written_phrases)
    if checker is None and (claims := open_claims(pair, rejecting_claims(pair.claims, policy.selection), ranked)):
        one = SelectedPair(0, replace(pair, claims=tuple(claims)), ranked, given_links(pair, policy.given))
        (checker,) = threshold_checkers([one], candidates_of(pair), policy.selection)
    return _sweep_claims(list(steps), checker, thresholds) if checker else steps


def sweep_verdicts(
    pair: Pair, ranked: Sequence[Grounding], policy: Policy, thresholds: Sequence[float]
) -> Iterator[tuple[int, tuple[Checked, ...]]]:
    """Yields the verdicts on all claims of a pair from threshold number `level` down to the next level, as `judge` has
    them at each threshold. From the highest threshold with a box down. The arguments are those of `sweep`.
    """
    if not pair.claims:
        return
    checker = PairChecker(SelectedPair(0, pair, ranked, given_links(pair, policy.given)), policy.selection)
    levels = [bisect_right(thresholds, grounding.box.score) - 1 for grounding in ranked]
    limits = {bisect_right(thresholds, score) - 1 for score in checker.limits}
    for level in sorted({*levels, *limits} - {-1}, reverse=True):
        if boxes := sum(other >= level for other in levels):
            yield level, checker.check(boxes, thresholds[level])


def _sweep_claims(
    steps: Sequence[SweepStep], checker: ThresholdChecker, thresholds: Sequence[float]
) -> Iterator[SweepStep]:
    """Yields the steps with the rejections of contradicted claims, and more steps where a limit changes a verdict."""
    by_level = {step.level: step for step in steps}
    limits = {bisect_right(thresholds, score) - 1 for score in checker.limits}
    now: SweepStep | None = None
    for level in sorted({*by_level, *limits} - {-1}, reverse=True):
        now = by_level.get(level, now)
        if now is None:
            continue
        claim = None if now.rejection else checker.first_contradicted(now.boxes, thresholds[level])
        yield SweepStep(level, now.phrases, now.boxes, REASONS[claim.kind] if claim else now.rejection)


def _sweep_texts(
    pair: Pair, ranked: Sequence[Grounding], policy: Policy, thresholds: Sequence[float], written_phrases: int
) -> Iterator[SweepStep]:
    """Yields the steps with the rejections of texts that cannot be written. The arguments are those of `sweep`."""
    best: dict[Phrase, Grounding] = {}
    rejection, checked = "", 0
    one_answer = all(map(dialects.by_caption, policy.text.dialect))
    levels = [bisect_right(thresholds, grounding.box.score) - 1 for grounding in ranked]
    for boxes, (grounding, level, following) in enumerate(zip(ranked, levels, [*levels[1:], -1], strict=False), 1):
        best.setdefault(grounding.phrase, grounding)
        if level < 0 or following == level:
            continue
        # Encoding a text is slow, and only an additional phrase can change the answer.
        if len(best) > checked and not (checked and one_answer):
            rejection = "" if len(best) == written_phrases else _rejection(pair, tuple(best.values()), policy)
            checked = len(best)
        yield SweepStep(level, len(best), boxes, rejection)


def _rejection(pair: Pair, groundings: Sequence[Grounding], policy: Policy) -> str:
    """Why a text cannot be written with these phrases, or empty. The number and the position of boxes do not matter."""
    texts = encode_texts(pair, groundings, policy.text)
    return texts.reason if isinstance(texts, Rejected) else ""
