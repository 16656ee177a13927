"""Detectors of one's own as a `Family`: `detector.model` is `package.module:factory`.

The factory takes the settings and returns a `Detector`.
"""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from transforms.detectors.base import Detector
from transforms.detectors.family import Family
from transforms.detectors.grounding_dino.family import GROUNDING_DINO
from transforms.detectors.grounding_dino.settings import GroundingDinoSettings


class PluginSettings(GroundingDinoSettings):
    """The keys of the first release, any of which a factory may read."""


def is_factory(model: str) -> bool:
    """Whether `detector.model` names a factory rather than a hub id or a folder."""
    module, colon, name = model.partition(":")
    return bool(colon) and name.isidentifier() and all(part.isidentifier() for part in module.split("."))


def find_factory(name: str, search_path: Sequence[str] = (), key: str = "detector.model") -> Callable[..., Any]:
    """The factory that `package.module:factory` names.

    search_path: folders to look in after everything installed. key: of the configuration, for messages.

    Raises:
      ValueError: there is no such module, or no such callable in it.
    """
    # Appended, not put first: somebody's own transforms.py in that folder must not hide gritmill's.
    sys.path.extend(folder for folder in search_path if folder not in sys.path)
    module, _, function = name.partition(":")
    try:
        factory: Callable[..., Any] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{key}: {name} cannot be loaded: {error}") from error
    if not callable(factory):
        raise ValueError(f"{key}: {name} is not callable")
    return factory


def _load(settings: PluginSettings, search_path: Sequence[str]) -> Detector:
    factory = find_factory(settings.model, search_path)
    try:
        detector: Detector = factory(settings)
        return detector
    except Exception as error:
        raise ValueError(f"detector.model: {settings.model}: {type(error).__name__}: {error}") from error


def _identify(settings: PluginSettings, search_path: Sequence[str]) -> str:
    """The factory's name, its `revision` if it has one, and a hash of the file that it stands in, if it has one."""
    factory = find_factory(settings.model, search_path)
    identity = f"factory:{settings.model}@{getattr(factory, 'revision', '')}"
    try:
        path = inspect.getsourcefile(inspect.unwrap(factory))
        return f"{identity}+{hashlib.blake2b(Path(path or '').read_bytes(), digest_size=8).hexdigest()}"
    except (OSError, TypeError):
        return identity


PLUGIN = Family(
    "a factory",
    PluginSettings,
    score=GROUNDING_DINO.score,  # nobody knows better
    load=_load,
    normalize=GROUNDING_DINO.normalize,  # as in the first release: its runs hold what was asked
    identify=_identify,
    placed=False,
)
