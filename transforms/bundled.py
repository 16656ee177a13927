"""The files that ship with gritmill: `configs`, `models`, `examples`, and the lists of words in packages.

Configurations, run files and messages to workers refer to an embedded model by its bare name. The name becomes a path
only when the model is loaded, because gritmill may be installed elsewhere on that machine.
"""

import filecmp
from collections.abc import Iterable
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

from transforms.wording import closest

SCENE_GROUNDER = "scene-grounder"
MODELS = ("caption-parser", SCENE_GROUNDER)
"""The names of the embedded models in `phrases.model` and `detector.model`. `./name` means a folder of that name."""

SCENE_GROUNDER_WARNING = (
    "scene-grounder works only on drawn scenes like those of the demo; its boxes on other images are meaningless"
)
_ONLY_WITHOUT_BOXES = ". It is asked only about pairs that come without boxes"

_PACKAGES = Path(__file__).resolve().parent.parent


def folder(kind: str) -> Path:
    """The folder `kind`: inside the gritmill package in a wheel, next to that package in a clone."""
    inside = _PACKAGES / "gritmill" / kind
    return inside if inside.is_dir() else _PACKAGES / kind


def model_path(name: str) -> str:
    """The folder of the embedded model `name` on this machine. Any other name is returned unchanged."""
    return str(folder("models") / name) if name in MODELS else name


def read_words(package: str, file: str) -> dict[str, Any]:
    """The content of a YAML file of words in a package.

    file: its name without the suffix. The loader in C takes a tenth of the time: 0.01 instead of 0.1 s for those that
    a run reads.
    """
    import yaml  # `--help` reads no words

    text = resources.files(package).joinpath(f"{file}.yaml").read_text("utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        content: dict[str, Any] = loader.get_single_data()
        return content
    finally:
        loader.dispose()


def did_you_mean(name: str) -> str:
    """The end of a message about a missing model: suggests the embedded model with the closest name, or is empty."""
    close = closest(name, MODELS)
    return f"; did you mean {close}?" if close else ""


def detector_warnings(model: str, inputs: Iterable[str], given_boxes: bool = False) -> tuple[str, ...]:
    """What whoever sees boxes of the detector on these inputs must know: of the embedded one, under its name or as a
    folder, also a copy, on other images than the bundled scenes. inputs: absolute paths and URIs. given_boxes: whether
    a column of the source has boxes."""
    examples = folder("examples")
    if not _is_scene_grounder(model) or all(Path(path).is_relative_to(examples) for path in inputs):
        return ()
    return (f"{SCENE_GROUNDER_WARNING}{_ONLY_WITHOUT_BOXES if given_boxes else ''}",)


def _is_scene_grounder(model: str) -> bool:
    """Whether it is the embedded detector, under its name or as a folder: also a copy, but not with other weights."""
    if model == SCENE_GROUNDER:
        return True
    with suppress(OSError, ValueError, RuntimeError):  # of expanduser, where there is no such user
        path, own = Path(model).expanduser(), Path(model_path(SCENE_GROUNDER))
        names = ("config.json", "model.safetensors")  # the first one tells most others apart with 3 KB
        return all(filecmp.cmp(path / name, own / name, shallow=False) for name in names)
    return False
