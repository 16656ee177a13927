"""Measures a finished run against the truth in the `meta` of its pairs. The bundled scenes have such a truth.

`truth` is a list of {"start", "end", "text", "boxes"}: a phrase's characters in the caption, end exclusive, and the
normalised corners of each thing that it names. `absent` lists phrases that name nothing in the image.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from gritmill.evaluation.metrics import match_boxes
from gritmill.reading import read
from pipeline.pack.driver import find_detections
from pipeline.tables.detections import read_all
from transforms.claims.check_claims import check_claims, spans_of
from transforms.claims.verdicts import PhraseBoxes, Verdict
from transforms.grit_record import uid
from transforms.records import Box, CharSpan, Pair


@dataclass(frozen=True)
class Quality:
    """Counts over all pairs with a truth. A box matches at most one thing, and a thing at most one box.

    phrases: true phrases. extracted: those of them that were found in the caption. located: extracted phrases with a
    correct box. plural: extracted phrases that name several things. fully_located: plural phrases with a correct box
    for each thing. absent: phrases of captions that name nothing in the image. absent_boxed: absent phrases with a box.
    boxes: written boxes. boxes_right: written boxes on a thing that their phrase names.
    claims: claims of written pairs about phrases whose true boxes are known. claims_right: those with the verdict that
    the true boxes give. contradicted: those that are contradicted. contradicted_right: by the true boxes, too.
    """

    phrases: int = 0
    extracted: int = 0
    located: int = 0
    plural: int = 0
    fully_located: int = 0
    absent: int = 0
    absent_boxed: int = 0
    boxes: int = 0
    boxes_right: int = 0
    claims: int = 0
    claims_right: int = 0
    contradicted: int = 0
    contradicted_right: int = 0


def run_quality(output: str | PathLike[str]) -> Quality:
    """The quality of a finished run whose detections are in its own folder.

    Raises:
      CallError: the folder has no manifest.
    """
    rows = read_all(find_detections(str(output)))
    records = {sample.record["uid"]: sample.record for sample in read(output)}
    return measure_quality((pair, records.get(uid(pair.source, pair.index))) for pair in rows)


def measure_quality(pairs: Iterable[tuple[Pair, Mapping[str, Any] | None]]) -> Quality:
    """The quality of pairs, each with its record; None if the pair was not written."""
    total: Counter[str] = Counter()
    for pair, record in pairs:
        meta = json.loads(pair.meta)
        if "truth" in meta:
            truth, absent = meta["truth"], meta.get("absent", ())
            total.update(_count_pair(pair, _written_boxes(pair, record), truth, absent))
            total.update(_count_claims(pair, record, truth, absent))
    return Quality(**total)


def find_phrase(pair: Pair, true: Mapping[str, Any]) -> int | None:
    """The number of the pair's phrase whose head is the last word of the true phrase and is in its span, or None."""
    head = re.findall(r"\w+", true["text"])[-1].lower()
    for number, phrase in enumerate(pair.phrases):
        head_text = pair.caption[phrase.head_start : phrase.head_end].lower()
        if head_text == head and true["start"] <= phrase.head_start < true["end"]:
            return number
    return None


def _written_boxes(pair: Pair, record: Mapping[str, Any] | None) -> list[Box]:
    """The boxes of a record, each with the number of its phrase."""
    number = {(phrase.start, phrase.end): i for i, phrase in enumerate(pair.phrases)}
    rows = record["noun_chunks"] if record else ()
    return [Box(number[start, end], x1, y1, x2, y2, score) for start, end, x1, y1, x2, y2, score in rows]


def _count_pair(pair: Pair, boxes: Sequence[Box], truth: Sequence[Any], absent: Sequence[str]) -> Counter[str]:
    counts: Counter[str] = Counter(phrases=len(truth), boxes=len(boxes))
    for true in truth:
        number = find_phrase(pair, true)
        if number is None:
            continue
        things = [(x1, y1, x2, y2) for x1, y1, x2, y2 in true["boxes"]]
        phrase_boxes = sorted((box for box in boxes if box.phrase == number), key=lambda box: -box.score)
        right = sum(match_boxes([box.corners for box in phrase_boxes], things))
        several = len(things) > 1
        counts.update(
            extracted=1,
            located=right > 0,
            boxes_right=right,
            plural=several,
            fully_located=several * (right == len(things)),
        )
    boxed = {pair.phrases[box.phrase].head_start for box in boxes}
    for start, end in absent_spans(pair.caption, truth, absent):
        counts.update(absent=1, absent_boxed=any(start <= head < end for head in boxed))
    return counts


def _count_claims(
    pair: Pair, record: Mapping[str, Any] | None, truth: Sequence[Any], absent: Sequence[str]
) -> Counter[str]:
    counts = Counter[str]()
    written = record.get("claims", ()) if record else ()
    if not written:
        return counts
    boxes = _true_boxes(pair, truth, absent)
    checked = check_claims(pair.claims, boxes, pair.width, pair.height, pair.caption)
    for claim, one, true in zip(pair.claims, written, checked, strict=True):
        if all(span in boxes for span in spans_of(claim)):
            same, contradicted = one["verdict"] == true.verdict, one["verdict"] == Verdict.CONTRADICTED
            counts.update(claims=1, claims_right=same, contradicted=contradicted)
            counts.update(contradicted_right=same and contradicted)
    return counts


def _true_boxes(pair: Pair, truth: Sequence[Any], absent: Sequence[str]) -> dict[CharSpan, PhraseBoxes]:
    """The true boxes of each phrase of the pair for which they are known. An absent phrase has none."""
    boxes: dict[CharSpan, PhraseBoxes] = {}
    for start, end in absent_spans(pair.caption, truth, absent):
        for phrase in pair.phrases:
            if start <= phrase.head_start < end:
                boxes[phrase.start, phrase.end] = PhraseBoxes((), 0)
    for true in truth:
        if (number := find_phrase(pair, true)) is not None:
            phrase = pair.phrases[number]
            things = tuple((x1, y1, x2, y2) for x1, y1, x2, y2 in true["boxes"])
            head = pair.caption[phrase.head_start : phrase.head_end]
            boxes[phrase.start, phrase.end] = PhraseBoxes(things, len(things), head=head)
    return boxes


def absent_spans(caption: str, truth: Sequence[Any], absent: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The spans of absent phrases in the caption, except those that overlap a true phrase."""
    for text in absent:
        for occurrence in re.finditer(rf"\b{re.escape(text)}\b", caption, re.IGNORECASE):
            if not any(true["start"] < occurrence.end() and occurrence.start() < true["end"] for true in truth):
                yield occurrence.span()
