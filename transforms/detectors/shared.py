"""One detector for all threads of a process, loaded at its first use."""

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from transforms.detectors.base import Detector, Found, Request, probe
from transforms.detectors.candidates import request_for, with_boxes
from transforms.detectors.checked import _complete, _found
from transforms.detectors.decodable import Sound
from transforms.detectors.isolated import DetectorApart
from transforms.detectors.load import is_factory, load_detector
from transforms.isolation.bisect import run_or_blame
from transforms.records import Pair
from transforms.settings import DetectorSettings

Progress = Callable[[int], None]
"""Told how many pairs of a chunk are through the detector."""


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
