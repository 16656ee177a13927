"""Checks the claims of a record against its own boxes, and recounts what stats and manifest say of all records."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from gritmill.validation.manifest import GivenBoxes
from gritmill.validation.record import Claim as ClaimItem
from gritmill.validation.record import Record
from transforms.annotations.annotate import has_given_boxes
from transforms.annotations.columns import NOTHING_GIVEN, AnnotationColumns
from transforms.claims.check_claims import check_claims
from transforms.claims.group_boxes import without_groups
from transforms.claims.verdicts import Boxes, Checked, Corners, PhraseBoxes
from transforms.records import CharSpan, Claim, ClaimKind, Pair
from transforms.stated_numbers import numbers_in_words

ClaimKey = tuple[str, str, int, str]
"""Kind, predicate, number and verdict of claims."""

_ELSEWHERE = (-1, 0)
"""No span of a caption."""

_MANY = 21
"""Larger numbers of counts are counted with this one."""

OF_DECOYS = ("decoys", "decoy_pairs", "decoys_found", "decoy_boxes")
"""Fields of the truth sheet that follow from detections and decoys, but not from records."""

_OF_PHRASES = ("counted_phrases", "exact_phrases", "stated", "phrases_found", "phrase_boxes", "agreed", "extra")
"""Fields of the truth sheet that are sums over phrases with a number."""

_VERDICTS = ("supported", "contradicted", "undecided")


def verdict_faults(record: Record, given: AnnotationColumns = NOTHING_GIVEN) -> Iterator[str]:
    """Yields the claims whose verdict or numbers cannot follow from the boxes of the record.

    Verdicts on relations, places and ranks follow from the record alone. That on a count may also depend on what the
    detector found at its floor, on boxes that a limit has removed or that are around a crowd, and on phrases without a
    box: it is compared with all verdicts that are possible with the numbers of the record.

    given: the columns of the source with boxes. If the record has such boxes, no detector was asked.
    """
    of_source = _is_of_source(record, given)
    boxes = _boxes_by_span(record, of_source)
    for number, (item, claim) in enumerate(zip(record.claims, map(_read_claim, record.claims), strict=True)):
        stated = item.verdict, json.loads(item.measured)
        possible = _possible(claim, stated[1], record, boxes, of_source)
        try:
            first = next(possible)
            if stated != first and stated not in possible:
                yield f"claim {number}: {_shown(*stated)}, but its boxes give {_shown(*first)}"
        except ArithmeticError as error:  # of sizes that no picture has
            yield f"claim {number}: {error}"


def _shown(verdict: str, measured: Mapping[str, Any]) -> str:
    return f"{verdict} {json.dumps(measured, sort_keys=True)}"


def _read_claim(claim: ClaimItem) -> Claim:
    objects = tuple(offset for span in claim.object or () for offset in span)
    kind, said = ClaimKind(claim.kind), (*claim.words, *claim.subject, claim.predicate)
    return Claim(kind, *said, claim.number, claim.negated, objects)


def _boxes_by_span(record: Record, of_source: bool = False) -> dict[CharSpan, PhraseBoxes]:
    kept: dict[CharSpan, list[Corners]] = {}
    heads: dict[CharSpan, str] = {}
    for row, head in zip(record.noun_chunks, record.heads, strict=True):
        kept.setdefault((row[0], row[1]), []).append(row[2:6])
        heads.setdefault((row[0], row[1]), record.caption[slice(*head)])
    return {span: PhraseBoxes(tuple(found), head=heads[span], given=of_source) for span, found in kept.items()}


def _is_of_source(record: Record, given: AnnotationColumns) -> bool:
    return has_given_boxes(Pair("", "", 0, "", meta=record.meta), given)


def _possible(
    claim: Claim, measured: Mapping[str, Any], record: Record, boxes: Boxes, of_source: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The verdicts that a claim may have, with their numbers; the likeliest one first."""

    def check(known: Boxes) -> tuple[str, dict[str, Any]]:
        checked: Checked
        (checked,) = check_claims([claim], known, record.width, record.height, record.caption)
        return checked.verdict.value, dict(checked.measured)

    if claim.kind is not ClaimKind.COUNT:
        yield check(boxes)
        if of_source:
            yield check({span: replace(one, crowd=True) for span, one in boxes.items()})
        return
    subject = boxes.get(claim.subject)
    # A noun chunk ends with its head, of which hyphens make several tokens.
    word = record.caption[slice(*claim.subject)].split()[-1:] or [""]
    heads = [subject.head] if subject else dict.fromkeys((word[0], word[0].rpartition("-")[2]))
    kept, found = subject.kept if subject else (), measured.get("at_floor", 0)
    floor = None if of_source else found if isinstance(found, int) else 0
    unsure = (False, True)  # of the source, whether a box is around a crowd; else whether a limit removed candidates
    for rival, other, cut, head in product((False, True), unsure, (False, True), heads):
        phrase = PhraseBoxes(kept, floor, cut, other and not of_source, head, of_source, crowd=other and of_source)
        yield check({**boxes, claim.subject: phrase, **({_ELSEWHERE: PhraseBoxes(head=head)} if rival else {})})
    if not subject:  # the detector may not have been asked for it
        yield check(boxes)


