"""Wraps a detector so that one thread calls it at a time, and only with images that decode in full."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from transforms.detectors.base import Found, Request
from transforms.detectors.check_answers import list_answers
from transforms.images import ImageFault
from transforms.records import Box, Fault


@dataclass(eq=False)
class DecodableOnly:
    """The wrapper. The detector need not be thread-safe and need not check whether an image is broken."""

    _detector: Any
    progress: Callable[[int], None] | None = None
    _lock: Any = field(default_factory=threading.Lock)
    _last: tuple[bytes, Fault | None] = b"", None

    def __post_init__(self) -> None:
        # An attribute `progress` that is not None belongs to the detector; it is not overwritten.
        self._reports = getattr(self._detector, "progress", "") is None

    @property
    def made(self) -> dict[str, Any]:
        """The detector's `made`, or an empty dict."""
        return getattr(self._detector, "made", {})  # type: ignore[no-any-return]

    def detect(self, requests: Sequence[Request]) -> Sequence[Found | Sequence[Box]]:
        """The detector's answers, and an error for each image that is truncated or broken."""
        with self._lock:
            faults = [self._fault(request) for request in requests]
            if self._reports:
                self._detector.progress = self.progress
            decodable = [request for request, fault in zip(requests, faults, strict=True) if fault is None]
            answers = list_answers(self._detector.detect(decodable), len(decodable)) if decodable else []
        following = iter(answers)
        return [Found(error=fault) if fault else next(following) for fault in faults]

    def _fault(self, request: Request) -> Fault | None:
        if self._last[0] is not request.data:  # captions of one image share its bytes and are consecutive
            try:
                _ = request.image
                self._last = request.data, None
            except ImageFault as fault:
                self._last = request.data, fault.as_fault()
        return self._last[1]
