"""The outcome of a pair: kept with its boxes and texts, rejected with a reason, or failed.

`pack` calls `judge_selected` twice for a pair: to count and to write. Both outcomes must be equal but for the texts, so
they depend only on the row and the policy. If contradicted claims reject pairs, `judge_claims` then judges the kept
ones. `judge` does both for one pair, and selects its boxes before; the viewer calls it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from transforms.annotations.annotate import given_links, has_given_boxes
from transforms.annotations.columns import NOTHING_GIVEN, AnnotationColumns
from transforms.claims.verdicts import Checked
from transforms.records import REJECTED_BY_SOURCE, Drop, Fault, Grounding, Pair, Reason
from transforms.selection.check_kept import check_pair
from transforms.selection.contradictions import contradiction, rejecting_kinds
from transforms.selection.select_boxes import select
from transforms.settings import SelectionSettings, TextSettings
from transforms.text import dialects
from transforms.text.grounded_caption import CannotCarry, GroundedCaption, choose_spans


@dataclass(frozen=True)
class Policy:
    """The settings that decide the outcome: the selection, the active score threshold, how text is written, and
    whether exact duplicates are rejected. `pack` alone finds these, because they depend on other pairs.

    given: the columns with phrases and boxes of the source.
    """

    selection: SelectionSettings
    threshold: float
    text: TextSettings
    exact_duplicates: bool = False
    given: AnnotationColumns = NOTHING_GIVEN

    @property
    def rejects_claims(self) -> bool:
        """Whether pairs are rejected for claims that their boxes contradict."""
        return bool(rejecting_kinds(self.selection))

    def selection_of(self, pair: Pair) -> SelectionSettings:
        """The selection for a pair. Boxes of the source are never ambiguous: it says whose each of them is."""
        given = self.selection.ambiguous_phrases == "drop" and has_given_boxes(pair, self.given)
        return self.selection.model_copy(update={"ambiguous_phrases": "first"}) if given else self.selection


@dataclass(frozen=True)
class Kept:
    """A pair of the data set, with its boxes in record order and its text in each configured dialect.

    verdicts: on the claims of the pair, in their order; empty if they were not checked.
    """

    pair: Pair
    groundings: tuple[Grounding, ...]
    texts: dict[str, str]
    verdicts: tuple[Checked, ...] = ()


@dataclass(frozen=True)
class Rejected:
    """A pair without a fault that is not part of the data set. `reason` is a code."""

    reason: str


def judge(pair: Pair, policy: Policy) -> Kept | Rejected | Fault:
    """The outcome of a row of detections; selects its boxes first. A kept pair has the verdicts on its claims."""
    outcome = judge_selected(pair, select(pair, policy.selection_of(pair), policy.threshold), policy.text)
    if not isinstance(outcome, Kept):
        return outcome
    links = given_links(pair, policy.given)
    verdicts = check_pair(pair, outcome.groundings, policy.selection, policy.threshold, links)
    return judge_claims(replace(outcome, verdicts=verdicts), policy.selection)


def judge_selected(
    pair: Pair, groundings: Sequence[Grounding], settings: TextSettings, written: bool = True
) -> Kept | Rejected | Fault:
    """The outcome of a row whose boxes are already selected.

    groundings: in record order. written: False if the texts are not needed; a kept pair may then have none.
    """
    if pair.error:
        return Rejected(pair.error.reason) if pair.error.reason in REJECTED_BY_SOURCE else pair.error
    if not pair.caption.strip():
        return Rejected(Reason.NO_CAPTION)
    if pair.filtered:
        return Rejected(pair.filtered)
    if not pair.phrases:
        foreign = any(dropped.reason == Drop.LANGUAGE for dropped in pair.dropped)
        return Rejected(Reason.LANGUAGE if foreign else Reason.NO_PHRASE)
    if not groundings:
        return Rejected(Reason.NO_BOX)
    if not written and all(map(dialects.by_caption, settings.dialect)):  # then one box shows it
        texts = encode_texts(pair, groundings[:1], settings)
        return texts if isinstance(texts, Rejected) else Kept(pair, tuple(groundings), {})
    texts = encode_texts(pair, groundings, settings)
    return texts if isinstance(texts, Rejected) else Kept(pair, tuple(groundings), texts)


def judge_claims(kept: Kept, settings: SelectionSettings) -> Kept | Rejected:
    """The outcome of a kept pair with the verdicts on its claims."""
    reason = contradiction(kept.pair.claims, kept.verdicts, settings)
    return Rejected(reason) if reason else kept


def encode_texts(pair: Pair, groundings: Sequence[Grounding], settings: TextSettings) -> dict[str, str] | Rejected:
    """The pair's text in each configured dialect, or the rejection `<dialect>_<code>` if a dialect cannot write it."""
    chosen = choose_spans(groundings, settings.spans)
    written = {}
    for name in settings.dialect:
        dialect, spans = dialects.find(name), chosen
        if banned := dialects.banned(name):
            # If nothing is left, the dialect says why it cannot write the caption.
            spans = choose_spans(groundings, settings.spans, pair.caption, banned) or chosen
        try:
            written[name] = dialect.encode(GroundedCaption(pair.caption, spans, pair.width, pair.height))
        except CannotCarry as error:
            return Rejected(f"{name.partition(':')[0]}_{error}")
    return written
