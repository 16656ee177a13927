"""A detector that costs nothing: every phrase gets one box in the centre of the picture."""

from collections.abc import Sequence

from gritmill import Box
from transforms.detectors.base import Request
from transforms.detectors.settings import DetectorSettings


class CentreBox:
    """The same box for everything."""

    def detect(self, requests: Sequence[Request]) -> list[list[Box]]:
        """One box a phrase."""
        return [[Box(i, 0.25, 0.25, 0.75, 0.75, 0.9) for i in range(len(one.phrases))] for one in requests]


def make(settings: DetectorSettings) -> CentreBox:
    """The factory."""
    return CentreBox()
