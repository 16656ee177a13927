"""The standard streams of the command line. No reader that has gone, no closed stream and no C library disturbs a run.

Nothing slow is imported here.
"""

import errno
import io
import os
import sys
from typing import Any

_GONE = (errno.EPIPE, errno.EIO)
"""What a write reports if the reader of a pipe has ended, or the terminal was closed."""


class _Stream(io.FileIO):
    """A standard stream that drops its output if nobody can read it. Any other error, such as a full disk, is raised
    once; what is then left in the buffers is dropped.

    lossy: never raise an error. For standard error, which carries no result.
    """

    def __init__(self, descriptor: int, lossy: bool) -> None:
        super().__init__(descriptor, "wb")
        self._lossy = lossy

    def write(self, data: Any) -> int:
        """Writes as `FileIO.write` does."""
        try:
            return super().write(data)
        except OSError as error:
            if not self._lossy and error.errno not in _GONE:
                self._lossy = True
                error.filename = "standard output"
                raise
            return memoryview(data).nbytes


class _Text(io.TextIOWrapper):
    """What `protect` replaces a stream with."""


def protect(silence_libraries: bool) -> None:
    """Replaces `sys.stdout` and `sys.stderr`. Does nothing if another program, such as a test, has replaced them.

    A stream that is closed (`2>&-`, a daemon) becomes the null device: otherwise the next file that is opened would
    get its number, and what a library writes to the stream would end up in that file.

    `sys.__stdout__` and `sys.__stderr__` are replaced too: rich asks them for the width of the terminal.

    silence_libraries: what C libraries write past Python, such as libtiff's warnings, is dropped.
    """
    if sys.stdout is not sys.__stdout__ or sys.stderr is not sys.__stderr__ or isinstance(sys.stderr, _Text):
        return
    for descriptor in range(3):
        _open_if_closed(descriptor)
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.__stdout__ = _protected(sys.stdout, 1, silence_libraries)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _protected(sys.stderr, 2, silence_libraries)  # type: ignore[misc]


def flush() -> None:
    """Writes what is still in the buffers of the standard streams."""
    for stream in (sys.stdout, sys.stderr):
        if stream:  # None in a process without the stream that did not call `protect`
            stream.flush()


def _open_if_closed(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        _to_null(descriptor)


def _to_null(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, descriptor)
    if null == descriptor:
        os.set_inheritable(descriptor, True)  # as dup2 does: child processes have all three streams
    else:
        os.close(null)


def _protected(old: Any, descriptor: int, silence_libraries: bool) -> _Text:
    own = os.dup(descriptor)  # not inherited by child processes
    if silence_libraries:
        _to_null(descriptor)
    raw = _Stream(own, lossy=descriptor == 2)
    return _Text(
        io.BufferedWriter(raw),
        encoding=getattr(old, "encoding", "utf-8"),
        errors="backslashreplace",  # a character that the terminal cannot show must not end a run
        line_buffering=descriptor == 2 or raw.isatty(),
        write_through=getattr(old, "write_through", False),
    )
