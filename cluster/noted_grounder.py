"""A detector that notes each picture that it looks at, and then asks the embedded scene-grounder. It can be killed by
a picture.

Workers import it from this clone, which `make install` has put on the path of each process of `.venv`.
"""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transforms.bundled import SCENE_GROUNDER
from transforms.detectors.base import Detector, Found, Request
from transforms.detectors.load import load_detector
from transforms.records import Box

NOTES = "GRITMILL_CLUSTER_NOTES"
"""Environment variable: the folder of the notes. Each process has a file of its own."""

POISON = "GRITMILL_CLUSTER_POISON"
"""Environment variable: the digest of the picture that kills the process that looks at it."""

MODEL = "cluster.noted_grounder:make"


class NotedGrounder:
    """Notes Unix time and digest of each picture, before it can die of it."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def detect(self, requests: Sequence[Request]) -> Sequence[Found | Sequence[Box]]:
        """Answers as the scene-grounder does."""
        digests = [request.image_digest for request in requests if request.image_digest]  # that of a probe has none
        with (Path(os.environ[NOTES]) / f"{os.getpid()}.txt").open("a") as file:
            file.writelines(f"{time.time()} {digest}\n" for digest in digests)
        if os.environ[POISON] in digests:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._detector.detect(requests)


def make(settings: Any) -> NotedGrounder:
    """Loads the scene-grounder. settings: the section `detector`."""
    return NotedGrounder(load_detector(settings.model_copy(update={"model": SCENE_GROUNDER})))


def notes(folder: Path) -> dict[str, list[float]]:
    """When each picture was looked at, by its digest. Unix times, sorted."""
    found: dict[str, list[float]] = {}
    for path in folder.glob("*.txt"):
        for line in path.read_text().splitlines():
            seconds, digest = line.split()
            found.setdefault(digest, []).append(float(seconds))
    return {digest: sorted(times) for digest, times in found.items()}
