"""Local worker processes (`multi_processing`): starts them, and ends the run if one of them dies.

Beam's own driver waits forever for a worker that was killed, for example because the system is out of memory.
"""

import os
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress

from apache_beam.transforms.environments import SubprocessSDKEnvironment

from pipeline.engines.worker import PIDS
from pipeline.faults import WorkerDied

_WORKER_THREAD = "run_worker"  # Beam's name for the thread that waits for one of its worker processes
_POLL_SECONDS = 0.2


def environment() -> SubprocessSDKEnvironment:
    """The command with which Beam starts a worker.

    By default, Beam runs its own module with "python -m". This puts the current folder first in the module search path,
    so that a user's file such as transforms.py could hide an installed package. -P prevents this.
    """
    command = f"exec {shlex.quote(sys.executable)} -P -m pipeline.engines.worker"
    return SubprocessSDKEnvironment.from_command_string(command)


def run_watched(run: Callable[[], None]) -> None:
    """Runs `run` in a thread and watches the workers. If an exception ends the call early, the workers are killed.

    Raises:
      WorkerDied: a worker died. In addition, all exceptions that `run` raises.
    """
    worker_errors: list[str] = []
    raised: list[BaseException] = []
    previous_hook = threading.excepthook

    def hook(arguments: threading.ExceptHookArgs) -> None:
        if arguments.thread is not None and arguments.thread.name.startswith(_WORKER_THREAD):
            worker_errors.append(str(arguments.exc_value))
        else:
            previous_hook(arguments)

    def target() -> None:
        try:
            run()
        except BaseException as error:
            raised.append(error)

    with tempfile.TemporaryDirectory(prefix="gritmill-workers-") as pids:
        os.environ[PIDS] = pids
        threading.excepthook = hook
        thread = threading.Thread(target=target, daemon=True, name="pipeline")
        try:
            thread.start()
            while thread.is_alive():
                thread.join(_POLL_SECONDS)
                if worker_errors and thread.is_alive():
                    ended = _kill(pids)
                    raise WorkerDied(
                        f"a worker process died: {worker_errors[0]}; run the same command to resume", ended
                    )
        except BaseException:
            _kill(pids)
            raise
        finally:
            threading.excepthook = previous_hook
            del os.environ[PIDS]
    if raised:
        raise raised[0]


def _kill(pids: str) -> list[int]:
    """Kills the workers that run, and returns their process ids. Beam has waited for one that had died."""
    killed = []
    for pid in map(int, os.listdir(pids)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
    return killed
