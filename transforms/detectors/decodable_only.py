"""A detector that is asked only about pictures that decode in full."""

from collections.abc import Sequence
from typing import Any

from transforms.detectors.base import Detector, Found, Request
from transforms.images import ImageFault
from transforms.records import Box, FailureStage, Fault


class DecodableOnly:
    """A detector of one's own, asked only about pictures that decode in full, since it may not decode them itself."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._last: tuple[bytes, Fault | None] = b"", None

    @property
    def made(self) -> dict[str, Any]:
        """What the detector says of itself, if it does."""
        return dict(getattr(self._detector, "made", {}))

    def detect(self, requests: Sequence[Request]) -> Sequence[Found | Sequence[Box]]:
        """The detector's answers; an error for a picture that is truncated or broken."""
        faults = [self._fault(request) for request in requests]
        decodable = [request for request, fault in zip(requests, faults, strict=True) if fault is None]
        answers = list(self._detector.detect(decodable)) if decodable else []
        if len(answers) != len(decodable):
            raise ValueError(f"the detector gave {len(answers)} answers to {len(decodable)} requests")
        following = iter(answers)
        return [Found(error=fault) if fault else next(following) for fault in faults]

    def _fault(self, request: Request) -> Fault | None:
        if self._last[0] is not request.data:  # captions of one image share its bytes and follow one another
            try:
                _ = request.image
                self._last = request.data, None
            except ImageFault as fault:
                self._last = request.data, Fault.from_error(FailureStage.IMAGE, fault.reason, str(fault))
        return self._last[1]
