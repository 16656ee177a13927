"""A child process for work that may crash the process that does it.

The process reads calls from its standard input and writes the answers to its standard output. multiprocessing would
import the user's main module again; this process imports only what it must call.
"""

import fcntl
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from transforms.culprits import RemoteTraceback, message_of

_PIPE_BYTES = 1 << 20
"""Of the pipe to the child. With the default of Linux (64 KiB), two processes take turns several times per image."""

_POLL_SECONDS = 1.0
"""How long a process may miss that its parent has ended, where the pipe does not tell it. With 0.05, a process that
waits takes 0.09 % of a core."""

_HOME = str(Path(__file__).parents[2])

_PROGRAM = """
import sys
sys.path[:0] = [sys.argv[1]]
import transforms, pipeline
sys.path[:] = sys.argv[3:]
from transforms.isolation.child_process import main
main()
"""
"""Modules and their versions are those of the parent, also if a script changed its `sys.path`. gritmill's own packages
are imported first, because a pipeline.py beside a script must not hide one; and nothing else from their folder, because
it may have packages that are named like modules of Python. The command of a child has the full name of this module:
`pgrep -f` finds it."""


class ChildDied(Exception):
    """The process ended without an answer. The message contains the signal or the exit status."""


class ChildProcess:
    """A child process that starts at the first call, and again at the first call after it has ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._parent = 0

    @property
    def alive(self) -> bool:
        """Whether it was started and no call has found that it has ended."""
        return self._process is not None

    def call(self, function: Callable[..., Any], *arguments: Any, notes: Callable[[Any], None] | None = None) -> Any:
        """Calls the function in the child process and returns its result.

        The function must be importable. Its arguments and its result must be picklable. notes: called with each value
        that the function passes to `note`, while it runs.

        Raises:
          ChildDied: the process has ended.
          Exception: any exception that the function raises. Its cause is a `RemoteTraceback`.
        """
        if self._process is None:
            self._process, self._parent = _start(), os.getpid()
        process = self._process
        try:
            kind, answer, cause = self._exchange(process, (function, arguments))
            while kind == _NOTE:
                if notes:
                    notes(answer)
                kind, answer, cause = self._exchange(process)
        except ChildDied:
            raise
        except BaseException:  # the next call must not get the answer to this one
            self.close()
            raise
        if kind == _ERROR:
            raise answer from cause
        return answer

    def _exchange(self, process: "subprocess.Popen[bytes]", message: Any = None) -> tuple[int, Any, Any]:
        """Sends a message, if one is given, and returns the next one of the child."""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if message is not None:
                pickle.dump(message, process.stdin)
                process.stdin.flush()
            received: tuple[int, Any, Any] = pickle.load(process.stdout)
            return received
        except (OSError, EOFError, pickle.UnpicklingError):
            raise ChildDied(self._reap()) from None

    def kill(self) -> None:
        """Kills the process, if it runs. A call in another thread then raises ChildDied."""
        if (process := self._process) and self._parent == os.getpid():
            process.kill()

    def close(self) -> None:
        """Kills the process, if it runs. No call may be going on in another thread. Does nothing in a process that was
        forked from this one: the child is not its own, and it may hold locks of threads that it does not have."""
        if self._process and self._parent == os.getpid():
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
    how = "-I" if sys.flags.isolated else "-P"
    command = [sys.executable, how, "-c", _PROGRAM, _HOME, str(os.getpid()), *sys.path]
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    try:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=null)
    except OSError as error:
        limits = "close other programs, or raise the limits (ulimit -n and -u; of a container: pids)"
        line = f"cannot start another process: {error.strerror}; {limits}"
        raise OSError(error.errno, line) from error
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # a user may have a limited number of large pipes
            fcntl.fcntl(process.stdin, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)  # type: ignore[arg-type]
    return process


_RESULT, _ERROR, _NOTE = range(3)
"""The kinds of messages to the parent."""

_answers: BinaryIO | None = None


def note(value: Any) -> None:
    """In the child: sends a value to the parent before the function that is called returns. Elsewhere, does nothing."""
    if _answers:
        _send(pickle.dumps((_NOTE, value, None)))


def main() -> None:
    """Answers calls until the parent closes the pipe, or ends."""
    global _answers
    for interrupt in (signal.SIGINT, signal.SIGTERM):  # the whole process group gets the signal; the parent handles it
        signal.signal(interrupt, signal.SIG_IGN)
    calls = sys.stdin.buffer
    _answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output that a library prints must not mix with the answers
    threading.Thread(target=_end_with, args=(int(sys.argv[2]),), daemon=True, name="parent").start()
    with suppress(EOFError, BrokenPipeError):
        while True:
            function, arguments = pickle.load(calls)
            _send(_result(function, arguments))


def _end_with(parent: int) -> None:
    """Ends this process when the parent has ended: the main thread reads the pipe only after the function has returned.

    Not by PR_SET_PDEATHSIG, which comes when the thread that started this process ends.
    """
    pipe = select.poll()
    pipe.register(0, 0)  # Linux tells that all have closed the other end; a fork of the parent may still have it
    while os.getppid() == parent and not pipe.poll(1000 * _POLL_SECONDS):
        pass
    os._exit(1)


def _result(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    try:
        return pickle.dumps((_RESULT, function(*arguments), None))
    except Exception as error:
        return _pack_error(error)


def _send(message: bytes) -> None:
    assert _answers
    _answers.write(message)
    _answers.flush()


def _pack_error(error: Exception) -> bytes:
    """The pickled exception, or a RuntimeError with the same message if it cannot be pickled; and its traceback."""
    cause = RemoteTraceback.of(error)
    try:
        packed = pickle.dumps((_ERROR, error, cause))
        pickle.loads(packed)
        return packed
    except Exception:
        return pickle.dumps((_ERROR, RuntimeError(message_of(error)), cause))
