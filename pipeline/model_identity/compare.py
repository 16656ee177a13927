"""Whether the models of this machine are those of a plan. Loads no model: a worker asks before each job.

A model of gigabytes is hashed once on each machine: all workers of a machine start at once, and again at each restart.
"""

import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pipeline.configuration import Configuration
from pipeline.fingerprint import json_digest
from pipeline.model_identity.cache import ModelCache, file_signature
from pipeline.model_identity.identify import folder_hash, model_files, package_folder
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
            if f"{_FOLDER}{_known_hash(folder)}" != expected:
                return f"{key}.model: {name} ({folder}): not the model of the plan"
    for name in ("drop_lists", "drop_in_context", "measures"):
        if name in planned and json_digest(read_lists(name)) != planned[name]:
            return f"phrases.{name}: the word lists are not those of the plan"
    return ""


def _known_hash(folder: Path) -> str:
    """The hash of a model folder. If its files are those of an earlier call on this machine, they are not read."""
    with _cache_folder(folder) as cached:
        cache = ModelCache(cached)
        digest = cache.get_or_compute(
            str(folder), lambda: file_signature(model_files(folder)), lambda: folder_hash(folder)
        )
        cache.save()
        return digest


@contextmanager
def _cache_folder(model: Path) -> Iterator[str | None]:
    """The folder of the cache for a model, which one process at a time uses; None if it is not this user's alone.

    It is temporary, because machines may share a home.
    """
    user = Path(tempfile.gettempdir()) / f"gritmill-models-{os.getuid()}"
    folder = user / hashlib.blake2b(str(model).encode(), digest_size=16).hexdigest()
    with ExitStack() as stack:
        cached = None
        with suppress(OSError):
            user.mkdir(mode=0o700, exist_ok=True)
            status = user.lstat()
            if stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o077 and status.st_uid == os.getuid():
                folder.mkdir(exist_ok=True)
                fcntl.flock(stack.enter_context((folder / "lock").open("wb")), fcntl.LOCK_EX)
                cached = str(folder)
        yield cached


def _content_folder(model: str) -> Path | None:
    """The folder with the files of a model. A spaCy package has it inside: `NAME/NAME-VERSION`."""
    path = Path(os.path.realpath(Path(bundled.model_path(model)).expanduser()))
    if path.is_dir():
        return path
    package = package_folder(model)
    inside = [config.parent for config in package.glob("*/config.cfg")] if package else []
    return inside[0] if len(inside) == 1 else None
