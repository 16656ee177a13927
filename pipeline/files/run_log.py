"""run.log of a run folder: what each call did, one line per event, for people. No failure of the log fails a run.

A line is a UTC time, an event and a text. The file is the only one that gritmill appends to. When it would exceed
`MAX_BYTES`, it becomes run.log.1, which replaces the one before: together they take at most twice as much. While one of
the two is a file of the user, no log is written.
"""

import os
import re
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.metadata import version

from pipeline import files, layout
from pipeline.faults import RunFault, escaped, first_line
from pipeline.files.publish import publish_bytes

MAX_BYTES = 4 << 20
MAX_LINE = 8 << 10
"""Bytes of a line. A shell may turn a pattern into a hundred thousand arguments."""

PUBLISH_SECONDS = 60.0
"""On an object store, which cannot append, the file is written again at most this often, and at the end."""

_OURS = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [a-z]|\Z")
"""The start of a file that gritmill wrote. It may be empty."""

_SECRET = re.compile(
    r"((?:[\w.-]+=)*?[\w.-]*(?:password|secret|token|credential|access_key|connection_string)[\w.-]*)(=.*)?",
    re.IGNORECASE | re.DOTALL,
)
"""An option, or a key of `--set`, whose value is a secret; and the value, if it is in the same word."""

_USER = re.compile(r"(://)[^\s/?#]*@")
_QUERY = re.compile(r"(://[^\s?]*\?)[^\s=]*=\S*")
"""What follows the question mark of a URI, such as a signature. In a pattern, a question mark has no such rest."""


@dataclass(frozen=True)
class Caller:
    """How the command line called a function: its words, and the name of the configuration."""

    words: tuple[str, ...] = ()
    configuration: str = ""


_PYTHON = Caller()

caller: ContextVar[Caller] = ContextVar("caller", default=_PYTHON)
"""Set by the command line. A call from Python has no words."""


class RunLog:
    """The log of one call. Lines are kept until `open`: a call that is refused must not write into an empty folder.

    clock: Unix time. All methods may be called from any thread, and none of them raises an exception.
    """

    def __init__(self, folder: str, clock: Callable[[], float] = time.time) -> None:
        self._uri = files.join(folder, layout.RUN_LOG)
        self._old_uri = files.join(folder, layout.OLD_RUN_LOG)
        self._local = files.is_local(folder)
        self._clock = clock
        self._lock = threading.Lock()
        self._is_open = False
        self._pending = b""
        self._stored: bytes | None = None
        self._published = clock()

    def note(self, event: str, text: str) -> None:
        """Adds a line."""
        with self._lock, suppress(Exception):
            self._pending = (self._pending + _line(self._clock(), event, text))[-MAX_BYTES:]
            self._write()

    def open(self) -> None:
        """Writes the lines so far, and later lines at once (on an object store, at intervals)."""
        with self._lock, suppress(Exception):
            self._is_open = True
            self._write()

    def close(self) -> None:
        """Writes the remaining lines. If `open` was not called, only if the folder has a log already."""
        with self._lock, suppress(Exception):
            if self._is_open or files.exists(self._uri):
                self._is_open = True
                self._published = 0.0
                self._write()

    def _write(self) -> None:
        is_due = self._local or self._clock() - self._published >= PUBLISH_SECONDS
        if not (self._is_open and self._pending and is_due):
            return
        self._published = self._clock()
        if not (_is_ours(self._uri) and _is_ours(self._old_uri)):
            return
        if self._local:
            _append(self._uri, self._old_uri, self._pending)
        else:
            self._publish()
        self._pending = b""

    def _publish(self) -> None:
        if self._stored is None:  # read late: a run that is refused reads nothing
            self._stored = files.read_bytes(self._uri) if files.exists(self._uri) else b""
        if self._stored and len(self._stored) + len(self._pending) > MAX_BYTES:
            publish_bytes(self._old_uri, self._stored)
            self._stored = b""
        publish_bytes(self._uri, self._stored + self._pending)
        self._stored += self._pending


@contextmanager
def record(folder: str, function: str, configuration: str) -> Iterator[RunLog]:
    """Records the start of a call, and the exception that ends it. The caller must hold the lock of the folder."""
    log = RunLog(folder)
    log.note("start", f"gritmill {version('gritmill')}: {_call(function)}; configuration {configuration}")
    try:
        yield log
    except BaseException as error:
        log.note("error", _reason(error))
        raise
    finally:
        log.close()


def _call(function: str) -> str:
    words = caller.get().words
    return shlex.join(["gritmill", *_without_secrets(words)]) if words else f"gritmill.{function} from Python"


def _without_secrets(words: Sequence[str]) -> Iterator[str]:
    """The words of a command line. Values of secrets, users and queries of URIs are replaced by "..."."""
    is_secret = False
    for word in words:
        secret = None if is_secret else _SECRET.fullmatch(word)
        if is_secret:
            yield "..."
        else:
            yield f"{secret[1]}=..." if secret and secret[2] else _without_access(word)
        is_secret = bool(secret and not secret[2] and word.startswith("--"))


def _without_access(text: str) -> str:
    """A text whose URIs have neither user nor query."""
    return _QUERY.sub(r"\1...", _USER.sub(r"\1...@", text))


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return str(error) if isinstance(error, RunFault) else f"{type(error).__name__}: {first_line(error)}"


def _line(now: float, event: str, text: str) -> bytes:
    line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(now))} {event} {escaped(_without_access(text))}".encode()
    if len(line) >= MAX_LINE:
        line = line[: MAX_LINE - 5].decode(errors="ignore").encode() + b" ..."
    return line + b"\n"


def has_lines(folder: str) -> bool:
    """Whether a run folder has a log with a line of gritmill."""
    uri = files.join(folder, layout.RUN_LOG)
    return files.exists(uri) and bool(files.read_bytes(uri)) and _is_ours(uri)


def _is_ours(uri: str) -> bool:
    if not files.exists(uri):
        return True
    with files.open_read(uri) as file:
        return bool(_OURS.match(file.read(32)))


def _append(path: str, old: str, lines: bytes) -> None:
    with suppress(FileNotFoundError):
        if os.path.getsize(path) + len(lines) > MAX_BYTES:
            os.replace(path, old)
    with open(path, "a+b") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # the disk was full, or the process was killed, in the middle of a line
                lines = b"\n" + lines
        file.write(lines)
