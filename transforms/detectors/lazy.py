"""One detector for all threads of a process, loaded at its first use."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from transforms.detectors.base import Detector, Found, Request, probe_request
from transforms.detectors.candidates import make_request, with_boxes
from transforms.detectors.check_answers import as_found, detect_and_check
from transforms.detectors.isolated import IsolatedDetector
from transforms.detectors.load import find_family, load_detector
from transforms.detectors.settings import DetectorSettings
from transforms.isolation.bisect import run_with_bisection
from transforms.records import Pair

Progress = Callable[[int], None]
"""Called with the number of pairs of a chunk that are through the detector."""


@runtime_checkable
class _HasMade(Protocol):
    @property
    def made(self) -> dict[str, Any]: ...


class LazyDetector:
    """A detector that loads on first use, so that a run with nothing left to do loads no model."""

    def __init__(self, settings: DetectorSettings, search_path: Sequence[str]) -> None:
        self.settings = settings
        self.search_path = tuple(search_path)
        self._detector: Detector | None = None
        self._isolated: IsolatedDetector | None = None
        self._load_lock = threading.Lock()

    @property
    def made(self) -> dict[str, Any]:
        """Device and CPU threads of the detector; empty before its first use, or if it is one of your own."""
        detector = self._detector or self._isolated
        return detector.made if isinstance(detector, _HasMade) else {}

    def localize(
        self, pairs: Sequence[Pair], max_pixels: int, progress: Progress | None = None, isolated: bool = False
    ) -> tuple[Pair, ...]:
        """The pairs with their boxes and without their images. Pairs without a phrase never reach the detector.

        isolated: in a process of its own, see `isolated.py`.
        """
        done = [replace(pair, data=b"") for pair in pairs]
        pending = [i for i, pair in enumerate(pairs) if pair.phrases and not pair.error]
        if not pending:
            return tuple(done)
        normalize = find_family(self.settings).normalize
        requests = [make_request(pairs[i], max_pixels, normalize) for i in pending]
        for i, request, found in zip(pending, requests, self._detect(requests, progress, isolated), strict=True):
            done[i] = with_boxes(done[i], request, found, normalize)
        return tuple(done)

    def _detect(self, requests: Sequence[Request], progress: Progress | None, isolated: bool) -> list[Found]:
        detector = self._get_detector(isolated)
        if hasattr(detector, "progress"):
            detector.progress = progress
        floor = self.settings.floor
        answers = run_with_bisection(
            requests,
            lambda some: detect_and_check(detector, some, floor),
            lambda: detect_and_check(detector, [probe_request()], floor),
        )
        return [as_found(answer) for answer in answers]

    def _get_detector(self, isolated: bool) -> Detector:
        with self._load_lock:
            if isolated:
                self._isolated = self._isolated or IsolatedDetector(self.settings, self.search_path)
                return self._isolated
            if self._detector is None:
                self._detector = load_detector(self.settings, self.search_path)
            return self._detector
