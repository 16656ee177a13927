"""What tells one model from another, and whether it can be had at all: asked before any input is looked at."""

import hashlib
import importlib.util
import inspect
import os
from pathlib import Path

from pipeline import files
from pipeline.configuration import Configuration
from pipeline.faults import CallError, first_line
from pipeline.fingerprint import digest
from pipeline.threshold import SIDECAR
from transforms import bundled
from transforms.detector import find_factory, is_factory
from transforms.extract_phrases import drop_heads, drop_lists, load_parser
from transforms.language import LanguageGate
from transforms.settings import DetectorSettings


def models(configuration: Configuration) -> dict[str, str]:
    """The identity of both models and of the drop lists, after checking that they can be had and are of the right kind.

    A folder or spaCy package counts with the hash of its files, a hub id with the commit that its revision means now, a
    factory with its name, its `revision` if it has one, and the hash of the file that it stands in.

    Raises:
      CallError: a model cannot be had or does not serve.
    """
    try:
        drop_heads(configuration.phrases.drop_lists)
        if configuration.phrases.languages:
            LanguageGate(configuration.phrases.languages)
    except ValueError as error:
        raise CallError(str(error)) from error
    return {
        "phrases": parser(configuration.phrases.model),
        "detector": _detector(configuration.detector),
        "drop_lists": digest(drop_lists()),
    }


def parser(model: str) -> str:
    """The identity of a spaCy pipeline; raises CallError if it cannot be had or does not serve."""
    model = bundled.model(model)
    model = files.canonical(model) if os.path.isdir(os.path.expanduser(model)) else model
    try:
        nlp = load_parser(model)
    except OSError as error:
        hint = "" if "/" in model else f"; get it with: python -m spacy download {model}"
        hint = bundled.hint(model) or hint
        what = "is no spaCy pipeline" if os.path.isdir(model) else "no such spaCy pipeline"
        raise CallError(f"phrases.model: {model}: {what}{hint}") from error
    except Exception as error:  # a folder that is no pipeline fails in as many ways as it has files
        raise CallError(f"phrases.model: {model}: {first_line(error).removeprefix('phrases.model: ')}") from error
    if nlp.path is None:
        return f"name:{model}"
    return f"folder:{folder_hash(Path(nlp.path))}"


def _detector(settings: DetectorSettings) -> str:
    if is_factory(settings.model):
        try:
            factory = find_factory(settings.model, [os.getcwd()])
        except ValueError as error:
            raise CallError(str(error)) from error
        return f"factory:{settings.model}@{getattr(factory, 'revision', '')}{_code(factory)}"
    settings = settings.model_copy(update={"model": bundled.model(settings.model)})
    folder = Path(settings.model).expanduser()
    looks_like_folder = settings.model.startswith((".", "/", "~")) or settings.model.count("/") != 1
    if looks_like_folder and not folder.is_dir():
        raise CallError(f"detector.model: {settings.model}: no such folder{bundled.hint(settings.model)}")
    if not folder.is_dir():
        revision = _commit(settings)
        settings = settings.model_copy(update={"revision": revision})
    _check_family(settings)
    return f"folder:{folder_hash(folder)}" if folder.is_dir() else f"hub:{settings.model}@{settings.revision}"


def _code(factory: object) -> str:
    """A hash of the file that a factory stands in; nothing for one without a file."""
    try:
        path = inspect.getsourcefile(inspect.unwrap(factory))  # type: ignore[arg-type]
        return f"+{hashlib.blake2b(Path(path or '').read_bytes(), digest_size=8).hexdigest()}"
    except (OSError, TypeError):
        return ""


def _check_family(settings: DetectorSettings) -> None:
    if importlib.util.find_spec("torch") is None:
        raise CallError("detector.model: torch is not installed")
    from transforms.grounding_dino import check_family

    try:
        check_family(settings)
    except ValueError as error:
        text = first_line(error)
        raise CallError(
            text if text.startswith("detector.model") else f"detector.model: {settings.model}: {text}"
        ) from error
    except OSError as error:
        raise CallError(f"detector.model: {settings.model}: {first_line(error)}") from error


def _commit(settings: DetectorSettings) -> str:
    """The commit that the revision means: asked of the hub, else of the local cache."""
    from huggingface_hub import HfApi, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    wanted = settings.revision or "main"
    try:
        return str(HfApi().model_info(settings.model, revision=wanted, timeout=30).sha)
    except Exception as error:
        reason = first_line(error)
    try:
        for repo in scan_cache_dir().repos:
            for revision in repo.revisions:
                if repo.repo_id == settings.model and (wanted in revision.refs or revision.commit_hash == wanted):
                    return str(revision.commit_hash)
    except CacheNotFound:
        pass
    raise CallError(
        f"detector.model: {settings.model}: not on this machine and the hub does not give it ({reason}); "
        f"get it with: hf download {settings.model}" + (f" --revision {wanted}" if settings.revision else "")
    )


def folder_hash(folder: Path) -> str:
    """BLAKE2b-128 over the names and bytes of a model folder's files.

    Left out is what says nothing of the model: byte code, hidden files, texts for people, our own sidecar.
    """
    whole = hashlib.blake2b(digest_size=16)
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and _counts(p.relative_to(folder))):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, hashlib.blake2b).hexdigest()
        whole.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return whole.hexdigest()


def _counts(path: Path) -> bool:
    hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return not (hidden or path.suffix == ".md" or path.name == SIDECAR)
