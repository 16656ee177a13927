"""What tells one model from another, and whether it can be had at all: asked before any input is looked at."""

import hashlib
import importlib.util
import inspect
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline import files
from pipeline.configuration import Configuration
from pipeline.faults import CallError, first_line
from pipeline.fingerprint import json_digest
from pipeline.model_identity.cache import ModelCache, file_signature
from pipeline.threshold import SIDECAR
from transforms import bundled
from transforms.detectors.load import find_factory, is_factory
from transforms.phrases.drop_lists import drop_heads, read_drop_lists
from transforms.phrases.language import LanguageGate
from transforms.settings import DetectorSettings


def identify_models(configuration: Configuration, cache: ModelCache | None = None) -> dict[str, str]:
    """The identity of both models and of the drop lists, after checking that they can be had and are of the right kind.

    A folder or spaCy package counts with the hash of its files, a hub id with the commit that its revision means now, a
    factory with its name, its `revision` if it has one, and the hash of the file that it stands in.

    Args:
      cache: a model whose files have a valid entry is neither loaded nor hashed again.

    Raises:
      CallError: a model cannot be had or does not serve.
    """
    cache = cache or ModelCache()
    try:
        drop_heads(configuration.phrases.drop_lists)
        if configuration.phrases.languages:
            LanguageGate(configuration.phrases.languages)
    except ValueError as error:
        raise CallError(str(error)) from error
    return {
        "phrases": parser_identity(configuration.phrases.model, cache),
        "detector": _detector_identity(configuration.detector, cache),
        "drop_lists": json_digest(read_drop_lists()),
    }


def parser_identity(model: str, cache: ModelCache | None = None) -> str:
    """The identity of a spaCy pipeline; raises CallError if it cannot be had or does not serve."""
    model = bundled.model_path(model)
    model = files.canonical(model) if os.path.isdir(os.path.expanduser(model)) else model
    folder = os.path.isdir(model)
    folder_path = Path(os.path.realpath(model)) if folder else _package_folder(model)
    if folder_path is None:
        return _load_and_identify(model)
    packages = ("spacy",) if folder else ("spacy", model)
    return (cache or ModelCache()).get_or_compute(
        f"parser {folder_path}",
        lambda: file_signature(model_files(folder_path), *packages),
        lambda: _load_and_identify(model),
    )


def _load_and_identify(model: str) -> str:
    from transforms.phrases.parser import load_parser  # with spaCy, which takes seconds

    try:
        nlp = load_parser(model)
    except OSError as error:
        hint = "" if "/" in model else f"; get it with: python -m spacy download {model}"
        hint = bundled.did_you_mean(model) or hint
        problem = "is no spaCy pipeline" if os.path.isdir(model) else "no such spaCy pipeline"
        raise CallError(f"phrases.model: {model}: {problem}{hint}") from error
    except Exception as error:  # a folder that is no pipeline fails in as many ways as it has files
        raise CallError(f"phrases.model: {model}: {first_line(error).removeprefix('phrases.model: ')}") from error
    if nlp.path is None:
        return f"name:{model}"
    return f"folder:{folder_hash(Path(nlp.path))}"


def _package_folder(name: str) -> Path | None:
    """The folder of an installed package, which is not imported for that; None if there is any doubt about it."""
    try:
        spec = importlib.util.find_spec(name) if name.isidentifier() else None
    except (ImportError, ValueError):
        return None
    locations = list(spec.submodule_search_locations or ()) if spec and spec.has_location else []
    return Path(os.path.realpath(locations[0])) if len(locations) == 1 and os.path.isdir(locations[0]) else None


