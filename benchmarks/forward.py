"""The fast forward against the stock forward: time for equal batches on one core, and differences of the results.

bfloat16 is measured on processors that have it: its time, and what it finds in the bundled scenes.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

import gritmill
from benchmarks import inputs, tiny
from benchmarks.figures import Figure, interleaved_seconds, ratio
from benchmarks.grounding import on_cores, record_inputs
from transforms import bundled
from transforms.detectors.base import Found, Request
from transforms.detectors.grounding_dino.model import GroundingDino
from transforms.detectors.settings import DetectorSettings
from transforms.devices import has_bfloat16
from transforms.images import measure as size_of

PART = "The forward, one core"

_VARIANTS = {"stock": {"forward": "stock"}, "fast": {}, "bfloat16": {"precision": "bfloat16"}}
"""The settings of each forward. The last one runs only on processors with instructions for it."""


def measure(work: Path, photos: Path | None, drawn: Path | None = None) -> list[Figure]:
    """Measures tiny at 800 pixels on photos, and the embedded detector on scenes.

    drawn: folder with tars of scenes, in which each precision is measured. None: the bundled ones.
    """
    pictures = inputs.photos(photos, 8)
    large = str(tiny.make(work / "tiny", (caption for picture in pictures for caption in picture.captions)))
    requests = [_request(picture, picture.captions[0]) for picture in pictures]
    scenes = [_request(picture, picture.captions[0]) for picture in inputs.scenes(100)]
    with on_cores(1):
        figures = [*_speeds("tiny", large, 1, requests[:1], 3), *_speeds("tiny", large, 4, _same_size(requests, 4), 1)]
        for batch in (1, 4, 16):
            figures += _speeds("small", "scene-grounder", batch, scenes[:48], 5)
        figures += [_captions(large, pictures[0])]
        figures += [
            _sameness("scenes, small", "scene-grounder", scenes),
            _sameness("photos, tiny", large, requests[:3]),
        ]
        figures += _findings(drawn or bundled.folder("examples") / "scenes")
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


def _variants() -> list[str]:
    return [name for name in _VARIANTS if name != "bfloat16" or has_bfloat16()]


def _speeds(name: str, model: str, batch: int, requests: Sequence[Request], rounds: int) -> Iterator[Figure]:
    """Yields the stock forward's processor time over that of each other one, on equal batches in turn."""
    runs = {}
    for variant in _variants():
        settings = {"model": model, "batch": batch, "threads": 1, **_VARIANTS[variant]}
        runs[variant] = _run_batches(*record_inputs(settings, requests))
    seconds = interleaved_seconds(runs, rounds, time.process_time)
    each = {variant: statistics.median(some) / len(requests) * 1000 for variant, some in seconds.items()}
    for variant, goal in (("fast", "1.8"), ("bfloat16", "6")):
        if variant in runs:
            yield Figure(
                PART,
                f"stock forward's time over the {'fast one' if variant == 'fast' else 'one in bfloat16'}'s, "
                f"{name}, batch {batch}",
                f"{ratio(seconds['stock'], seconds[variant])} times",
                goal if name == "tiny" else "",
                f"{each['stock']:.0f} and {each[variant]:.0f} ms of processor time per image",
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
        settings = {"model": model, "device": "cpu", "batch": batch, "threads": 1}
        detector = GroundingDino.load(DetectorSettings.model_validate(settings))
        variants[str(batch)] = partial(detector.detect, requests)  # decoding takes a thousandth of it
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


def _findings(scenes: Path) -> Iterator[Figure]:
    """Yields what the embedded detector finds in scenes with true boxes, in each precision."""
    for variant in _variants()[1:]:
        detector = {"model": "scene-grounder", "device": "cpu", "threads": 1, **_VARIANTS[variant]}
        config = {"phrases": {"model": "caption-parser"}, "detector": detector}
        measured = gritmill.evaluate(config, truth=scenes)
        with tempfile.TemporaryDirectory() as folder:
            calibrated = gritmill.calibrate(config, truth=scenes, output=Path(folder) / "calibration")
        recall, figures = measured["figures"]["all"]["any_box"]["recall@1"], calibrated["in_force"]["figures"]
        yield Figure(
            "What each precision finds",
            f"Recall@1 (any box) of scene-grounder, {detector.get('precision', 'float32')}",
            f"{recall:.4f}",
            "within 0.002 of float32" if variant == "bfloat16" else "",
            f"{measured['phrases']['measured']:,} phrases; at the detector's threshold: precision "
            f"{figures['precision']:.4f}, recall of boxes {figures['recall']:.4f}, "
            f"{figures['absent_with_box']:.2%} of {measured['phrases']['absent']:,} absent phrases get a box",
        )


def _outline(found: Found) -> list[int]:
    return [box.phrase for box in found.boxes]


def _max_difference(one: Found, other: Found) -> float:
    pairs = zip(one.boxes, other.boxes, strict=True)
    return max(
        (abs(x - y) for a, b in pairs for x, y in zip((*a.corners, a.score), (*b.corners, b.score), strict=True)),
        default=0.0,
    )
