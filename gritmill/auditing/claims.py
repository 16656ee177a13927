"""The claims of captions, held against the boxes that the data has.

The embedded caption parser reads them; no other model is used. Whose boxes they are is known only of records of a run
that lie beside its manifest, so two things differ from the verdicts of a run. What a detector found below its threshold
is not known, or what nobody has drawn: a count with fewer boxes than stated is undecided, as in a run on boxes of its
source, and counted as `fewer_boxes`. And a phrase without a box may be one that nobody looked for: its claims are
undecided.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from gritmill.auditing.checked_row import UNKNOWN, CheckedRow, PhraseKey, key_of
from pipeline.sources.base import valid_text
from pipeline.stages.phrases import Phrases
from transforms.annotations.annotate import given_links
from transforms.annotations.spans import head_in, occurrences
from transforms.claims.check_claims import check_claims
from transforms.claims.verdicts import Checked, Corners, PhraseBoxes, Verdict
from transforms.phrases.phrase_extractor import PhraseExtractor
from transforms.records import CharSpan, Claim, ClaimKind, Pair, Phrase
from transforms.settings import PhraseSettings

LONGEST = 10_000
"""Characters of a caption that is parsed. A longer one has no claims: the time of the parser grows with it."""

OF_CHECK = {
    **{f"{kind}_{verdict}": f"{kind}s" for kind in ClaimKind for verdict in Verdict},
    "fewer_boxes": "counts",
    "no_noun_phrase": "phrases_with_boxes",
}
"""What is counted, and among what."""


@dataclass
class ClaimReader:
    """Reads and checks claims.

    by_predicate: the number of claims by kind, predicate and verdict.
    """

    by_predicate: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _extractor: PhraseExtractor = field(default_factory=lambda: Phrases(PhraseSettings()).load())

    def check(self, rows: Sequence[CheckedRow]) -> Iterator[tuple[dict[str, int], dict[str, list[str]]]]:
        """For each row, the numbers of claims by kind, and a line for each of them, by the names of `OF_CHECK`. Lines
        are empty where nobody wants an example."""
        captions = [_parsable(checked.row.caption) for checked in rows]
        pairs = [Pair("", "", 0, caption) for caption in captions if caption]
        parsed = iter(self._extractor.process(pairs))
        for checked, caption in zip(rows, captions, strict=True):
            yield self._check(checked, next(parsed)) if caption else ({}, {})

    def _check(self, checked: CheckedRow, pair: Pair) -> tuple[dict[str, int], dict[str, list[str]]]:
        boxes, unknown, asked = _boxes_by_phrase(checked, pair)
        width, height = checked.row.size
        verdicts = check_claims(pair.claims, boxes, width, height, pair.caption)
        found: dict[str, list[str]] = {"no_noun_phrase": unknown}
        of = Counter({"phrases_with_boxes": asked})
        for claim, one in zip(pair.claims, verdicts, strict=True):
            of[f"{claim.kind}s"] += 1
            self.by_predicate[claim.kind, claim.predicate, one.verdict] += 1
            line = _line(claim, one, pair.caption) if one.verdict is Verdict.CONTRADICTED else ""
            found.setdefault(f"{claim.kind}_{one.verdict}", []).append(line)
            known = boxes.get(claim.subject)
            if one.verdict is Verdict.UNDECIDED and claim.kind is ClaimKind.COUNT and known and known.kept:
                all_there = {**boxes, claim.subject: replace(known, at_floor=len(known.kept))}
                (if_all_there,) = check_claims([claim], all_there, width, height, pair.caption)
                if if_all_there.verdict is Verdict.CONTRADICTED:
                    found.setdefault("fewer_boxes", []).append(_line(claim, if_all_there, pair.caption))
        return of, found


def _parsable(caption: str | None) -> str:
    """The caption if it can be parsed, else "". Of the same length: each byte that is no UTF-8 becomes U+FFFD."""
    parsable = caption and caption.strip() and len(caption) <= LONGEST
    return valid_text(caption) if caption and parsable else ""


def _boxes_by_phrase(checked: CheckedRow, pair: Pair) -> tuple[dict[CharSpan, PhraseBoxes], list[str], int]:
    """The boxes of each noun phrase that the parser found; the phrases of the data that are none of them, as lines; and
    the number of all phrases of the data that have boxes."""
    kept: dict[CharSpan, dict[Corners, None]] = {(one.start, one.end): {} for one in pair.phrases}
    phrases: dict[PhraseKey, Phrase | None] = {}
    width, height = checked.row.size
    links = given_links(replace(pair, meta=checked.row.meta, width=width, height=height), checked.row.given)
    crowded = set(links.crowds)
    unknown = []
    for box, (x1, y1, x2, y2) in checked.sound:
        key = key_of(box)
        if key == UNKNOWN:
            continue
        if key not in phrases:
            phrases[key] = _phrase_of(key, pair, checked.row.ends)
            if phrases[key] is None:
                words = pair.caption[slice(*key)] if isinstance(key, tuple) else key
                unknown.append(f"{box.place} {words[:60]!r}")
        if phrase := phrases[key]:
            if box.crowd:
                crowded.add((phrase.start, phrase.end))
            corners = max(x1, 0.0), max(y1, 0.0), min(x2, 1.0), min(y2, 1.0)
            if corners[0] < corners[2] and corners[1] < corners[3]:
                kept[phrase.start, phrase.end][corners] = None
    heads = {(one.start, one.end): pair.caption[one.head_start : one.head_end] for one in pair.phrases}
    boxes = {
        span: PhraseBoxes(tuple(found), None, False, False, heads[span], links.given, links.labels, span in crowded)
        for span, found in kept.items()
    }
    return boxes, unknown, len(phrases)


def _phrase_of(key: PhraseKey, pair: Pair, ends: bool) -> Phrase | None:
    """The noun phrase that a phrase of the data is: the same words, its referring expression, or its words without an
    article. None if there is none, or if it is in doubt."""
    if isinstance(key, str):
        places = occurrences(key, pair.caption)
        return _phrase_of(places[0], pair, False) if len(places) == 1 else None
    start, end = key
    if ends:
        ending = [one for one in pair.phrases if end in (one.end, one.expression_end)]
        return ending[0] if len(ending) == 1 else None
    for one in pair.phrases:
        if (one.start, one.end) == key:
            return one
    inside = [one for one in pair.phrases if start <= one.head_start and one.head_end <= end]
    narrow = [one for one in inside if one.expression_start <= start and end <= one.expression_end]
    if narrow:
        return narrow[0]
    wide = (
        one for one in inside if one.start == start and head_in(pair.caption, key) == (one.head_start, one.head_end)
    )
    return next(wide, None)


def _line(claim: Claim, checked: Checked, caption: str) -> str:
    """The claim, its words and the numbers that contradict it."""
    spans = [claim.subject, *zip(claim.objects[::2], claim.objects[1::2], strict=True)]
    start = min(claim.words_start, *(span[0] for span in spans))
    end = max(claim.words_end, *(span[1] for span in spans))
    measured = ", ".join(f"{name} {value:g}" for name, value in islice(checked.measured.items(), 4))
    number = f" {claim.number}" if claim.number else ""
    return f"{caption[start:end][:80]!r}: {'not ' if claim.negated else ''}{claim.predicate}{number}; {measured}"
