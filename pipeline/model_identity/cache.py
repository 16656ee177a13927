"""The model cache: results of model checks, valid as long as no file of the model has changed.

It is a hidden file beside the detections that nothing depends on: where it is missing or cannot be read, models are
checked again.
"""

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ClassVar, Literal

from pipeline import files
from pipeline.files.typed import publish_typed, read_typed
from pipeline.fingerprint import json_digest
from pipeline.layout import MODEL_CACHE

_RECENT = 2_000_000_000  # nanoseconds: the coarsest clock of a file system shows no second change within them


@dataclass(frozen=True)
class _CacheFile:
    """known: by what was checked, its signature and what was found."""

    REMEDY: ClassVar[str] = "remove it"

    known: dict[str, tuple[str, str]]
    format: Literal[1]


class ModelCache:
    """The cache of a run. folder: that of its detections; None: nothing is cached."""

    def __init__(self, folder: str | None = None) -> None:
        self._uri = None if folder is None else files.join(folder, MODEL_CACHE)
        self._stored: dict[str, tuple[str, str]] = {}
        with suppress(Exception):  # there is no such file, or it is of another format
            self._stored = read_typed(self._uri, _CacheFile).known if self._uri else {}
        self._used: dict[str, tuple[str, str]] = {}

    def get_or_compute(self, key: str, signature: Callable[[], str], compute: Callable[[], str]) -> str:
        """The cached value under `key` if its signature is still the same, else `compute()`, whose errors pass.

        signature: of all that the value depends on; empty where that cannot be known, and then nothing is cached.
        """
        current = signature()
        if current and (entry := self._stored.get(key)) and entry[0] == current:
            self._used[key] = entry
            return entry[1]
        value = compute()
        if current and signature() == current:  # else it has been changed meanwhile
            self._used[key] = (current, value)
        return value

    def save(self) -> None:
        """Writes the entries that this call has used, if they differ from those in the file."""
        if self._uri and self._used:
            with suppress(Exception):  # no run fails for the lack of it
                if self._used != self._stored or not files.exists(self._uri):
                    publish_typed(self._uri, _CacheFile(self._used, 1))


def file_signature(paths: Iterable[Path], *packages: str) -> str:
    """A text that changes with the name, size and times of any of the files, and with the version of any package.

    Empty if a package or a file is missing, or if a file has changed just now: it may change again, and show the
    same time.
    """
    recent = time.time_ns() - _RECENT
    stamps = []
    try:
        for path in paths:
            with path.open("rb") as file:  # a network file system looks anew at a file that is opened
                status = os.fstat(file.fileno())
            if max(status.st_mtime_ns, status.st_ctime_ns) > recent:
                return ""
            stamps.append((str(path), status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        return json_digest([stamps, [version(package) for package in packages]])
    except (OSError, PackageNotFoundError):
        return ""
