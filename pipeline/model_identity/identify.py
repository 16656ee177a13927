"""Computes the identities of models, and checks that the models are available. Runs before any input is read."""

import hashlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline import files
from pipeline.configuration import Configuration
from pipeline.faults import CallError, first_line
from pipeline.fingerprint import json_digest
from pipeline.model_identity.cache import ModelCache, file_signature
from pipeline.threshold import SIDECAR
from transforms import bundled
from transforms.detectors.load import calling_family, check_input, find_config, find_family, find_family_by_name
from transforms.detectors.settings import DetectorSettings
from transforms.phrases.drop_lists import drop_heads, drop_in_context
from transforms.phrases.language import LanguageGate
from transforms.phrases.measures import measure_words
from transforms.phrases.word_lists import read_lists

_EMBEDDED_PARSER = "caption-parser"
"""It is known to work, so a driver that has no model of its own need not import spaCy, which imports torch: a second,
and half of the memory that the plan of a hundred thousand sources takes."""


def identify_models(
    configuration: Configuration, cache: ModelCache | None = None, before_loading: Callable[[], object] = lambda: None
) -> dict[str, str]:
    """Checks that both models are available and of the right kind. Returns their identities and that of the drop lists.

    The identity of a folder or spaCy package is the hash of its files. That of a hub id is the commit to which its
    revision refers now. The family defines that of a detector without a checkpoint.

    Args:
      cache: a model whose files have a valid entry is neither loaded nor hashed again.
      before_loading: called before a model is loaded, or looked up on the hub, which takes seconds.

    Raises:
      CallError: a model is not available or does not work, or a drop list or language is unknown.
    """
    cache = cache or ModelCache()
    try:
        drop_heads(configuration.phrases.drop_lists)
        drop_in_context(configuration.phrases.drop_in_context)
        measure_words(configuration.phrases.measures)
        if configuration.phrases.languages:
            LanguageGate(configuration.phrases.languages)
    except ValueError as error:
        raise CallError(str(error)) from error
    return {
        "phrases": parser_identity(configuration.phrases.model, cache, before_loading),
        "detector": _detector_identity(configuration.detector, cache, before_loading),
        "drop_lists": json_digest(read_lists("drop_lists")),
        # Newer than released runs, which have none of these lists.
        **{
            name: json_digest(read_lists(name))
            for name in ("drop_in_context", "measures")
            if getattr(configuration.phrases, name)
        },
    }


def check_new_run(configuration: Configuration) -> None:
    """Raises CallError if no new run should begin with these settings of the detector. After `identify_models`."""
    try:
        check_input(configuration.detector)
    except (OSError, ValueError) as error:
        raise CallError(first_line(error)) from error


def parser_identity(
    model: str, cache: ModelCache | None = None, before_loading: Callable[[], object] = lambda: None
) -> str:
    """The identity of a spaCy pipeline. Arguments as for `identify_models`. Raises CallError if it is not available or
    does not work."""
    model = bundled.model_path(model)
    model = files.canonical(model) if os.path.isdir(os.path.expanduser(model)) else model
    folder = os.path.isdir(model)
    folder_path = Path(os.path.realpath(model)) if folder else package_folder(model)
    if folder_path is None:
        return _load_and_identify(model, before_loading)
    packages = ("spacy",) if folder else ("spacy", model)
    return (cache or ModelCache()).get_or_compute(
        f"parser {folder_path}",
        lambda: file_signature(model_files(folder_path), *packages),
        lambda: _load_and_identify(model, before_loading),
    )


def _load_and_identify(model: str, before_loading: Callable[[], object]) -> str:
    if model == bundled.model_path(_EMBEDDED_PARSER) and os.path.isdir(model):
        return f"folder:{folder_hash(Path(model))}"
    before_loading()
    from transforms.phrases.parser import load_parser  # imports spaCy, which takes seconds

    try:
        nlp = load_parser(model)
    except OSError as error:
        hint = "" if "/" in model else f"; get it with: python -m spacy download {model}"
        hint = bundled.did_you_mean(model) or hint
        problem = "not a spaCy pipeline" if os.path.isdir(model) else "no such spaCy pipeline"
        raise CallError(f"phrases.model: {model}: {problem}{hint}") from error
    except Exception as error:  # a folder that is not a pipeline can raise anything
        raise CallError(f"phrases.model: {model}: {first_line(error).removeprefix('phrases.model: ')}") from error
    if nlp.path is None:
        return f"name:{model}"
    return f"folder:{folder_hash(Path(nlp.path))}"


