"""SIGTERM on the command line: it interrupts as Ctrl-C does, and ends the process in any case.

Schedulers send SIGTERM before they take a machine back. Python raises KeyboardInterrupt wherever the main thread is;
there, a destructor, a callback of a C library or a broad `except` may swallow it, and a thread may go on working.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

GRACE_SECONDS = 8.0
"""After this time, the process ends without cleaning up. The next run copes with that, as after a kill."""

STATUS_KILLED = 128 + signal.SIGTERM

_received = threading.Event()


@contextmanager
def terminable() -> Iterator[None]:
    """Handles SIGTERM in the block. After it, SIGTERM ends the process at once: nothing is left to clean up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _received.clear()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def received() -> bool:
    """Whether SIGTERM has arrived."""
    return _received.is_set()


def raise_again(arguments: Any) -> None:
    """A `sys.unraisablehook` that prints nothing. It repeats an interrupt that a destructor or a callback swallowed."""
    if arguments.exc_type is KeyboardInterrupt:
        _repeat(signal.SIGTERM if received() else signal.SIGINT)


def _interrupt(_: int, frame: FrameType | None) -> None:
    if not _received.is_set():
        _received.set()
        threading.Thread(target=_end_later, daemon=True, name="end-after-sigterm").start()
    if _is_importing(frame):
        _repeat(signal.SIGTERM)
        return
    raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported: C++ code of torch aborts, or reports another error, if it is interrupted."""
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def _repeat(number: int) -> None:
    """Sends a signal to the main thread a moment later. It also ends a system call in which the thread waits."""
    again = threading.Timer(0.1, signal.pthread_kill, [threading.main_thread().ident, number])
    again.daemon = True
    again.start()


def _end_later() -> None:
    time.sleep(GRACE_SECONDS)
    with suppress(
        Exception
    ):  # not through the buffer, which the main thread may have locked; PYTHONUNBUFFERED has none
        getattr(sys.stderr.buffer, "raw", sys.stderr.buffer).write(b"gritmill: interrupted\n")
    os._exit(STATUS_KILLED)
