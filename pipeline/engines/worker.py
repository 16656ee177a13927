"""The process of a local worker (`multi_processing`): Beam's own worker, without its output.

Beam's worker writes a dozen lines to standard error when it starts and ends. Its errors reach the driver through the
control channel anyway, and the driver reports them in one line.
"""

import logging
import os
import signal
import sys

from transforms.garbage import importing, own_process

PIDS = "GRITMILL_WORKER_PIDS"
"""Environment variable: the folder in which a worker creates an empty file. Its name is the worker's process id."""


def main() -> None:
    """Runs the worker until the driver ends it. Ignores SIGINT and SIGTERM: all processes of a group receive them, and
    the driver handles them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.environ.get(PIDS):
        with open(os.path.join(os.environ[PIDS], str(os.getpid())), "w", encoding="ascii"):
            pass
    if not os.environ.get("GRITMILL_DEBUG"):
        logging.disable(logging.CRITICAL)
        # gRPC aborts with its own message when the driver has ended.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # standard error, which may be closed
    own_process()
    with importing():
        from apache_beam.runners.worker import sdk_worker_main  # it warns of packages that are not installed
    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
