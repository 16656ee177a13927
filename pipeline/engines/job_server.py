"""The process between the driver and Beam's job server: it ends the job server when the driver ends, also by a kill.

Beam starts the job server as a plain child, which would outlive a killed driver. This program imports nothing slow.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

_POLL_SECONDS = 0.3
_END_SECONDS = 3.0  # Beam kills what has not ended five seconds after SIGINT


def below_driver(command: Sequence[object]) -> list[str]:
    """The command that runs a command below this program."""
    return [sys.executable, "-P", "-m", "pipeline.engines.job_server", str(os.getpid()), *map(str, command)]


def main(arguments: Sequence[str]) -> int:
    """Runs a command until it ends, the driver ends, or SIGINT or SIGTERM arrives. Returns its exit status.

    arguments: the process id of the driver, which is the parent of this process; the command.
    """
    driver, command = int(arguments[0]), list(arguments[1:])
    # A terminal that closes, and a kill of the driver's group, must not end this process before the server.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if os.getpgrp() != os.getpid():  # else it leads a group of its own already
        os.setsid()
    told = []  # not an exception, which a second signal could raise in the middle of the end
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.append(True))
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while server.poll() is None and os.getppid() == driver and not told:
        time.sleep(_POLL_SECONDS)
    server.terminate()
    try:
        server.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    return server.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
