"""The families by `model_type`; the family and the detector that the configuration names.

A package of your own adds one through the entry-point group `gritmill.detectors`: the entry's name is the `model_type`
in the config.json of its checkpoints, its value a `Family`. A built-in one goes first.
"""

import json
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from transforms import bundled
from transforms.detectors.base import Detector
from transforms.detectors.decodable_only import DecodableOnly
from transforms.detectors.family import Family
from transforms.detectors.grounding_dino.family import GROUNDING_DINO
from transforms.detectors.plugin import PLUGIN, is_factory
from transforms.detectors.settings import GROUP, DetectorSettings, load_family

_BUILTIN: dict[str, Family[Any]] = {"grounding-dino": GROUNDING_DINO, "mm-grounding-dino": GROUNDING_DINO}


def find_family_by_name(model: str) -> Family[Any] | None:
    """The family of a detector that has no checkpoint; None for one that has."""
    return PLUGIN if is_factory(model) else None


def find_family(settings: DetectorSettings) -> Family[Any]:
    """The family of the detector that the settings name, whose configuration alone is read.

    Raises:
      ValueError: the checkpoint is of no known family, or its family refuses it or a key. OSError: there is none.
    """
    family = find_family_by_name(settings.model)
    if family:
        return family
    # The class of an unknown kind might come with the checkpoint: the kind is read before any class is looked up.
    config = _read_config(settings)
    kind = str(config.get("model_type", ""))
    family = _BUILTIN.get(kind)
    if not family:
        outside = {entry.name: entry for entry in entry_points(group=GROUP)}
        if kind not in outside:
            problem = f"is a {kind}" if kind else "does not say in its config.json what it is"
            known = ", ".join(dict.fromkeys([*_BUILTIN, *sorted(outside)]))
            raise ValueError(f"detector.model: {settings.model} {problem}; it has to be one of {known}")
        family = load_family(outside[kind])
    family.check(family.take(settings), config)
    return family


def load_detector(settings: DetectorSettings, search_path: Sequence[str] = ()) -> Detector:
    """The detector that the settings name, loaded and on its device; any threads may share it."""
    family = find_family(settings)
    detector = family.load(family.take(settings), search_path)
    return DecodableOnly(detector) if family.guarded else detector


def find_config(settings: DetectorSettings) -> Path:
    """The config.json of a checkpoint; one from the hub is fetched, and lies in a folder called like its commit.

    Raises:
      OSError, ValueError: the hub does not give it.
    """
    folder = Path(bundled.model_path(settings.model)).expanduser()
    if folder.is_dir():
        return folder / "config.json"
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(settings.model, "config.json", revision=settings.revision))


def _read_config(settings: DetectorSettings) -> dict[str, Any]:
    try:
        path = find_config(settings)
        config = json.loads(path.read_bytes()) if path.is_file() else {}
    except (OSError, ValueError) as error:  # ValueError: no JSON, or neither a folder that is there nor a hub id
        raise OSError(f"detector.model: {settings.model}: {error}") from error
    return config if isinstance(config, dict) else {}
