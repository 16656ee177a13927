"""Pair -> request; pair + answer -> pair with boxes."""

from collections.abc import Callable
from dataclasses import replace

from transforms.detectors.base import Found, Head, Request
from transforms.images import ImageLimits
from transforms.records import Box, Dropped, Pair, Phrase
from transforms.settings import Ask

Normalize = Callable[[str], str]
"""`Family.normalize`: phrases with equal results are sent to the detector once."""


def make_request(pair: Pair, limits: ImageLimits, normalize: Normalize, ask: Ask = "chunk") -> Request:
    """The request for a pair. It contains each distinct phrase once, as in its first occurrence in the caption.

    ask: which words of a phrase the detector looks for, see `PhraseSettings.ask`.
    """
    distinct: dict[str, Phrase] = {}
    for phrase in pair.phrases:
        distinct.setdefault(normalize(_asked(pair, phrase, ask)), phrase)
    return Request(
        pair.data,
        pair.width,
        pair.height,
        tuple(_asked(pair, phrase, ask) for phrase in distinct.values()),
        limits.max_pixels,
        tuple(_head(pair, phrase, ask) for phrase in distinct.values()),
        pair.caption,
        pair.image.digest,
        limits.max_scans,
    )


def _span(phrase: Phrase, ask: Ask) -> tuple[int, int]:
    if ask == "expression":
        return phrase.expression_start, phrase.expression_end
    return (phrase.head_start, phrase.head_end) if ask == "head" else (phrase.start, phrase.end)


def _asked(pair: Pair, phrase: Phrase, ask: Ask) -> str:
    start, end = _span(phrase, ask)
    return pair.caption[start:end]


def _head(pair: Pair, phrase: Phrase, ask: Ask) -> Head:
    start, _ = _span(phrase, ask)
    text = pair.caption[phrase.head_start : phrase.head_end]
    return Head(text, phrase.head_start - start, phrase.head_end - start)


def with_boxes(pair: Pair, request: Request, found: Found, normalize: Normalize, ask: Ask = "chunk") -> Pair:
    """The pair with the boxes of the answer and without its image.

    Phrases that the detector could not process are dropped with their reason. If the answer has an error, the pair
    fails.
    """
    pair = replace(pair, data=b"")
    if found.error:
        return pair.failed(found.error)
    number = {normalize(text): i for i, text in enumerate(request.phrases)}
    asked = [(phrase, number[normalize(_asked(pair, phrase, ask))]) for phrase in pair.phrases]
    dropped = [Dropped(phrase.start, phrase.end, found.dropped[n]) for phrase, n in asked if n in found.dropped]
    kept = [(phrase, n) for phrase, n in asked if n not in found.dropped]
    by_number: dict[int, list[Box]] = {}
    for box in found.boxes:
        by_number.setdefault(box.phrase, []).append(box)
    boxes = [box if i == n else replace(box, phrase=i) for i, (_, n) in enumerate(kept) for box in by_number.get(n, ())]
    return replace(
        pair,
        phrases=tuple(phrase for phrase, _ in kept),
        dropped=tuple(sorted((*pair.dropped, *dropped), key=lambda d: (d.start, d.end))),
        boxes=tuple(boxes),
        boxes_cut=found.cut,
    )
