"""Whether the models of this machine are those of a plan. Loads no model: a worker asks before each job."""

import os
from pathlib import Path

from pipeline.configuration import Configuration
from pipeline.fingerprint import json_digest
from pipeline.model_identity.identify import folder_hash, package_folder
from transforms import bundled
from transforms.phrases.word_lists import read_lists

_FOLDER = "folder:"


def differing_model(configuration: Configuration, planned: dict[str, str]) -> str:
    """The first model whose content here is not that of the plan, as "key: name: problem"; empty if there is none.

    Compares models that are folders, bundled with gritmill or installed as a spaCy package, and word lists. A model of
    the hub is loaded by its commit. planned: the identities in the plan.
    """
    for key, name in (("phrases", configuration.phrases.model), ("detector", configuration.detector.model)):
        expected = planned.get(key, "")
        if expected.startswith(_FOLDER):
            folder = _content_folder(name)
            if folder is None:
                return f"{key}.model: {name}: not there"
            if f"{_FOLDER}{folder_hash(folder)}" != expected:
                return f"{key}.model: {name} ({folder}): not the model of the plan"
    for name in ("drop_lists", "drop_in_context", "measures"):
        if name in planned and json_digest(read_lists(name)) != planned[name]:
            return f"phrases.{name}: the word lists are not those of the plan"
    return ""


def _content_folder(model: str) -> Path | None:
    """The folder with the files of a model. A spaCy package has it inside: `NAME/NAME-VERSION`."""
    path = Path(os.path.realpath(Path(bundled.model_path(model)).expanduser()))
    if path.is_dir():
        return path
    package = package_folder(model)
    inside = [config.parent for config in package.glob("*/config.cfg")] if package else []
    return inside[0] if len(inside) == 1 else None
