"""The default score threshold: it belongs to the detector and to `span_score`, not to the method.

Kosmos-2's 0.65 was GLIP's. A default that nobody has measured says so, here and in the manifest.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.faults import CallError
from transforms import bundled
from transforms.detectors.load import find_family
from transforms.detectors.settings import DetectorSettings
from transforms.settings import SelectionSettings

SIDECAR = "gritmill.json"
"""In a model's folder: {"score": {"mean": 0.4}, "measured": "on what, with what result"}."""


@dataclass(frozen=True)
class Threshold:
    """A score threshold, whether somebody has measured it for this detector, and where it comes from."""

    score: float
    measured: bool
    source: str


def default_threshold(settings: DetectorSettings) -> Threshold:
    """What is known of a detector: its own sidecar file, else its family's, a guess that says so."""
    sidecar = Path(bundled.model_path(settings.model)).expanduser() / SIDECAR
    if sidecar.is_file():
        try:
            value = json.loads(sidecar.read_text("utf-8"))
            if settings.span_score in value["score"]:
                return Threshold(float(value["score"][settings.span_score]), True, str(value["measured"]))
        except (ValueError, KeyError, TypeError) as error:
            raise CallError(f"{sidecar}: not a score threshold: {type(error).__name__}: {error}") from error
    score = find_family(settings).score
    return Threshold(score, False, "a guess: nobody has measured it for this detector and span_score")


def threshold_in_force(selection: SelectionSettings, default: Threshold, floor: float) -> Threshold:
    """The threshold in force: as set, else the detector's default. floor: of the candidates that there are."""
    if selection.score is None:
        return default
    below = f"; ground kept no box below {floor:g}, its detector.floor" if selection.score < floor else ""
    return Threshold(selection.score, False, f"as set in the configuration{below}")
