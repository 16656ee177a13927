"""The default score threshold. It depends on the detector and on `span_score`, not on the method.

The 0.65 of Kosmos-2 is a threshold for GLIP. A default that was not measured is marked as such, also in the manifest.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.faults import CallError, first_line
from transforms import bundled
from transforms.detectors.load import find_family
from transforms.detectors.settings import DetectorSettings
from transforms.settings import SelectionSettings

SIDECAR = "gritmill.json"
"""A file in a model's folder: {"score": {"mean": 0.4}, "measured": "on what, with what result"}."""


@dataclass(frozen=True)
class Threshold:
    """A score threshold, whether it was measured for this detector, and where it comes from."""

    score: float
    measured: bool
    source: str


def default_threshold(settings: DetectorSettings) -> Threshold:
    """The default of a detector: the value in its sidecar file, else the guess of its family, which is not measured.

    Raises:
      CallError: the sidecar file is invalid.
    """
    sidecar = Path(bundled.model_path(settings.model)).expanduser() / SIDECAR
    if sidecar.is_file():
        try:
            value = json.loads(sidecar.read_text("utf-8"))
            if settings.span_score in value["score"]:
                score = float(value["score"][settings.span_score])
                if not 0 <= score <= 1:
                    raise ValueError(f"{score:g} is not in 0..1")
                return Threshold(score, True, str(value["measured"]))
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            problem = f"{type(error).__name__}: {first_line(error)}"
            raise CallError(f"{sidecar}: not a score threshold: {problem}; correct it or remove it") from error
    score = find_family(settings).score
    return Threshold(score, False, "a guess, not measured for this detector and span_score")


def active_threshold(selection: SelectionSettings, default: Threshold, floor: float) -> Threshold:
    """The active threshold: as set, else the detector's default. floor: the `detector.floor` of the candidates."""
    if selection.score is None:
        return default
    below = f"; ground kept no box below {floor:g}, its detector.floor" if selection.score < floor else ""
    return Threshold(selection.score, False, f"as set in the configuration{below}")
