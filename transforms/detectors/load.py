"""The detector that the configuration names, loaded.

A detector of your own is a factory `package.module:factory` that takes `DetectorSettings` and returns a `Detector`.
"""

import importlib
import sys
from collections.abc import Callable, Sequence

from transforms.detectors.base import Detector
from transforms.detectors.decodable_only import DecodableOnly
from transforms.settings import DetectorSettings


def is_factory(model: str) -> bool:
    """Whether `detector.model` names a factory rather than a hub id or a folder."""
    module, colon, name = model.partition(":")
    return bool(colon) and name.isidentifier() and all(part.isidentifier() for part in module.split("."))


def find_factory(model: str, search_path: Sequence[str] = ()) -> Callable[[DetectorSettings], Detector]:
    """The factory that `package.module:factory` names. `search_path`: folders to look in after everything installed.

    Raises:
      ValueError: there is no such module, or no such callable in it.
    """
    # Appended, not put first: somebody's own transforms.py in that folder must not hide gritmill's.
    sys.path.extend(folder for folder in search_path if folder not in sys.path)
    module, _, name = model.partition(":")
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"detector.model: {model} cannot be loaded: {error}") from error
    if not callable(factory):
        raise ValueError(f"detector.model: {model} is not callable")
    typed: Callable[[DetectorSettings], Detector] = factory
    return typed


def load_detector(settings: DetectorSettings, search_path: Sequence[str] = ()) -> Detector:
    """The detector that the settings name, loaded and on its device; any threads may share it."""
    if is_factory(settings.model):
        factory = find_factory(settings.model, search_path)
        try:
            return DecodableOnly(factory(settings))
        except Exception as error:
            raise ValueError(f"detector.model: {settings.model}: {type(error).__name__}: {error}") from error
    # transformers takes seconds to import: not before it is needed
    from transforms.detectors.grounding_dino.model import GroundingDino

    return GroundingDino.load(settings)
