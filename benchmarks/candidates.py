"""A detector with almost no cost that returns about as many candidates as Grounding DINO does above its floor.

Every phrase gets 5 to 30 candidates around a few places. Most scores are just above 0.05, as those that a real detector
leaves to `pack`. The answer depends only on the request.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from gritmill import Box
from transforms.detectors.base import Request
from transforms.detectors.settings import DetectorSettings

_CLUSTERS = 4  # places that the candidates surround, so that there are boxes to suppress
_FLOOR = 0.05


class Candidates:
    """The detector; see the module's docstring."""

    def detect(self, requests: Sequence[Request]) -> list[list[Box]]:
        """Returns the boxes of each request, best first within a phrase."""
        return [
            [box for number in range(len(request.phrases)) for box in _boxes(request, number)] for request in requests
        ]


def make(settings: DetectorSettings) -> Candidates:
    """The factory."""
    return Candidates()


def _boxes(request: Request, number: int) -> list[Box]:
    seed = blake2b(f"{request.phrases}{number}{len(request.data)}".encode(), digest_size=8).digest()
    rng = np.random.default_rng(int.from_bytes(seed))
    count = int(rng.integers(5, 31))
    scores = np.sort(_FLOOR + 0.9 * rng.beta(0.6, 4.0, count))[::-1]
    centre_of = rng.integers(0, _CLUSTERS, count)
    centres = rng.uniform(0.2, 0.8, (_CLUSTERS, 2))[centre_of] + rng.normal(0, 0.02, (count, 2))
    halves = rng.uniform(0.03, 0.2, (_CLUSTERS, 2))[centre_of] * rng.uniform(0.8, 1.2, (count, 2))
    corners = np.clip(np.hstack([centres - halves, centres + halves]), 0, 1).astype(np.float32)
    return [Box(number, *map(float, box), float(np.float32(s))) for box, s in zip(corners, scores, strict=True)]
