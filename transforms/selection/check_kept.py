"""Verdicts on the claims of kept pairs: from their kept boxes, and for some counts from their candidates.

`pack` calls `check_many` for the kept pairs of a chunk, so that candidates are counted on arrays. `check_pair` does the
same for one pair, and `PairChecker` for one pair and many thresholds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from transforms.claims.check_claims import check_claims, compares_nouns, phrases_of, spans_of
from transforms.claims.check_counts import needs_floor
from transforms.claims.verdicts import Boxes, Checked, Corners, PhraseBoxes, Span, Verdict
from transforms.records import Claim, ClaimKind, Grounding, Pair
from transforms.selection.select_boxes import Candidates, candidates_of, suppress_many
from transforms.settings import SelectionSettings


@dataclass(frozen=True)
class SelectedPair:
    """A pair with its kept boxes, best first within a phrase. number: of the pair among the candidates."""

    number: int
    pair: Pair
    groundings: Sequence[Grounding]


@dataclass(frozen=True)
class _AtFloor:
    """What the detector found for a phrase. left: candidates that suppression leaves. cut: whether the limit of
    candidates removed others. lowest: the lowest score."""

    left: int
    cut: bool
    lowest: float


_PhraseNumber = tuple[int, int]
"""The numbers of a pair and of its phrase."""


def check_many(
    kept: Sequence[SelectedPair], candidates: Candidates, settings: SelectionSettings, threshold: float
) -> list[tuple[Checked, ...]]:
    """The verdicts on the claims of each pair, in their order. candidates: at least all those of these pairs."""
    known = [(one, _kept_by_span(one)) for one in kept if one.pair.claims]
    wanted = {number for one, boxes in known for number in _counted(one, boxes)}
    floor = _at_floor(candidates, sorted(wanted), {one.number for one, _ in known if one.pair.boxes_cut}, settings)
    verdicts = {
        one.number: check_claims(
            one.pair.claims,
            _boxes(one, boxes, floor, settings, threshold),
            one.pair.width,
            one.pair.height,
            one.pair.caption,
        )
        for one, boxes in known
    }
    return [tuple(verdicts.get(one.number, ())) for one in kept]


def check_pair(
    pair: Pair, groundings: Sequence[Grounding], settings: SelectionSettings, threshold: float
) -> tuple[Checked, ...]:
    """`check_many` for one pair, which has its candidates."""
    (verdicts,) = check_many([SelectedPair(0, pair, groundings)], candidates_of(pair), settings, threshold)
    return verdicts


class PairChecker:
    """Checks the claims of one pair at several thresholds. What the detector found at its floor is counted only once.

    exact: whether verdicts and numbers are those of `check_pair` at each threshold. Otherwise only `contradicted` is: a
      claim that more boxes cannot contradict keeps its verdict, though it may be supported by now.
    limits: the scores at which a verdict may change though the kept boxes do not. From one of them down, the limit of
    candidates may have removed boxes above the threshold.
    """

    def __init__(self, pair: Pair, candidates: Candidates, settings: SelectionSettings, exact: bool = False) -> None:
        """candidates: of this pair alone, as number 0."""
        counted = {claim.subject for claim in pair.claims if claim.kind is ClaimKind.COUNT}
        wanted = [(0, n) for n, phrase in enumerate(pair.phrases) if (phrase.start, phrase.end) in counted]
        self._pair = pair
        self._settings = settings
        self._exact = exact
        self._last: dict[int, tuple[list[PhraseBoxes | None], Checked]] = {}
        self._floor = _at_floor(candidates, wanted, {0} if pair.boxes_cut else set(), settings)
        self.limits = {found.lowest for found in self._floor.values() if found.cut}

    def check(self, groundings: Sequence[Grounding], threshold: float) -> list[Checked]:
        """The verdicts on the claims with these kept boxes, best first within a phrase. Call it with descending
        thresholds: a claim is checked again only if one of its phrases has other boxes."""
        one = SelectedPair(0, self._pair, groundings)
        boxes = _boxes(one, _kept_by_span(one), self._floor, self._settings, threshold)
        verdicts = []
        for number, claim in enumerate(self._pair.claims):
            last = self._last.get(number)
            if last and not self._exact and _is_settled(claim, last[1]):
                verdicts.append(last[1])
                continue
            known = phrases_of(claim, boxes)
            if last is None or last[0] != known:
                (checked,) = check_claims([claim], boxes, self._pair.width, self._pair.height, self._pair.caption)
                last = self._last[number] = known, checked
            verdicts.append(last[1])
        return verdicts


def _is_settled(claim: Claim, checked: Checked) -> bool:
    """Whether no further box can contradict a claim: one pair of boxes that fits is enough."""
    grows = claim.kind is ClaimKind.RELATION or claim.predicate == "at_least"
    open_to_more = claim.negated or not checked.measured or checked.verdict is Verdict.CONTRADICTED
    return grows and not open_to_more


def _kept_by_span(one: SelectedPair) -> dict[Span, list[Corners]]:
    """The kept boxes of each phrase that the claims depend on. Phrases of one span share them."""
    boxes: dict[Span, list[Corners]] = {(phrase.start, phrase.end): [] for phrase in one.pair.phrases}
    if not any(map(compares_nouns, one.pair.claims)):
        spans = {span for claim in one.pair.claims for span in spans_of(claim)}
        boxes = {span: found for span, found in boxes.items() if span in spans}
    for grounding in one.groundings:
        if (found := boxes.get((grounding.phrase.start, grounding.phrase.end))) is not None:
            found.append(grounding.box.corners)
    return boxes


def _counted(one: SelectedPair, boxes: dict[Span, list[Corners]]) -> Iterator[_PhraseNumber]:
    """The phrases of which a count needs the candidates: there are few boxes, or a limit may have removed some."""
    needed = {
        claim.subject
        for claim in one.pair.claims
        if claim.kind is ClaimKind.COUNT
        and (found := boxes.get(claim.subject)) is not None
        and (one.pair.boxes_cut or needs_floor(claim.predicate, claim.number, tuple(found)))
    }
    for number, phrase in enumerate(one.pair.phrases if needed else ()):
        if (phrase.start, phrase.end) in needed:
            yield one.number, number


def _boxes(
    one: SelectedPair,
    boxes: dict[Span, list[Corners]],
    floor: dict[_PhraseNumber, _AtFloor],
    settings: SelectionSettings,
    threshold: float,
) -> Boxes:
    pair_is_full = settings.boxes_per_pair is not None and len(one.groundings) >= settings.boxes_per_pair
    known: dict[Span, PhraseBoxes] = {}
    for number, phrase in enumerate(one.pair.phrases):
        span = (phrase.start, phrase.end)
        if span in known or span not in boxes:
            continue
        kept, found = tuple(boxes[span]), floor.get((one.number, number))
        full = settings.boxes_per_phrase is not None and len(kept) >= settings.boxes_per_phrase
        known[span] = PhraseBoxes(
            kept,
            found.left if found else None,
            # The limit of candidates removes the lowest scores: if those that are left reach below the threshold, it
            # removed none above.
            pair_is_full or full or (found is not None and found.cut and found.lowest >= threshold),
            found is not None and found.cut,
            one.pair.caption[phrase.head_start : phrase.head_end],
        )
    return known


def _at_floor(
    candidates: Candidates, wanted: Sequence[_PhraseNumber], cut: set[int], settings: SelectionSettings
) -> dict[_PhraseNumber, _AtFloor]:
    """What the detector found for these phrases. Each is suppressed on its own, with all scores and sizes.

    cut: the pairs of which the limit of candidates removed some. The limit is the same for all phrases, so they are of
    the phrases with the most candidates.
    """
    if not wanted:
        return {}
    phrases = 1 + max(candidates.phrase.max(initial=0), max(phrase for _, phrase in wanted))
    keys = candidates.pair * phrases + candidates.phrase
    asked = [pair * phrases + phrase for pair, phrase in wanted]
    (chosen,) = np.nonzero(np.isin(keys, asked))
    order = chosen[np.lexsort((*candidates.corners[::-1, chosen], -candidates.score[chosen], keys[chosen]))]
    left = keys[order[suppress_many(keys[order], candidates.corners[:, order], settings.nms_iou)]]
    first = np.searchsorted(keys[order], asked)
    last = np.searchsorted(keys[order], asked, "right")
    things = np.searchsorted(left, asked, "right") - np.searchsorted(left, asked)
    limits = {pair: np.bincount(candidates.phrase[candidates.pair == pair], minlength=1).max() for pair in cut}
    return {
        number: _AtFloor(
            int(count),
            number[0] in cut and end - begin == limits[number[0]],
            float(candidates.score[order[end - 1]]) if end > begin else 0.0,
        )
        for number, count, begin, end in zip(wanted, things, first.tolist(), last.tolist(), strict=True)
    }
