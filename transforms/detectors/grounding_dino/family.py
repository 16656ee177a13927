"""Grounding DINO and MM Grounding DINO as a `Family`."""

import importlib.util
from collections.abc import Sequence
from typing import Any

from transforms.detectors.base import Detector
from transforms.detectors.family import Family
from transforms.detectors.grounding_dino.input_size import check_input
from transforms.detectors.grounding_dino.precision import check_cpu
from transforms.detectors.grounding_dino.prompts import normalize
from transforms.detectors.grounding_dino.settings import GroundingDinoSettings
from transforms.garbage import importing


def _check(settings: GroundingDinoSettings, config: dict[str, Any]) -> None:
    if importlib.util.find_spec("torch") is None:
        raise ValueError("detector.model: torch is not installed")
    if not config.get("two_stage", True):
        # The queries of such a model are points, which the classes of transformers 5.23 do not support.
        raise ValueError(f"detector.model: {settings.model} has two_stage off in its config.json; it must be on")


def _load(settings: GroundingDinoSettings, search_path: Sequence[str]) -> Detector:
    with importing():  # of transformers, which takes seconds
        from transforms.detectors.grounding_dino.model import GroundingDino

    return GroundingDino.load(settings)


GROUNDING_DINO = Family(
    "Grounding DINO",
    GroundingDinoSettings,
    score=0.25,  # the default of transformers' own post-processing
    load=_load,
    normalize=normalize,
    check=_check,
    check_input=check_input,
    check_cpu=check_cpu,
    guarded=False,
)
