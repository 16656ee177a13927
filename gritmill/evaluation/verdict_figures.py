"""`gritmill eval --relations`, checking: the verdicts on statements, against whether these are true.

The claims that are read from captions are counted, too: captions are taken to be true, so each contradicted one is a
fault of the rules, of the reading, or of a caption.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gritmill.evaluation.reading import key_of
from gritmill.evaluation.sets.truth import Statement, TrueCaption
from transforms.claims.check_claims import check_claims, spans_of
from transforms.claims.verdicts import Checked, PhraseBoxes, Verdict
from transforms.records import CharSpan, Claim, ClaimKind

_PAIRS = (
    ("left_of", "right_of"),
    ("above", "below"),
    ("over", "under"),
    ("picture_left", "picture_right"),
    ("picture_top", "picture_bottom"),
    ("from_left", "from_right"),
    ("from_top", "from_bottom"),
)
OPPOSITE = {**dict(_PAIRS), **{second: first for first, second in _PAIRS}}
"""Predicates of which at most one is true, and boxes can decide both."""

EXAMPLES = 100
"""So many contradicted statements and claims are named, at most."""

TRUE, FALSE, SWAPPED, READ = "true", "false", "swapped", "read"


@dataclass
class VerdictTally:
    """Verdicts by group and predicate. The groups are true and false statements, the opposites of true ones (left and
    right swapped), and the claims that were read.

    unknown: statements and claims of which a side has no annotated boxes. examples: true statements and read claims
    that are contradicted.
    """

    counts: defaultdict[tuple[str, ClaimKind, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    unknown: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {TRUE: [], READ: []})

    def add(self, group: str, claim: Claim, checked: Checked, caption: str, picture: str) -> None:
        """Adds a verdict."""
        self.counts[group, claim.kind, claim.predicate][checked.verdict.value] += 1
        examples = self.examples.get(group)
        if checked.verdict is Verdict.CONTRADICTED and examples is not None and len(examples) < EXAMPLES:
            subject, *objects = (caption[start:end] for start, end in spans_of(claim))
            said = {"subject": subject, "predicate": claim.predicate, "object": objects, "number": claim.number}
            examples.append({"image": picture, "caption": caption, **said, "measured": checked.measured})

    def to_json(self) -> dict[str, Any]:
        """For each group, the verdicts by kind of claim, and by predicate. Groups without any are left out."""
        groups: dict[str, dict[str, Any]] = {}
        for group in (TRUE, FALSE, SWAPPED, READ):
            for kind in sorted(ClaimKind, reverse=True):
                named = {name: counts for (*key, name), counts in sorted(self.counts.items()) if key == [group, kind]}
                if named:
                    every = sum(named.values(), Counter[str]())
                    predicates = {name: _verdicts(counts) for name, counts in named.items()}
                    groups.setdefault(group, {})[f"{kind}s"] = {**_verdicts(every), "predicates": predicates}
        return {"groups": groups, "unknown": dict(self.unknown), "contradicted": self.examples}


def _verdicts(counts: Counter[str]) -> dict[str, int]:
    return {verdict.value: counts[verdict.value] for verdict in Verdict}


def labelled(statements: Sequence[Statement]) -> list[tuple[str, Claim]]:
    """The statements that are known to be true or false, with their group, and the opposites of the true ones."""
    found = []
    for one in statements:
        if one.true is not None:
            found.append((TRUE if one.true else FALSE, one.claim))
        if one.true and one.claim.predicate in OPPOSITE:
            found.append((SWAPPED, replace(one.claim, predicate=OPPOSITE[one.claim.predicate])))
    return found


def true_boxes(caption: TrueCaption) -> dict[CharSpan, PhraseBoxes]:
    """The annotated boxes, by the span of their phrase. Not of phrases without any, unless they are absent."""
    return {
        (one.start, one.end): PhraseBoxes(one.boxes, len(one.boxes), head=one.text.split()[-1])
        for one in caption.phrases
        if one.start >= 0 and (one.boxes or one.absent)
    }


def on_phrases(claim: Claim, boxes: Mapping[CharSpan, object]) -> Claim | None:
    """The claim with the spans of the phrases that end where its noun chunks end; None if there is none for one."""
    by_end = {end: (start, end) for start, end in boxes}
    spans = [by_end.get(end) for _, end in spans_of(claim)]
    if None in spans:
        return None
    (start, end), *objects = (span for span in spans if span)
    flat = tuple(offset for span in objects for offset in span)
    return replace(claim, subject_start=start, subject_end=end, objects=flat)


def check_on_true_boxes(tally: VerdictTally, caption: TrueCaption, read: Sequence[Claim]) -> None:
    """Adds the verdicts on the statements of a caption, and on the claims that were read from it. Not on read claims
    that are statements which are not known to be true."""
    boxes = true_boxes(caption)
    doubtful = {key_of(one.claim) for one in caption.statements or () if one.true is not True}
    read = [claim for claim in read if key_of(claim) not in doubtful]
    text, width, height = caption.pair.caption, caption.width, caption.height
    for group, claim in (*labelled(caption.statements or ()), *((READ, claim) for claim in read)):
        placed = on_phrases(claim, boxes)
        if placed is None:
            tally.unknown[group] += 1
            continue
        (checked,) = check_claims([placed], boxes, width, height, text)
        tally.add(group, placed, checked, text, caption.picture)
