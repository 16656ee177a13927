"""The family of your own detectors, for which `detector.model` is `package.module:factory`.

The factory is called with the settings and returns a `Detector`.
"""

from collections.abc import Sequence

from transforms.detectors.base import Detector
from transforms.detectors.family import Family
from transforms.detectors.grounding_dino.family import GROUNDING_DINO
from transforms.detectors.grounding_dino.settings import GroundingDinoSettings
from transforms.plugins import check_made, find_factory, identify_factory


def is_factory(model: str) -> bool:
    """Whether `detector.model` names a factory and not a hub id or a folder."""
    module, colon, name = model.partition(":")
    return bool(colon) and name.isidentifier() and all(part.isidentifier() for part in module.split("."))


def _load(settings: GroundingDinoSettings, search_path: Sequence[str]) -> Detector:
    detector: Detector = find_factory(settings.model, search_path)(settings)
    check_made(detector, "the factory", "detect")
    return detector


PLUGIN = Family(
    "a factory",
    GroundingDinoSettings,  # the keys of the first release; a factory may read any of them
    score=GROUNDING_DINO.score,  # a guess
    load=_load,
    normalize=GROUNDING_DINO.normalize,  # as in the first release, so that resumed runs send the same requests
    identify=lambda settings, folders: identify_factory(find_factory(settings.model, folders), settings.model),
    placed=False,
)