def package_folder(name: str) -> Path | None:
    """The folder of an installed package, found without importing it. None if the package is missing or has no unique
    folder."""
    try:
        spec = importlib.util.find_spec(name) if name.isidentifier() else None
    except (ImportError, ValueError):
        return None
    locations = list(spec.submodule_search_locations or ()) if spec and spec.has_location else []
    return Path(os.path.realpath(locations[0])) if len(locations) == 1 and os.path.isdir(locations[0]) else None


def _detector_identity(
    settings: DetectorSettings, cache: ModelCache, before_loading: Callable[[], object] = lambda: None
) -> str:
    if not find_family_by_name(settings.model):
        settings = _located(settings, before_loading)
    try:
        family = find_family(settings)
        if family.identify:
            with calling_family(settings, family, "identify"):
                return family.identify(family.take(settings), [os.getcwd()])
    except (OSError, ValueError) as error:
        raise CallError(first_line(error)) from error
    folder = Path(os.path.realpath(Path(settings.model).expanduser()))
    if not folder.is_dir():
        return f"hub:{settings.model}@{settings.revision}"
    return cache.get_or_compute(
        f"detector {folder}", lambda: file_signature(model_files(folder)), lambda: f"folder:{folder_hash(folder)}"
    )


def _located(settings: DetectorSettings, before_loading: Callable[[], object] = lambda: None) -> DetectorSettings:
    """The settings with the folder of the model, or with the commit to which its revision refers."""
    model = bundled.model_path(settings.model)
    if Path(model).expanduser().is_dir():
        return settings.model_copy(update={"model": model})
    if model.startswith((".", "/", "~")) or model.count("/") != 1:
        raise CallError(f"detector.model: {model}: no such folder{bundled.did_you_mean(model)}")
    before_loading()
    try:
        located = settings.model_copy(update={"revision": _resolve_commit(model, settings.revision)})
        find_config(located)
    except Exception as error:  # errors of the hub's client and of its HTTP library
        command = f"hf download {model}" + (f" --revision {settings.revision}" if settings.revision else "")
        raise CallError(
            f"detector.model: {model}: not on this machine and not available from the hub ({first_line(error)}); "
            f"get it with: {command}"
        ) from error
    return located


def _resolve_commit(model: str, revision: str | None) -> str:
    """The commit to which the revision refers, from the hub or else from the local cache. If the revision is itself a
    cached commit, sends no request to the hub."""
    from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache

    config = try_to_load_from_cache(model, "config.json", revision=revision)
    cached = Path(config).parent.name if isinstance(config, str) else ""
    if cached and cached == revision:
        return cached
    try:
        # One request. To fetch a file, the client would retry for 20 s and print messages to standard error.
        HfApi().model_info(model, revision=revision or "main", timeout=30)
        # Request the name, not the commit: then the client stores the commit of the name for later offline runs.
        return Path(hf_hub_download(model, "config.json", revision=revision or "main")).parent.name
    except Exception:
        if cached:
            return cached
        raise


def folder_hash(folder: Path) -> str:
    """BLAKE2b-128 over the names and bytes of a model folder's files.

    Files that do not affect the model are left out: byte code, hidden files, Markdown files, gritmill's sidecar.
    """
    hasher = hashlib.blake2b(digest_size=16)
    for path in model_files(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, hashlib.blake2b).hexdigest()
        hasher.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return hasher.hexdigest()


def model_files(folder: Path) -> Iterator[Path]:
    """The files of a model folder that define the model, sorted."""
    yield from sorted(path for path in folder.rglob("*") if path.is_file() and _is_content(path.relative_to(folder)))


def _is_content(path: Path) -> bool:
    hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return not (hidden or path.suffix == ".md" or path.name == SIDECAR)
