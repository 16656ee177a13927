"""The fast forward against the stock forward: time for equal batches on one core, and differences of the results."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import inputs, tiny
from benchmarks.figures import Figure, interleaved_seconds, ratio
from benchmarks.grounding import on_cores, record_inputs
from transforms.detectors.base import Found, Request
from transforms.detectors.grounding_dino.model import GroundingDino
from transforms.detectors.settings import DetectorSettings
from transforms.images import measure as size_of

PART = "The forward, one core"


def measure(work: Path, photos: Path | None) -> list[Figure]:
    """Measures tiny at 800 pixels on photos, and the embedded detector on its scenes."""
    pictures = inputs.photos(photos, 8)
    large = str(tiny.make(work / "tiny", (caption for picture in pictures for caption in picture.captions)))
    requests = [_request(picture, picture.captions[0]) for picture in pictures]
    scenes = [_request(picture, picture.captions[0]) for picture in inputs.scenes(100)]
    with on_cores(1):
        figures = [_speed("tiny", large, 1, requests[:1], 3), _speed("tiny", large, 4, _same_size(requests, 4), 1)]
        figures += [_speed("small", "scene-grounder", batch, scenes[:48], 5) for batch in (1, 4, 16)]
        figures += [_captions(large, pictures[0])]
        figures += [
            _sameness("scenes, small", "scene-grounder", scenes),
            _sameness("photos, tiny", large, requests[:3]),
        ]
    return figures


def _request(picture: inputs.Photo, caption: str) -> Request:
    words = tuple(part.strip(" .") for part in caption.lower().replace(" and ", ",").replace(" with ", ",").split(","))
    return Request(picture.data, *size_of(picture.data), tuple(dict.fromkeys(filter(None, words))))


def _same_size(requests: Sequence[Request], number: int) -> list[Request]:
    """Returns requests with one canvas, so that they form one batch."""
    first = next(
        r for r in requests if sum((r.width, r.height) == (o.width, o.height) for o in requests) >= min(number, 2)
    )
    found = [r for r in requests if (r.width, r.height) == (first.width, first.height)]
    return [found[i % len(found)] for i in range(number)]


def _speed(name: str, model: str, batch: int, requests: Sequence[Request], rounds: int) -> Figure:
    variants = {}
    for forward in ("stock", "fast"):
        loaded, batches = record_inputs({"model": model, "batch": batch, "threads": 1, "forward": forward}, requests)
        variants[forward] = _run_batches(loaded, batches)
    seconds = interleaved_seconds(variants, rounds)
    each = {variant: statistics.median(some) / len(requests) * 1000 for variant, some in seconds.items()}
    return Figure(
        PART,
        f"stock forward's time over the fast one's, {name}, batch {batch}",
        f"{ratio(seconds['stock'], seconds['fast'])} times",
        "1.8" if name == "tiny" else "",
        f"{each['stock']:.0f} and {each['fast']:.0f} ms per image",
    )


def _run_batches(model: Any, batches: Sequence[dict[str, Any]]) -> Any:
    def run() -> None:
        with torch.inference_mode():
            for batch in batches:
                model(**batch)

    return run


def _captions(model: str, picture: inputs.Photo) -> Figure:
    """Compares five captions of one picture in one batch, where the backbone runs once, with five batches of one."""
    requests = [_request(picture, caption) for caption in picture.captions]
    variants = {}
    for batch in (1, 5):
        loaded, batches = record_inputs({"model": model, "batch": batch, "threads": 1}, requests)
        variants[str(batch)] = _run_batches(loaded, batches)
    seconds = interleaved_seconds(variants, 1)
    what = "time of five captions of a photo one by one over that in one batch, tiny, both fast"
    each = [some[0] for some in seconds.values()]
    detail = f"{each[0]:.1f} and {each[1]:.1f} s for all five"
    return Figure(PART, what, f"{ratio(seconds['1'], seconds['5'])} times", "", detail)


def _sameness(what: str, model: str, requests: Sequence[Request]) -> Figure:
    """Compares the boxes above the floor of the fast and the stock forward."""
    answers = {}
    for forward in ("stock", "fast"):
        settings = DetectorSettings.model_validate({"model": model, "device": "cpu", "forward": forward})
        answers[forward] = GroundingDino.load(settings).detect(requests)
    moved, flipped = 0.0, 0
    for one, other in zip(answers["stock"], answers["fast"], strict=True):
        if _outline(one) != _outline(other):
            flipped += 1
            continue
        moved = max(moved, _max_difference(one, other))
    boxes = sum(len(found.boxes) for found in answers["stock"])
    return Figure(
        "Sameness of the fast forward",
        f"largest change of a corner or score, {len(requests)} {what}",
        f"{moved:.1e}",
        "1e-4",
        f"{boxes:,} boxes; left out: {flipped} images in which a phrase has another number of boxes",
    )


def _outline(found: Found) -> list[int]:
    return [box.phrase for box in found.boxes]


def _max_difference(one: Found, other: Found) -> float:
    pairs = zip(one.boxes, other.boxes, strict=True)
    return max(
        (abs(x - y) for a, b in pairs for x, y in zip((*a.corners, a.score), (*b.corners, b.score), strict=True)),
        default=0.0,
    )
