"""A detector without cost: every phrase gets one box in the centre of the picture."""

from collections.abc import Sequence
from typing import Any

from gritmill import Box
from transforms.detectors.base import Request
from transforms.detectors.settings import DetectorSettings

SETTINGS = ("phrases.model=caption-parser", "detector.model=stress.fake_detector:make")
"""The configuration of a run with this detector, as words for `--set`."""


def small_run(chunk: int, shard: int) -> dict[str, Any]:
    """The configuration of a run with this detector, as sections. chunk, shard: numbers of pairs."""
    return {
        "phrases": {"model": "caption-parser"},
        "detector": {"model": "stress.fake_detector:make"},
        "selection": {"score": 0.0},
        "chunk": {"pairs": chunk},
        "shards": {"pairs": shard},
    }


class CentreBox:
    """Returns the same box for every phrase."""

    def detect(self, requests: Sequence[Request]) -> list[list[Box]]:
        """Returns one box per phrase."""
        return [[Box(i, 0.25, 0.25, 0.75, 0.75, 0.9) for i in range(len(one.phrases))] for one in requests]


def make(settings: DetectorSettings) -> CentreBox:
    """The factory that `detector.model` names."""
    return CentreBox()
