"""The model cache: results of model checks. They are valid until a file of the model changes.

The cache is a hidden file in the detections folder. Nothing depends on it: if it is missing or cannot be read, models
are checked again.
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

_RECENT = 2_000_000_000  # nanoseconds; the coarsest clock of a file system misses a second change within this time


@dataclass(frozen=True)
class _CacheFile:
    """known: for each check, its signature and its result."""

    REMEDY: ClassVar[str] = "remove it"

    known: dict[str, tuple[str, str]]
    format: Literal[1]


class ModelCache:
    """The cache of a run. folder: its detections folder. If None, nothing is cached."""

    def __init__(self, folder: str | None = None) -> None:
        self._uri = None if folder is None else files.join(folder, MODEL_CACHE)
        self._stored: dict[str, tuple[str, str]] = {}
        with suppress(Exception):  # the file does not exist or has another format
            self._stored = read_typed(self._uri, _CacheFile).known if self._uri else {}
        self._used: dict[str, tuple[str, str]] = {}

    def get_or_compute(self, key: str, signature: Callable[[], str], compute: Callable[[], str]) -> str:
        """Returns the cached value of `key` if its signature is unchanged, else `compute()`. Does not catch its errors.

        signature: returns a text that changes with everything that the value depends on. If this is unknown, the text
          is empty, and nothing is cached.
        """
        current = signature()
        if current and (entry := self._stored.get(key)) and entry[0] == current:
            self._used[key] = entry
            return entry[1]
        value = compute()
        if current and signature() == current:  # else a file changed in the meantime
            self._used[key] = (current, value)
        return value

    def save(self) -> None:
        """Writes the entries that were used, if they differ from those in the file."""
        if self._uri and self._used:
            with suppress(Exception):  # a run must not fail because of its cache
                if self._used != self._stored or not files.exists(self._uri):
                    publish_typed(self._uri, _CacheFile(self._used, 1))


def file_signature(paths: Iterable[Path], *packages: str) -> str:
    """A text that changes with the name, inode, size and times of any file, and with the version of any package.

    Empty if a package or a file is missing. Also empty if a file changed in the last two seconds, because another
    change could leave the same time.
    """
    recent = time.time_ns() - _RECENT
    stamps = []
    try:
        for path in paths:
            with path.open("rb") as file:  # opening refreshes the status on a network file system
                status = os.fstat(file.fileno())
            if max(status.st_mtime_ns, status.st_ctime_ns) > recent:
                return ""
            stamps.append((str(path), status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        return json_digest([stamps, [version(package) for package in packages]])
    except (OSError, PackageNotFoundError):
        return ""
