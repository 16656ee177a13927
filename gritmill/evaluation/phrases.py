"""`gritmill eval --phrases`: compares the noun phrases that a run extracts with the phrases marked by annotators.

No image is needed. A phrase is correct if its character span equals a marked one. Marked phrases that name nothing
visible (`notvisual`) need not be found; extracting one is a false alarm of its own kind.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any

from gritmill.evaluation.metrics import share
from gritmill.evaluation.sets.truth import TrueCaption, TruePhrase, Truth
from pipeline.configuration import Configuration
from pipeline.engines import progress
from pipeline.model_identity import identify
from pipeline.stages.phrases import Phrases
from pipeline.stages.runner import StageRunner
from transforms.records import CharSpan, Pair

_BATCH = 1000


class Miss(StrEnum):
    """Why a marked phrase was not extracted. A further value is `dropped: <reason>`."""

    EXPRESSION = "only as an expression"
    WIDER = "inside a wider phrase"
    NARROWER = "around a narrower phrase"
    CROSSING = "crossed by a phrase"
    NOTHING = "no noun phrase there"
    FAILED = "the parser failed"


class Alarm(StrEnum):
    """Why an extracted phrase is a false alarm."""

    NOT_VISUAL = "not visual"
    WIDER = "wider than a marked one"
    NARROWER = "narrower than a marked one"
    CROSSING = "crosses a marked one"
    UNMARKED = "nothing is marked there"


@dataclass
class Tally:
    """Counts over captions.

    hit: phrases that are both marked and extracted. by_head: marked phrases that contain the head of an extracted one.
    kinds: for each kind of phrase, how many are marked and hit.
    """

    captions: int = 0
    marked: int = 0
    extracted: int = 0
    hit: int = 0
    by_head: int = 0
    misses: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)
    kinds: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, pair: Pair, phrases: Sequence[TruePhrase]) -> None:
        """Adds a caption. pair: with the extracted phrases. phrases: the marked ones."""
        annotated = [phrase for phrase in phrases if phrase.start >= 0]
        visual = [phrase for phrase in annotated if phrase.queried]
        extracted = {(phrase.start, phrase.end) for phrase in pair.phrases}
        self.captions += 1
        self.marked += len(visual)
        self.extracted += len(extracted)
        for phrase in visual:
            span = (phrase.start, phrase.end)
            self.hit += span in extracted
            for kind in set(phrase.kinds):
                self.kinds[kind].update(marked=1, hit=span in extracted)
            self.by_head += any(span[0] <= one.head_start and one.head_end <= span[1] for one in pair.phrases)
            if span not in extracted:
                self.misses[why_missed(span, pair)] += 1
        for span in extracted - {(phrase.start, phrase.end) for phrase in visual}:
            self.alarms[why_extracted(span, annotated)] += 1

    def to_json(self) -> dict[str, Any]:
        """Counts and rates. A rate is None if its denominator is 0."""
        precision, recall = share(self.hit, self.extracted), share(self.hit, self.marked)
        return {
            "captions": self.captions,
            "marked": self.marked,
            "extracted": self.extracted,
            "hit": self.hit,
            "precision": precision,
            "recall": recall,
            "f1": share(2 * self.hit, self.extracted + self.marked),
            "recall_by_head": share(self.by_head, self.marked),
            "misses": dict(self.misses.most_common()),
            "false_alarms": dict(self.alarms.most_common()),
            "kinds": {
                kind: {"marked": counts["marked"], "recall": share(counts["hit"], counts["marked"])}
                for kind, counts in sorted(self.kinds.items())
            },
        }


def compare_phrases(truth: Truth, configuration: Configuration, quiet: bool = True) -> dict[str, Any]:
    """Extracts the phrases of all captions with the configured parser and drop lists, and compares them with the truth.

    Raises:
      CallError: the parser cannot be loaded.
    """
    parser_id = identify.parser_identity(configuration.phrases.model)
    stage = StageRunner(Phrases(configuration.phrases))
    tally, pictures = Tally(), set[str]()

    def state() -> progress.State:
        return progress.State(len(pictures), len(pictures) / max(truth.pictures, 1))

    with progress.show_progress("reading", "images", state, quiet):
        while batch := list(islice(truth.captions, _BATCH)):
            found = stage.process([without_picture(one) for one in batch])
            for caption, pair in zip(batch, found, strict=True):
                tally.add(pair, caption.phrases)
                pictures.add(caption.picture)
    settings = configuration.model_dump(mode="json", include={"phrases"})
    return {"configuration": settings, "model": parser_id, "figures": tally.to_json()}


def why_missed(span: CharSpan, pair: Pair) -> str:
    """Why a marked span was not extracted.

    The first that applies: the parser failed; an expression has this span; a phrase overlaps it; a phrase that overlaps
    it was dropped; nothing.
    """
    if pair.error:
        return Miss.FAILED
    if span in {(one.expression_start, one.expression_end) for one in pair.phrases}:
        return Miss.EXPRESSION
    inside, around, overlaps = _relations(span, [(one.start, one.end) for one in pair.phrases])
    if overlaps:
        return Miss.WIDER if inside else Miss.NARROWER if around else Miss.CROSSING
    dropped = (one.reason for one in pair.dropped if one.start < span[1] and span[0] < one.end)
    return next((f"dropped: {reason}" for reason in dropped), Miss.NOTHING)


def why_extracted(span: CharSpan, annotated: Iterable[TruePhrase]) -> str:
    """Why an extracted span is not a marked visual phrase."""
    spans = {(phrase.start, phrase.end): phrase.queried for phrase in annotated}
    if spans.get(span) is False:
        return Alarm.NOT_VISUAL
    inside, around, overlaps = _relations(span, [other for other, queried in spans.items() if queried])
    if overlaps:
        return Alarm.WIDER if around else Alarm.NARROWER if inside else Alarm.CROSSING
    return Alarm.UNMARKED


def _relations(span: CharSpan, others: Iterable[CharSpan]) -> tuple[bool, bool, bool]:
    """Three facts about a span: it is inside another one, it contains another one, it overlaps another one."""
    start, end = span
    overlapping = [other for other in others if start < other[1] and other[0] < end]
    inside = any(other[0] <= start and end <= other[1] for other in overlapping)
    around = any(start <= other[0] and other[1] <= end for other in overlapping)
    return inside, around, bool(overlapping)


def without_picture(caption: TrueCaption) -> Pair:
    """The pair with its caption only, because a fault of its image does not matter here."""
    pair = caption.pair
    return Pair(pair.key, pair.source, pair.index, pair.caption)
