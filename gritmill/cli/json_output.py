"""`--json`: standard output is exactly one JSON object, the result or the error. Everything else that is printed to it
goes to standard error, if it is not a part of the result.

This module must import fast: `main` needs it before anything else.
"""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO

OPTION = "--json"


class _Output:
    """The object that is printed once, and where."""

    def __init__(self, stream: TextIO, descriptor: int | None) -> None:
        self._stream = stream
        self._descriptor = descriptor
        self._printed = False
        self.values: dict[str, Any] = {}

    def print(self, **more: Any) -> None:
        if self._printed:
            return
        self._printed = True
        line = json.dumps(self.values | more, default=str) + "\n"
        if self._descriptor is None:
            self._stream.write(line)
            self._stream.flush()
        else:
            with open(os.dup(self._descriptor), "w", encoding="utf-8") as file:
                file.write(line)


_active: list[_Output] = []


def is_wanted(words: list[str]) -> bool:
    """Whether a call asks for JSON: also one whose options are wrong. The help is for people."""
    return OPTION in words and "--help" not in words


@contextmanager
def only_json(wanted: bool) -> Iterator[None]:
    """In the block, nothing reaches standard output but what `print_object` prints. Does nothing if not `wanted`."""
    if not wanted or sys.stdout is None:  # None: it was closed before the start
        yield
        return
    stream = sys.stdout
    stream.flush()
    with _descriptor_diverted() as descriptor:
        _active.append(_Output(stream, descriptor))
        try:
            with redirect_stdout(io.StringIO()):  # what the commands print for people is in the object
                yield
        finally:
            _active.pop()


@contextmanager
def _descriptor_diverted() -> Iterator[int | None]:
    """Points file descriptor 1 to standard error, for libraries in C and child processes too.

    Yields a copy of the original; None if `sys.stdout` does not use it, as in a notebook, or if it is closed.
    """
    try:
        copy = os.dup(1)
    except OSError:
        yield None
        return
    try:
        os.dup2(2, 1)
        yield copy if _uses_descriptor(sys.stdout) else None
    finally:
        os.dup2(copy, 1)
        os.close(copy)


def _uses_descriptor(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 1
    except (OSError, ValueError):  # it has none, or is closed
        return False


def diverted(call: Callable[[], Any]) -> Callable[[], Any]:
    """The call, such that what it prints (a detector of the user may print) goes to standard error with `--json`."""
    if not _active:
        return call

    def to_stderr() -> Any:
        with redirect_stdout(sys.stderr):
            return call()

    return to_stderr


def add(**values: Any) -> None:
    """Adds keys to the object. Does nothing without `--json`."""
    for output in _active:
        output.values.update(values)


def print_object(status: int, error: str = "") -> None:
    """Prints the object, once per call. Does nothing without `--json`."""
    for output in _active:
        output.print(**({"error": error} if error else {}), status=status)
