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
from pipeline.fingerprint import digest

NAME = ".gritmill.models.json"

_FORMAT = 1
_RECENT = 2_000_000_000  # nanoseconds: the coarsest clock of a file system shows no second change within them


class Memory:
    """The memory of a run. folder: that of its detections; None: nothing is remembered."""

    def __init__(self, folder: str | None = None) -> None:
        self._uri = None if folder is None else files.join(folder, NAME)
        self._before = _read(self._uri) if self._uri else {}
        self._now: dict[str, list[str]] = {}

    def recall(self, what: str, mark: Callable[[], str], find_out: Callable[[], str]) -> str:
        """What is known of `what` while its mark is the same; if nothing is, `find_out()`, whose errors pass.

        mark: of all that the answer depends on; empty where that cannot be told, which is never taken for known.
        """
        seen = mark()
        if seen and (known := self._before.get(what)) and known[0] == seen:
            self._now[what] = known
            return known[1]
        answer = find_out()
        if seen and mark() == seen:  # else it has been changed meanwhile
            self._now[what] = [seen, answer]
        return answer

    def keep(self) -> None:
        """Writes down what this call has asked for, if that is news."""
        if self._uri and self._now:
            with suppress(Exception):  # no run fails for the lack of it
                if self._now != self._before or not files.exists(self._uri):
                    publish_json(self._uri, {"format": _FORMAT, "known": self._now})


def _read(uri: str) -> dict[str, list[str]]:
    """What was written down; nothing if it is not there, or not ours."""
    with suppress(Exception):
        value = files.read_json(uri) if files.exists(uri) else {}
        known: Any = value["known"] if value.get("format") == _FORMAT else {}
        return {
            what: entry
            for what, entry in known.items()
            if isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry)
        }
    return {}


def mark_of(paths: Iterable[Path], *packages: str) -> str:
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
        return digest([stamps, [version(package) for package in packages]])
    except (OSError, PackageNotFoundError):
        return ""
