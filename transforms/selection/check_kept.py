"""Verdicts on the claims of kept pairs: from their kept boxes, and for some counts from their candidates.

`pack` calls `check_many` for the kept pairs of a chunk, so that candidates are counted on arrays. `check_pair` does the
same for one pair, and `PairChecker` for one pair and many thresholds. `ThresholdChecker` only asks whether a threshold
contradicts anything, which takes less time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from transforms.annotations.annotate import NO_LINKS, GivenLinks
from transforms.claims.check_claims import check_claims, spans_of
from transforms.claims.check_counts import needs_floor
from transforms.claims.verdicts import Boxes, Checked, Corners, PhraseBoxes, Verdict
from transforms.records import AT_LEAST, CharSpan, Claim, ClaimKind, Grounding, Pair
from transforms.selection.at_floor import AtFloor, Floor, PhraseNumber, floor_of
from transforms.selection.select_boxes import Candidates, candidates_of
from transforms.settings import SelectionSettings


@dataclass(frozen=True)
class SelectedPair:
    """A pair with its kept boxes, best first within a phrase.

    number: of the pair among the candidates. links: the detector has not looked at a pair that comes with boxes, so
    nothing is known about things without one.
    """

    number: int
    pair: Pair
    groundings: Sequence[Grounding]
    links: GivenLinks = NO_LINKS


def check_many(
    kept: Sequence[SelectedPair], candidates: Candidates, settings: SelectionSettings, threshold: float
) -> list[tuple[Checked, ...]]:
    """The verdicts on the claims of each pair, in their order. candidates: at least all those of these pairs."""
    known = [(one, _kept_by_span(one)) for one in kept if one.pair.claims]
    wanted = {number for one, boxes in known for number in _counted(one, boxes)}
    floor = floor_of(candidates, sorted(wanted), {one.number for one, _ in known if one.pair.boxes_cut}, settings)
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
    pair: Pair,
    groundings: Sequence[Grounding],
    settings: SelectionSettings,
    threshold: float,
    links: GivenLinks = NO_LINKS,
) -> tuple[Checked, ...]:
    """`check_many` for one pair, which has its candidates."""
    (verdicts,) = check_many([SelectedPair(0, pair, groundings, links)], candidates_of(pair), settings, threshold)
    return verdicts


def open_claims(pair: Pair, claims: Sequence[Claim], groundings: Iterable[Grounding]) -> list[Claim]:
    """Those of the claims that the boxes of some threshold may contradict. The others need no `ThresholdChecker`.

    groundings: at least the best box of each phrase that a threshold of 0 keeps, best score first.
    """
    if not claims:
        return []
    best: dict[CharSpan, Corners] = {}
    for grounding in groundings:
        best.setdefault((grounding.phrase.start, grounding.phrase.end), grounding.box.corners)
    boxes = {span: PhraseBoxes((corners,)) for span, corners in best.items()}
    return [claim for claim in claims if claim.negated or not _is_never_contradicted(claim, boxes, pair)]


def _is_never_contradicted(claim: Claim, boxes: Boxes, pair: Pair) -> bool:
    """boxes: the best one of each phrase that has one."""
    if claim.kind is ClaimKind.COUNT:  # "a dog": what has a box has a candidate at the floor
        return claim.predicate == AT_LEAST and claim.number <= 1 and claim.subject in boxes
    if claim.kind is not ClaimKind.RELATION:
        return False
    if not all(span in boxes for span in spans_of(claim)):
        return True
    (checked,) = check_claims([claim], boxes, pair.width, pair.height, pair.caption)
    return _is_settled(claim, checked)


class ThresholdChecker:
    """Checks the claims of one pair at descending thresholds, to find the first one that is contradicted.

    limits: the scores at which a verdict may change though the kept boxes do not. From one of them down, the limit of
    candidates may have removed boxes above the threshold.
    """

    def __init__(self, one: SelectedPair, floor: Floor, settings: SelectionSettings) -> None:
        """Called by `threshold_checkers`. floor: of the phrases that the claims count."""
        self._one = one
        self._floor = floor
        self._settings = settings
        self._open = dict(enumerate(one.pair.claims))  # not settled
        self._contradicted: set[int] = set()
        self._kept: dict[CharSpan, list[Corners]] = {(phrase.start, phrase.end): [] for phrase in one.pair.phrases}
        self._boxes = 0
        # Boxes that a limit may have removed leave an exact count undecided, but only its opposite is then no longer
        # contradicted.
        self._limited = any(claim.negated and claim.kind is ClaimKind.COUNT for claim in one.pair.claims)
        found = [floor.get((one.number, number)) for number in range(len(one.pair.phrases) if self._limited else 0)]
        self.limits = {one.lowest for one in found if one and one.cut}

    def first_contradicted(self, boxes: int, threshold: float) -> Claim | None:
        """The first claim, in the order of the words, that the best `boxes` boxes contradict.

        A claim is checked again only if one of its phrases has other boxes, and never if no further box can contradict
        it.
        """
        changed = set()
        for grounding in self._one.groundings[self._boxes : boxes]:
            span = grounding.phrase.start, grounding.phrase.end
            self._kept[span].append(grounding.box.corners)
            changed.add(span)
        every = self._limited or not self._boxes
        self._boxes = boxes
        due = [n for n, claim in self._open.items() if every or not changed.isdisjoint(self._depends_on(claim))]
        if due:
            one = replace(self._one, groundings=self._one.groundings[:boxes])
            self._check(due, _boxes(one, self._kept, self._floor, self._settings, threshold))
        return self._one.pair.claims[min(self._contradicted)] if self._contradicted else None

    def _depends_on(self, claim: Claim) -> Iterable[CharSpan]:
        return self._kept if claim.kind is ClaimKind.RANK else spans_of(claim)  # a rank, on all phrases with its noun

    def _check(self, due: Iterable[int], boxes: Boxes) -> None:
        pair = self._one.pair
        for number in due:
            claim = self._open[number]
            (checked,) = check_claims([claim], boxes, pair.width, pair.height, pair.caption)
            if checked.verdict is Verdict.CONTRADICTED:
                self._contradicted.add(number)
                continue
            self._contradicted.discard(number)
            if _is_settled(claim, checked):
                del self._open[number]


def threshold_checkers(
    pairs: Sequence[SelectedPair], candidates: Candidates, settings: SelectionSettings
) -> list[ThresholdChecker]:
    """A checker for all claims of each pair.

    pairs: with all boxes that a threshold of 0 keeps, best score first. candidates: at least all those of these pairs.
    """
    floor = _counted_at_floor(pairs, candidates, settings)
    return [ThresholdChecker(one, floor, settings) for one in pairs]


class PairChecker:
    """The verdicts of `check_pair` at many thresholds. What the detector found at its floor is counted only once.

    limits: as of `ThresholdChecker`.
    """

    def __init__(self, one: SelectedPair, settings: SelectionSettings) -> None:
        """one: number 0, with all boxes that a threshold of 0 keeps, best score first."""
        self._one = one
        self._settings = settings
        self._floor = _counted_at_floor([self._one], candidates_of(one.pair), settings)
        self.limits = {found.lowest for found in self._floor.values() if found.cut}

    def check(self, boxes: int, threshold: float) -> tuple[Checked, ...]:
        """The verdicts with the best `boxes` boxes, which are those that `threshold` keeps."""
        pair, one = self._one.pair, replace(self._one, groundings=self._one.groundings[:boxes])
        known = _boxes(one, _kept_by_span(one), self._floor, self._settings, threshold)
        return tuple(check_claims(pair.claims, known, pair.width, pair.height, pair.caption))


def _counted_at_floor(pairs: Sequence[SelectedPair], candidates: Candidates, settings: SelectionSettings) -> Floor:
    """What the detector found for each phrase that a claim counts."""
    wanted = []
    for one in pairs:
        if one.links.given:
            continue
        counted = {claim.subject for claim in one.pair.claims if claim.kind is ClaimKind.COUNT}
        spans = [(phrase.start, phrase.end) for phrase in one.pair.phrases]
        wanted += [(one.number, number) for number, span in enumerate(spans) if span in counted]
    return floor_of(candidates, sorted(wanted), {one.number for one in pairs if one.pair.boxes_cut}, settings)


def _is_settled(claim: Claim, checked: Checked) -> bool:
    """Whether no further box can contradict a claim: one pair of boxes that fits is enough."""
    grows = claim.kind is ClaimKind.RELATION or claim.predicate == AT_LEAST
    open_to_more = claim.negated or not checked.measured or checked.verdict is Verdict.CONTRADICTED
    return grows and not open_to_more


def _kept_by_span(one: SelectedPair) -> dict[CharSpan, list[Corners]]:
    """The kept boxes of each phrase. Phrases of one span share them."""
    boxes: dict[CharSpan, list[Corners]] = {(phrase.start, phrase.end): [] for phrase in one.pair.phrases}
    for grounding in one.groundings:
        boxes[grounding.phrase.start, grounding.phrase.end].append(grounding.box.corners)
    return boxes


def _counted(one: SelectedPair, boxes: dict[CharSpan, list[Corners]]) -> Iterator[PhraseNumber]:
    """The phrases of which a count needs the candidates: there are few boxes, or a limit may have removed some. None
    of a pair with boxes of its source."""
    if one.links.given:
        return
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
    boxes: dict[CharSpan, list[Corners]],
    floor: Floor,
    settings: SelectionSettings,
    threshold: float,
) -> Boxes:
    pair_is_full = settings.boxes_per_pair is not None and len(one.groundings) >= settings.boxes_per_pair
    found: dict[CharSpan, list[AtFloor]] = {}
    for number, phrase in enumerate(one.pair.phrases if floor else ()):
        if at_floor := floor.get((one.number, number)):
            found.setdefault((phrase.start, phrase.end), []).append(at_floor)
    known: dict[CharSpan, PhraseBoxes] = {}
    for phrase in one.pair.phrases:
        span = (phrase.start, phrase.end)
        if span in known:
            continue
        kept, of_span = tuple(boxes[span]), found.get(span)
        full = pair_is_full or (settings.boxes_per_phrase is not None and len(kept) >= settings.boxes_per_phrase)
        head = one.pair.caption[phrase.head_start : phrase.head_end]
        if of_span is None:
            given, labelled, crowd = one.links.given, one.links.labels, span in one.links.crowds
            known[span] = PhraseBoxes(kept, None, full, False, head, given, labelled, crowd)
            continue
        known[span] = PhraseBoxes(
            kept,
            sum(part.left for part in of_span),
            # The limit of candidates removes the lowest scores: if those that are left reach below the threshold, it
            # removed none above.
            full or any(part.cut and part.lowest >= threshold for part in of_span),
            any(part.cut for part in of_span),
            head,
        )
    return known
