"""Local worker processes (`multi_processing`): how they are started, and that a dead one ends the run.

Beam's own driver waits for ever for a worker that was killed, by the system for want of memory, say.
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
    """How Beam is to start a worker.

    Beam would run its own module by "python -m", which puts the current folder, and in it perhaps somebody's own
    transforms.py, before everything installed; -P keeps it out.
    """
    command = f"exec {shlex.quote(sys.executable)} -P -m pipeline.engines.worker"
    return SubprocessSDKEnvironment.from_command_string(command)


def run_watched(run: Callable[[], None]) -> None:
    """Runs `run` in a thread and watches the workers meanwhile; whatever ends it early also ends them.

    Raises:
      WorkerDied: a worker died. Anything that `run` raises.
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
                    raise WorkerDied(f"a worker process died: {worker_errors[0]}; the same command goes on")
        except BaseException:
            _kill(pids)
            raise
        finally:
            threading.excepthook = previous_hook
            del os.environ[PIDS]
    if raised:
        raise raised[0]


def _kill(pids: str) -> None:
    for name in os.listdir(pids):
        with suppress(ProcessLookupError):
            os.kill(int(name), signal.SIGKILL)
