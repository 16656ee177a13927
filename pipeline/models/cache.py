"""What an earlier call found out about a model, remembered for as long as no file of the model has been touched.

It lies beside the detections, in a hidden file that nothing depends on: without it, or where it cannot be read, things
are found out again.
"""

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.files.publish import publish_json
from pipeline.fingerprint import json_digest

MODEL_CACHE_NAME = ".gritmill.models.json"

_FORMAT = 1
_RECENT = 2_000_000_000  # nanoseconds: the coarsest clock of a file system shows no second change within them


class ModelCache:
    """The memory of a run. folder: that of its detections; None: nothing is remembered."""

    def __init__(self, folder: str | None = None) -> None:
        self._uri = None if folder is None else files.join(folder, MODEL_CACHE_NAME)
        self._stored = _read(self._uri) if self._uri else {}
        self._used: dict[str, list[str]] = {}

    def get_or_compute(self, key: str, signature: Callable[[], str], compute: Callable[[], str]) -> str:
        """What is known of `what` while its mark is the same; if nothing is, `find_out()`, whose errors pass.

        mark: of all that the answer depends on; empty where that cannot be told, which is never taken for known.
        """
        current = signature()
        if current and (entry := self._stored.get(key)) and entry[0] == current:
            self._used[key] = entry
            return entry[1]
        answer = compute()
        if current and signature() == current:  # else it has been changed meanwhile
            self._used[key] = [current, answer]
        return answer

    def save(self) -> None:
        """Writes down what this call has asked for, if that is news."""
        if self._uri and self._used:
            with suppress(Exception):  # no run fails for the lack of it
                if self._used != self._stored or not files.exists(self._uri):
                    publish_json(self._uri, {"format": _FORMAT, "known": self._used})


def _read(uri: str) -> dict[str, list[str]]:
    """What was written down; nothing if it is not there, or not ours."""
    with suppress(Exception):
        value = files.read_json(uri) if files.exists(uri) else {}
        entries: Any = value["known"] if value.get("format") == _FORMAT else {}
        return {
            key: entry
            for key, entry in entries.items()
            if isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry)
        }
    return {}


def file_signature(paths: Iterable[Path], *packages: str) -> str:
    """A mark that changes with the name, size and times of any of the files, and with the version of any package.

    Empty if a package or a file is not to be had, or if a file has changed just now: it may change again, and show the
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