@dataclass
class Recount:
    """The sums over the records of a shard, as its stats have them.

    given: the columns of the source with boxes. records: how many were added. given_pairs, given_boxes: those with
    boxes of the source, and their boxes. sheet: by field.
    """

    given: AnnotationColumns = NOTHING_GIVEN
    records: int = 0
    given_pairs: int = 0
    given_boxes: int = 0
    claims: Counter[ClaimKey] = field(default_factory=Counter)
    sheet: Counter[str] = field(default_factory=Counter)

    def add(self, record: Record) -> None:
        """Adds a record that obeys the rules."""
        self.records += 1
        if _is_of_source(record, self.given):
            self.given_pairs += 1
            self.given_boxes += len(record.noun_chunks)
        for one in record.claims:
            number = min(one.number, _MANY) if one.kind == "count" else 0
            self.claims[one.kind, one.predicate, number, one.verdict] += 1
        kept = {span: phrase.kept for span, phrase in _boxes_by_span(record).items()}
        self.sheet["group_boxes"] += sum(len(boxes) - len(without_groups(boxes)) for boxes in kept.values())
        for span, stated in numbers_in_words(record.caption, map(_read_claim, record.claims)).items():
            found = len(kept.get(span, ()))
            within = min(found, stated.number)
            sums = (1, stated.exact, stated.number, found > 0, found, within, 0 if stated.exact else found - within)
            for name, value in zip(_OF_PHRASES, sums, strict=True):
                self.sheet[name] += value
        self.sheet["absent"] += len(record.absent)


def claims_by_verdict(counts: Iterable[Mapping[str, Any]]) -> Counter[ClaimKey]:
    """Claims by kind, predicate, number and verdict, from the list that stats and manifest have."""
    total = Counter[ClaimKey]()
    for one in counts:
        for verdict in _VERDICTS:
            total[one["kind"], one["predicate"], one["number"], verdict] += one[verdict]
    return total


def claim_faults(stated: Counter[ClaimKey], counted: Counter[ClaimKey], where: str) -> Iterator[str]:
    """Yields how numbers of claims differ. where: what was counted."""
    for key in sorted(stated.keys() | counted.keys()):
        if stated[key] != counted[key]:
            kind, predicate, number, verdict = key
            name = " ".join(filter(None, (kind, predicate, str(number or ""))))
            yield f"claims: {name}: {stated[key]:,} {verdict}, but {counted[key]:,} in the {where}"


def given_faults(stated: GivenBoxes | None, pairs: int, boxes: int) -> Iterator[str]:
    """Yields how numbers of boxes of the source differ. stated: None if there are none. pairs, boxes: counted."""
    found = (stated.pairs, stated.boxes) if stated else None
    if found != (pairs, boxes):
        numbers = "{:,} boxes of {:,} pairs"
        told = numbers.format(*found[::-1]) if found else "not there"
        yield f"given_boxes: {told}, but {numbers.format(boxes, pairs)} were counted"


def sheet_faults(stated: Mapping[str, int], counted: Mapping[str, int], where: str) -> Iterator[str]:
    """Yields how a truth sheet differs from sums of the same fields, and what of its decoys is impossible."""
    for name, number in stated.items():
        if number != counted[name]:
            yield f"truth_sheet: {name}: {number:,}, but {counted[name]:,} in the {where}"
    found, boxes, asked, pairs = (stated[name] for name in ("decoys_found", "decoy_boxes", "decoys", "decoy_pairs"))
    if not (found <= boxes and found + stated["absent"] <= asked and pairs <= asked and bool(pairs) == bool(asked)):
        yield f"truth_sheet: {asked:,} decoys of {pairs:,} pairs cannot have {boxes:,} boxes of {found:,} decoys"
