"""The fingerprint of a `ground` run: a hash of the settings that change results, and of the models' content.

A run resumes only if its fingerprint is unchanged.
"""

import hashlib
import json
import os
from typing import Any

from pipeline import files
from pipeline.configuration import GROUND_SECTIONS, Configuration
from pipeline.faults import CallError
from transforms import bundled
from transforms.claims.reading_version import READING_VERSION
from transforms.claims.word_lists import LISTS, read_list
from transforms.detectors.family import Family
from transforms.images import bytes_digest
from transforms.settings import FilterSettings

RULES_VERSION = 5
"""Increase it with every code change that changes phrases, boxes or records for the same input. The code that reads
claims has a version of its own, `READING_VERSION`."""

GIVEN_BOXES_VERSION = 2
"""The same for the code that links boxes of a source to phrases. Only runs with a column of boxes depend on it."""


def ground_fingerprint(
    configuration: Configuration, model_identities: dict[str, str], limit: int | None, family: Family[Any]
) -> str:
    """The fingerprint of a `ground` run. A model in a folder counts by its content, not by its path.

    family: the detector's family. Only the detector settings that it uses are covered. If claims are read, the words
    that they are read from and the version of that code are covered.
    """
    values = configuration.fingerprint_values()
    # A newer section is missing from the values if all of its keys have their legacy values.
    parts = {name: values[name] for name in GROUND_SECTIONS if name in values}
    if "filters" in parts:
        parts["filters"] = _filter_values(configuration.filters, parts["filters"])
        if not parts["filters"]:
            del parts["filters"]
    parts["detector"] = family.take(configuration.detector).fingerprint_values()
    if configuration.phrases.claims:
        words = json_digest([read_list(name) for name in LISTS])
        parts["phrases"] = {**parts["phrases"], "claim_words": words, "claim_reading": READING_VERSION}
    if configuration.source.columns.boxes:
        parts["given_boxes"] = GIVEN_BOXES_VERSION
    for section in ("phrases", "detector"):
        if model_identities[section].startswith("folder:"):
            del parts[section]["model"]
    return json_digest({**parts, "rules": RULES_VERSION, "models": model_identities, "limit": limit})


def _filter_values(settings: FilterSettings, values: dict[str, Any]) -> dict[str, Any]:
    """The filters of `ground`: exact duplicates belong to `pack`, and a file of hashes counts by its content."""
    if settings.duplicates == "exact":
        values = {key: value for key, value in values.items() if key != "duplicates"}
    if settings.exclude_hashes is None:
        return values
    uri = settings.exclude_hashes
    if not files.exists(uri):
        raise CallError(f"filters.exclude_hashes: {uri}: no such file")
    return {**values, "exclude_hashes": bytes_digest(files.read_bytes(uri))}


def json_digest(value: Any) -> str:
    """The BLAKE2b-128 digest of a JSON value, in hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def resolve(configuration: Configuration, model_identities: dict[str, str]) -> Configuration:
    """The configuration for workers: with absolute paths, and with the hub revision from the identities."""
    source, phrases, detector = configuration.source, configuration.phrases, configuration.detector
    if source.image_root:
        source = source.model_copy(update={"image_root": files.canonical(source.image_root)})
    filters = configuration.filters
    if filters.exclude_hashes is not None:
        filters = filters.model_copy(update={"exclude_hashes": files.canonical(filters.exclude_hashes)})
    # A bundled model keeps its name: every worker has its own copy, whose path may differ.
    if phrases.model not in bundled.MODELS and os.path.isdir(files.canonical(phrases.model)):
        phrases = phrases.model_copy(update={"model": files.canonical(phrases.model)})
    if detector.model not in bundled.MODELS and model_identities["detector"].startswith("folder:"):
        detector = detector.model_copy(update={"model": files.canonical(detector.model)})
    elif model_identities["detector"].startswith("hub:"):
        detector = detector.model_copy(update={"revision": model_identities["detector"].rpartition("@")[2]})
    return configuration.model_copy(
        update={"source": source, "filters": filters, "phrases": phrases, "detector": detector}
    )
