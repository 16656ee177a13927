"""The request that a pair makes, and the pair with the boxes of the answer."""

from dataclasses import replace

from transforms.detectors.base import Found, Request
from transforms.detectors.grounding_dino.prompts import normalize
from transforms.images import MAX_PIXELS
from transforms.records import Box, Dropped, Pair


def make_request(pair: Pair, max_pixels: int = MAX_PIXELS) -> Request:
    """The request for a pair: each distinct phrase once."""
    distinct: dict[str, str] = {}
    for phrase in pair.phrases:
        distinct.setdefault(normalize(pair.text(phrase)), pair.text(phrase))
    return Request(pair.data, pair.width, pair.height, tuple(distinct.values()), max_pixels)


def with_boxes(pair: Pair, request: Request, found: Found) -> Pair:
    """The pair with the boxes found; phrases that the detector could not be asked for are dropped with the reason."""
    if found.error:
        return pair.failed(found.error)
    number = {normalize(text): i for i, text in enumerate(request.phrases)}
    phrase_numbers = [number[normalize(pair.text(phrase))] for phrase in pair.phrases]
    dropped = [
        Dropped(phrase.start, phrase.end, found.dropped[n])
        for phrase, n in zip(pair.phrases, phrase_numbers, strict=True)
        if n in found.dropped
    ]
    kept = [(phrase, n) for phrase, n in zip(pair.phrases, phrase_numbers, strict=True) if n not in found.dropped]
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
