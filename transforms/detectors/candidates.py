"""Pair -> request; pair + answer -> pair with boxes."""

from collections.abc import Callable
from dataclasses import replace

from transforms.detectors.base import Found, Head, Request
from transforms.images import ImageLimits
from transforms.records import Box, Dropped, Pair, Phrase

Normalize = Callable[[str], str]
"""`Family.normalize`: phrases with equal results are sent to the detector once."""


def make_request(pair: Pair, limits: ImageLimits, normalize: Normalize) -> Request:
    """The request for a pair. It contains each distinct phrase once, as in its first occurrence in the caption."""
    distinct: dict[str, Phrase] = {}
    for phrase in pair.phrases:
        distinct.setdefault(normalize(pair.text(phrase)), phrase)
    return Request(
        pair.data,
        pair.width,
        pair.height,
        tuple(pair.text(phrase) for phrase in distinct.values()),
        limits.max_pixels,
        tuple(_head(pair, phrase) for phrase in distinct.values()),
        pair.caption,
        pair.image.digest,
        limits.max_scans,
    )


def _head(pair: Pair, phrase: Phrase) -> Head:
    text = pair.caption[phrase.head_start : phrase.head_end]
    return Head(text, phrase.head_start - phrase.start, phrase.head_end - phrase.start)


def with_boxes(pair: Pair, request: Request, found: Found, normalize: Normalize) -> Pair:
    """The pair with the boxes of the answer and without its image.

    Phrases that the detector could not process are dropped with their reason. If the answer has an error, the pair
    fails.
    """
    pair = replace(pair, data=b"")
    if found.error:
        return pair.failed(found.error)
    number = {normalize(text): i for i, text in enumerate(request.phrases)}
    asked = [(phrase, number[normalize(pair.text(phrase))]) for phrase in pair.phrases]
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
