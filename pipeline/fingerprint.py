"""What must be equal for a run to go on: whatever in the configuration changes results, and the models' content."""

import hashlib
import json
import os
from typing import Any

from pipeline import files
from pipeline.configuration import GROUND_SECTIONS, Configuration
from transforms import bundled
from transforms.detectors.family import Family

RULES_VERSION = 5
"""To be raised with every change of this code that changes phrases, boxes or records of the same input."""


def ground_fingerprint(
    configuration: Configuration, model_identities: dict[str, str], limit: int | None, family: Family[Any]
) -> str:
    """The ground fingerprint. A model in a folder counts with its content, wherever the folder lies.

    family: of the detector, whose settings are the keys that it takes.
    """
    values = configuration.fingerprint_values()
    # A newer section all of whose keys are as before is not among the values.
    parts = {name: values[name] for name in GROUND_SECTIONS if name in values}
    parts["detector"] = family.take(configuration.detector).fingerprint_values()
    for section in ("phrases", "detector"):
        if model_identities[section].startswith("folder:"):
            del parts[section]["model"]
    return json_digest({**parts, "rules": RULES_VERSION, "models": model_identities, "limit": limit})


def json_digest(value: Any) -> str:
    """BLAKE2b-128 of a JSON value, hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def resolve(configuration: Configuration, model_identities: dict[str, str]) -> Configuration:
    """The configuration as workers need it: paths absolute, and the hub revision that the identities name."""
    source, phrases, detector = configuration.source, configuration.phrases, configuration.detector
    if source.image_root:
        source = source.model_copy(update={"image_root": files.canonical(source.image_root)})
    # An embedded model keeps its name: a worker has its own copy, wherever gritmill lies there.
    if phrases.model not in bundled.MODELS and os.path.isdir(files.canonical(phrases.model)):
        phrases = phrases.model_copy(update={"model": files.canonical(phrases.model)})
    if detector.model not in bundled.MODELS and model_identities["detector"].startswith("folder:"):
        detector = detector.model_copy(update={"model": files.canonical(detector.model)})
    elif model_identities["detector"].startswith("hub:"):
        detector = detector.model_copy(update={"revision": model_identities["detector"].rpartition("@")[2]})
    return configuration.model_copy(update={"source": source, "phrases": phrases, "detector": detector})
