"""Finds the family of the configured detector by its `model_type`, and loads the detector.

Your package can add a family through the entry-point group `gritmill.detectors`. The name of the entry is the
`model_type` in the config.json of the checkpoints. Its value is a `Family`. Built-in families take precedence.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from transforms import bundled
from transforms.culprits import PluginError, calling
from transforms.detectors.base import Detector
from transforms.detectors.decodable_only import DecodableOnly
from transforms.detectors.family import Family
from transforms.detectors.grounding_dino.family import GROUNDING_DINO
from transforms.detectors.plugin import PLUGIN, is_factory
from transforms.detectors.settings import GROUP, DetectorSettings, load_family
from transforms.devices import lacks_gpu, picks_cpu
from transforms.plugins import check_made
from transforms.wording import closest, listed

_BUILTIN: dict[str, Family[Any]] = {"grounding-dino": GROUNDING_DINO, "mm-grounding-dino": GROUNDING_DINO}


def find_family_by_name(model: str) -> Family[Any] | None:
    """The family of a detector without a checkpoint (`package.module:factory`); None for a checkpoint."""
    return PLUGIN if is_factory(model) else None


def find_family(settings: DetectorSettings) -> Family[Any]:
    """The family of the detector that the settings name. Of a checkpoint, only the config.json is read.

    Raises:
      ValueError: the family of the checkpoint is unknown, or the family rejects the checkpoint or a key.
      OSError: there is no such checkpoint.
    """
    family = find_family_by_name(settings.model)
    if family:
        return family
    # A checkpoint of an unknown kind could contain its own code. So the kind is checked before a class is looked up.
    config = _read_config(settings)
    kind = str(config.get("model_type", ""))
    family = _BUILTIN.get(kind)
    if not family:
        outside = {entry.name: entry for entry in entry_points(group=GROUP)}
        if kind not in outside:
            problem = f"is a {kind}" if kind else "has no model_type in its config.json"
            known = dict.fromkeys([*_BUILTIN, *sorted(outside)])
            close = closest(kind, known)
            end = f"did you mean {close}?" if close else f"it must be one of {listed(list(known))}"
            raise ValueError(f"detector.model: {settings.model} {problem}; {end}")
        family = load_family(outside[kind])
    own = family.take(settings)
    with calling_family(settings, family, "check"):
        family.check(own, config)
    return family


@contextmanager
def calling_family(settings: DetectorSettings, family: Family[Any], function: str) -> Iterator[None]:
    """Names the detector and the function of its family in each exception, unless the message names a key of it.

    Raises:
      PluginError: in place of an exception of a family of another package.
    """
    if family in _BUILTIN.values():
        yield
        return
    plugin = f"detector.model: {settings.model}"
    try:
        with calling(plugin if family is PLUGIN else f"{plugin}: {function} of the family {family.name}"):
            yield
    except PluginError as error:
        if error.__cause__ and str(error.__cause__).startswith("detector."):
            raise error.__cause__ from None
        raise


def load_detector(settings: DetectorSettings, search_path: Sequence[str] = ()) -> Detector:
    """Loads the detector that the settings name, on its device. The result is thread-safe."""
    family = find_family(settings)
    own = family.take(settings)
    with calling_family(settings, family, "load"):
        detector = family.load(own, search_path)
        check_made(detector, "it", "detect")
    return DecodableOnly(detector) if family.guarded else detector


def check_precision(settings: DetectorSettings) -> None:
    """Raises ValueError if the detector would run on the CPU of this machine, which does not support its precision."""
    if settings.precision == "float32":
        return
    family = find_family(settings)
    if family.placed and picks_cpu(settings.device):
        _check_cpu(settings, family)


def check_input(settings: DetectorSettings) -> None:
    """Raises ValueError if no new run should begin with these settings and this checkpoint."""
    family = find_family(settings)
    if not find_family_by_name(settings.model):
        with calling_family(settings, family, "check_input"):
            family.check_input(family.take(settings), find_config(settings).parent)


def check_precision_early(settings: DetectorSettings) -> None:
    """Raises ValueError if it is known without torch and a model hub that `check_precision` would raise it.

    A checkpoint that is not in a folder may be of any family, so it is refused only if all of them refuse it.
    """
    on_cpu = settings.device == "cpu" or (settings.device == "auto" and lacks_gpu())
    if settings.precision == "float32" or not on_cpu:
        return
    refusals = []
    for family in _possible_families(settings):
        try:
            if family.placed:
                _check_cpu(settings, family)
            return
        except ValueError as error:
            refusals.append(error)
    if refusals:
        raise refusals[0]


def _check_cpu(settings: DetectorSettings, family: Family[Any]) -> None:
    with calling_family(settings, family, "check_cpu"):
        family.check_cpu(family.take(settings))


def _possible_families(settings: DetectorSettings) -> list[Family[Any]]:
    """The families that the detector may be of, found without a hub. None if it is refused for something else, which
    `find_family` names."""
    finders: list[Callable[[], Family[Any]]] = [lambda: find_family(settings)]
    local = Path(bundled.model_path(settings.model)).expanduser().is_dir()
    if not local and not find_family_by_name(settings.model):
        outside = (partial(load_family, entry) for entry in entry_points(group=GROUP))
        finders = [lambda: GROUNDING_DINO, *outside]
    families = []
    for find in finders:
        with suppress(OSError, ValueError):
            family = find()
            family.take(settings)
            families.append(family)
    return families


def find_config(settings: DetectorSettings) -> Path:
    """The path of a checkpoint's config.json. For a hub id, it is downloaded; its folder is named after the commit.

    Raises:
      OSError, ValueError: the file cannot be downloaded.
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
    except (OSError, ValueError, RecursionError) as error:  # not JSON, or neither an existing folder nor a hub id
        raise OSError(f"detector.model: {settings.model}: {error}") from error
    return config if isinstance(config, dict) else {}
