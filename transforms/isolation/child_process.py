"""A child process for work that may crash the process that does it.

`python -m transforms.isolation.child_process` reads calls from its standard input and writes the answers to its
standard output. multiprocessing would import the user's main module again; this process imports only what it must call.
"""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

from transforms.culprits import RemoteTraceback, message_of


class ChildDied(Exception):
    """The process ended without an answer. The message contains the signal or the exit status."""


class ChildProcess:
    """A child process that starts at the first call, and again at the first call after it has ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether it was started and no call has found that it has ended."""
        return self._process is not None

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls the function in the child process and returns its result.

        The function must be importable. Its arguments and its result must be picklable.

        Raises:
          ChildDied: the process has ended.
          Exception: any exception that the function raises. Its cause is a `RemoteTraceback`.
        """
        process = self._process = self._process or _start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump((function, arguments), process.stdin)
            process.stdin.flush()
            ok, answer, cause = pickle.load(process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            raise ChildDied(self._reap()) from None
        if not ok:
            raise answer from cause
        return answer

    def close(self) -> None:
        """Kills the process, if it runs."""
        if self._process:
            self._process.kill()
            self._reap()

    def _reap(self) -> str:
        process, self._process = self._process, None
        assert process is not None
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        status = process.wait()
        return f"killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _start() -> "subprocess.Popen[bytes]":
    # -P, as for workers: a transforms.py in the current folder must not replace gritmill's package.
    command = [sys.executable, "-P", "-m", "transforms.isolation.child_process"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def main() -> None:
    """Answers calls until the parent closes the pipe."""
    for interrupt in (signal.SIGINT, signal.SIGTERM):  # the whole process group gets the signal; the parent handles it
        signal.signal(interrupt, signal.SIG_IGN)
    calls, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output that a library prints must not mix with the answers
    with suppress(EOFError, BrokenPipeError):
        while True:
            function, arguments = pickle.load(calls)
            _answer(answers, function, arguments)


def _answer(answers: BinaryIO, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        packed = pickle.dumps((True, function(*arguments), None))
    except Exception as error:
        packed = _pack_error(error)
    answers.write(packed)
    answers.flush()


def _pack_error(error: Exception) -> bytes:
    """The pickled exception, or a RuntimeError with the same message if it cannot be pickled; and its traceback."""
    cause = RemoteTraceback.of(error)
    try:
        packed = pickle.dumps((False, error, cause))
        pickle.loads(packed)
        return packed
    except Exception:
        return pickle.dumps((False, RuntimeError(message_of(error)), cause))


if __name__ == "__main__":
    main()
