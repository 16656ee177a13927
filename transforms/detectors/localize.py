"""LocalizePhrases: phrases and picture -> candidate boxes, one chunk at a time, through Beam's RunInference."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import apache_beam as beam
import numpy as np
from apache_beam.ml.inference.base import ModelHandler, RunInference

from transforms.detectors.base import Detector, Found, Request, Sound, is_factory, load_detector, probe
from transforms.detectors.grounding_dino.prompts import normalize
from transforms.detectors.isolated import DetectorApart
from transforms.images import MAX_PIXELS
from transforms.isolation.bisect import run_or_blame
from transforms.records import Box, Chunk, Dropped, Fault, Pair
from transforms.settings import DetectorSettings

Progress = Callable[[int], None]
"""Told how many pairs of a chunk are through the detector."""


def request_for(pair: Pair, max_pixels: int = MAX_PIXELS) -> Request:
    """What the detector is asked about a pair: each distinct phrase once."""
    distinct: dict[str, str] = {}
    for phrase in pair.phrases:
        distinct.setdefault(normalize(pair.text(phrase)), pair.text(phrase))
    return Request(pair.data, pair.width, pair.height, tuple(distinct.values()), max_pixels)


def with_boxes(pair: Pair, request: Request, found: Found) -> Pair:
    """The pair with the boxes found; phrases that the detector could not be asked for are dropped with the reason."""
    if found.error:
        return pair.failed(found.error)
    number = {normalize(text): i for i, text in enumerate(request.phrases)}
    asked = [number[normalize(pair.text(phrase))] for phrase in pair.phrases]
    dropped = [
        Dropped(phrase.start, phrase.end, found.dropped[n])
        for phrase, n in zip(pair.phrases, asked, strict=True)
        if n in found.dropped
    ]
    kept = [(phrase, n) for phrase, n in zip(pair.phrases, asked, strict=True) if n not in found.dropped]
    by_number: dict[int, list[Box]] = {}
    for box in found.boxes:
        by_number.setdefault(box.phrase, []).append(box)
    boxes = [box if i == n else replace(box, phrase=i) for i, (_, n) in enumerate(kept) for box in by_number.get(n, ())]
    return replace(
        pair,
        phrases=tuple(phrase for phrase, _ in kept),
        dropped=tuple(sorted((*pair.dropped, *dropped), key=lambda d: (d.start, d.end))),
        boxes=tuple(boxes),
        cut=found.cut,
    )


@runtime_checkable
class _Describes(Protocol):
    @property
    def made(self) -> dict[str, Any]: ...


class SharedDetector:
    """A detector that loads on first use, so that a run with nothing left to do loads no model."""

    def __init__(self, settings: DetectorSettings, search: Sequence[str]) -> None:
        self.settings = settings
        self.search = tuple(search)
        self._detector: Detector | None = None
        self._apart: DetectorApart | None = None
        self._lock = threading.Lock()
        self._serial = threading.Lock()  # a detector from outside need not be thread-safe

    @property
    def made(self) -> dict[str, Any]:
        """Device and CPU threads of the detector; empty before its first use, or if it is one of your own."""
        detector = self._detector or self._apart
        return detector.made if isinstance(detector, _Describes) else {}

    def localize(
        self, pairs: Sequence[Pair], max_pixels: int, progress: Progress | None = None, apart: bool = False
    ) -> tuple[Pair, ...]:
        """The pairs with their boxes and without their images. Pairs without a phrase never reach the detector.

        apart: in a process of its own.
        """
        waiting = [i for i, pair in enumerate(pairs) if pair.phrases and not pair.error]
        requests = [request_for(pairs[i], max_pixels) for i in waiting]
        done = [replace(pair, data=b"") for pair in pairs]
        for i, request, found in zip(waiting, requests, self._detect(requests, progress, apart), strict=True):
            done[i] = with_boxes(done[i], request, found)
        return tuple(done)

    def _detect(self, requests: Sequence[Request], progress: Progress | None, apart: bool) -> list[Found]:
        if not requests:
            return []
        detector = self._loaded(apart)
        own = is_factory(self.settings.model)
        if not own and not apart:
            detector.progress = progress  # type: ignore[attr-defined]
        with self._serial if own else nullcontext():
            floor = self.settings.floor
            answers = run_or_blame(
                requests, lambda some: _complete(detector, some, floor), lambda: _complete(detector, [probe()], floor)
            )
        return [_found(answer) for answer in answers]

    def _loaded(self, apart: bool) -> Detector:
        with self._lock:
            if apart:
                self._apart = self._apart or DetectorApart(self.settings, self.search)
                return self._apart
            if self._detector is None:
                loaded = load_detector(self.settings, self.search)
                self._detector = Sound(loaded) if is_factory(self.settings.model) else loaded
            return self._detector


def _complete(detector: Detector, requests: Sequence[Request], floor: float) -> list[Found | Sequence[Box] | Fault]:
    answers = list(detector.detect(requests))
    if len(answers) != len(requests):
        raise ValueError(f"the detector gave {len(answers)} answers to {len(requests)} requests")
    return [_checked(answer, request, floor) for answer, request in zip(answers, requests, strict=True)]


def _checked(answer: Found | Sequence[Box], request: Request, floor: float) -> Found:
    """An answer from outside: boxes of known phrases, inside the picture, in the precision in which they are kept.

    Those with a score below the floor are left out.

    Raises:
      ValueError: there are other boxes, or some without an area.
    """
    found = _found(answer)
    boxes = _kept(found.boxes)
    for box, given in zip(boxes, found.boxes, strict=True):
        inside = 0 <= box.x1 < box.x2 <= 1 and 0 <= box.y1 < box.y2 <= 1 and 0 <= box.score <= 1
        if not inside or box.phrase not in range(len(request.phrases)):
            raise ValueError(f"the detector gave {given} for {len(request.phrases)} phrases")
    boxes = [box for box in boxes if box.score >= floor]
    return replace(found, boxes=tuple(sorted(boxes, key=lambda box: (box.phrase, -box.score))))


def _kept(boxes: Sequence[Box]) -> list[Box]:
    """The boxes in float32, as detections hold them."""
    values = np.array([(*box.corners, box.score) for box in boxes], np.float32).tolist()
    return [Box(box.phrase, *row) for box, row in zip(boxes, values, strict=True)]


def _found(answer: Found | Sequence[Box] | Fault) -> Found:
    if isinstance(answer, Fault):
        return Found(error=answer)
    return answer if isinstance(answer, Found) else Found(tuple(answer))


class GroundingHandler(ModelHandler[Chunk, Chunk, SharedDetector]):
    """A Beam ModelHandler whose example is a whole chunk: batches form inside it, so that they follow from the input.

    Args:
      settings: the detector. max_pixels: pictures with more fail. search: folders to look for a detector of one's own.
      progress: told, while a chunk is worked on, how many of its pairs are done.
    """

    def __init__(
        self,
        settings: DetectorSettings,
        max_pixels: int = MAX_PIXELS,
        search: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> None:
        super().__init__(min_batch_size=1, max_batch_size=1)
        self.settings = settings
        self.max_pixels = max_pixels
        self.search = tuple(search)
        self.progress = progress

    def load_model(self) -> SharedDetector:
        """Nothing is loaded yet: RunInference calls this in setup, also when no element ever arrives."""
        return SharedDetector(self.settings, self.search)

    def run_inference(
        self, batch: Sequence[Chunk], model: SharedDetector, inference_args: dict[str, Any] | None = None
    ) -> list[Chunk]:
        """The chunks with their pairs' boxes."""
        return [self._localize(chunk, model) for chunk in batch]

    def get_num_bytes(self, batch: Sequence[Chunk]) -> int:
        """Encoded image bytes; Beam's default would pickle the batch to count them."""
        return sum(len(pair.data) for chunk in batch for pair in chunk.pairs)

    def get_metrics_namespace(self) -> str:
        """Where Beam puts its counters."""
        return "gritmill"

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        """There are none."""
        if inference_args:
            raise ValueError("GroundingHandler takes no inference arguments")

    def _localize(self, chunk: Chunk, model: SharedDetector) -> Chunk:
        started = time.perf_counter()
        pairs = model.localize(chunk.pairs, self.max_pixels, self.progress, chunk.apart)
        if self.progress:
            self.progress(0)
        seconds = chunk.timed("boxes", time.perf_counter() - started)
        return replace(chunk, pairs=pairs, made=model.made, seconds=seconds)


@dataclass
class LocalizePhrases(beam.PTransform):
    """Chunks of pairs with phrases and images -> the same chunks with candidate boxes and without images."""

    handler: GroundingHandler

    def expand(self, chunks: beam.PCollection) -> beam.PCollection:
        return chunks | RunInference(self.handler)