def _detector_identity(settings: DetectorSettings, cache: ModelCache) -> str:
    if is_factory(settings.model):
        return _factory_identity(settings.model)
    settings = settings.model_copy(update={"model": bundled.model_path(settings.model)})
    folder = Path(settings.model).expanduser()
    looks_like_folder = settings.model.startswith((".", "/", "~")) or settings.model.count("/") != 1
    if looks_like_folder and not folder.is_dir():
        raise CallError(f"detector.model: {settings.model}: no such folder{bundled.did_you_mean(settings.model)}")
    if not folder.is_dir() and not _snapshot(settings):
        settings = settings.model_copy(update={"revision": _resolve_commit(settings)})
    folder_path = folder if folder.is_dir() else _snapshot(settings)

    def compute() -> str:
        _check_family(settings)
        return f"folder:{folder_hash(folder)}" if folder.is_dir() else f"hub:{settings.model}@{settings.revision}"

    if folder_path is None:
        return compute()
    folder_path = Path(os.path.realpath(folder_path))
    return cache.get_or_compute(
        f"detector {folder_path}", lambda: file_signature(model_files(folder_path), "torch", "transformers"), compute
    )


def _factory_identity(model: str) -> str:
    try:
        factory = find_factory(model, [os.getcwd()])
    except ValueError as error:
        raise CallError(str(error)) from error
    return f"factory:{model}@{getattr(factory, 'revision', '')}{_source_hash(factory)}"


def _source_hash(factory: object) -> str:
    """A hash of the file that a factory stands in; nothing for one without a file."""
    try:
        path = inspect.getsourcefile(inspect.unwrap(factory))  # type: ignore[arg-type]
        return f"+{hashlib.blake2b(Path(path or '').read_bytes(), digest_size=8).hexdigest()}"
    except (OSError, TypeError):
        return ""


def _check_family(settings: DetectorSettings) -> None:
    if importlib.util.find_spec("torch") is None:
        raise CallError("detector.model: torch is not installed")
    from transforms.detectors.grounding_dino.model import check_family

    try:
        check_family(settings)
    except ValueError as error:
        text = first_line(error)
        raise CallError(
            text if text.startswith("detector.model") else f"detector.model: {settings.model}: {text}"
        ) from error
    except OSError as error:
        model = settings.model
        hint = (
            "" if Path(model).expanduser().is_dir() else f"; get it with: {_download_command(model, settings.revision)}"
        )
        raise CallError(f"detector.model: {model}: {first_line(error)}{hint}") from error


def _snapshot(settings: DetectorSettings) -> Path | None:
    """Where the local cache has the very commit that the revision names: of that no hub need be asked."""
    if not re.fullmatch("[0-9a-f]{40}", settings.revision or ""):
        return None
    from huggingface_hub import constants

    repository = Path(constants.HF_HUB_CACHE) / f"models--{settings.model.replace('/', '--')}"
    folder = repository / "snapshots" / str(settings.revision)
    return folder if (folder / "config.json").exists() else None  # a download may have broken off


def _resolve_commit(settings: DetectorSettings) -> str:
    """The commit that the revision means: asked of the hub, else of the local cache."""
    from huggingface_hub import HfApi, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    requested = settings.revision or "main"
    try:
        return str(HfApi().model_info(settings.model, revision=requested, timeout=30).sha)
    except Exception as error:
        reason = first_line(error)
    try:
        for repo in scan_cache_dir().repos:
            for revision in repo.revisions:
                if repo.repo_id == settings.model and (requested in revision.refs or revision.commit_hash == requested):
                    return str(revision.commit_hash)
    except CacheNotFound:
        pass
    raise CallError(
        f"detector.model: {settings.model}: not on this machine and the hub does not give it ({reason}); "
        f"get it with: {_download_command(settings.model, settings.revision)}"
    )


def _download_command(model: str, revision: str | None) -> str:
    return f"hf download {model}" + (f" --revision {revision}" if revision else "")


def folder_hash(folder: Path) -> str:
    """BLAKE2b-128 over the names and bytes of a model folder's files.

    Left out is what says nothing of the model: byte code, hidden files, texts for people, our own sidecar.
    """
    hasher = hashlib.blake2b(digest_size=16)
    for path in model_files(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, hashlib.blake2b).hexdigest()
        hasher.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return hasher.hexdigest()


def model_files(folder: Path) -> Iterator[Path]:
    """The files of a model folder that make it what it is, sorted."""
    yield from sorted(path for path in folder.rglob("*") if path.is_file() and _is_content(path.relative_to(folder)))


def _is_content(path: Path) -> bool:
    hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return not (hidden or path.suffix == ".md" or path.name == SIDECAR)
