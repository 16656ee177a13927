"""What comes with gritmill besides code: `configs`, `models` and `examples`.

A configuration says an embedded model by its bare name, and so does everything that is written or sent to a worker: it
becomes a path only where the model is loaded, since gritmill may lie elsewhere on that machine.
"""

import difflib
from pathlib import Path

SCENE_GROUNDER = "scene-grounder"
MODELS = ("caption-parser", SCENE_GROUNDER)
"""Names that `phrases.model` and `detector.model` take for embedded models. A folder of such a name is `./name`."""

SCENE_GROUNDER_WARNING = (
    "scene-grounder knows drawn scenes like the demo's and nothing else; boxes on other pictures mean nothing"
)

_PACKAGES = Path(__file__).resolve().parent.parent


def folder(kind: str) -> Path:
    """The folder of that kind: in a wheel inside the gritmill package, in a clone beside it."""
    inside = _PACKAGES / "gritmill" / kind
    return inside if inside.is_dir() else _PACKAGES / kind


def model_path(name: str) -> str:
    """The folder of the embedded model of that name on this machine; anything else as it is."""
    return str(folder("models") / name) if name in MODELS else name


def did_you_mean(name: str) -> str:
    """What to add to a message about a model that is not there: the embedded one that may be meant, or nothing."""
    close = difflib.get_close_matches(name, MODELS, 1)
    return f"; do you mean {close[0]}?" if close else ""


def is_bundled_example(path: str) -> bool:
    """Whether an absolute path lies in the bundled examples."""
    return Path(path).is_relative_to(folder("examples"))
