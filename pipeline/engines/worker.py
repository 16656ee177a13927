"""The process of a local worker (`multi_processing`): Beam's own, but silent.

Beam's worker writes a dozen lines to standard error at its start and its end. What goes wrong in it reaches the driver
through the control channel in any case, and there becomes one line.
"""

import gc
import logging
import os
import signal
import sys

PIDS = "GRITMILL_WORKER_PIDS"
"""Environment variable: the folder in which a worker leaves an empty file with its process id for a name."""


def main() -> None:
    """Runs the worker until the driver ends it; an interrupt, which all processes of a group hear, is the driver's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.environ.get(PIDS):
        with open(os.path.join(os.environ[PIDS], str(os.getpid())), "w", encoding="ascii"):
            pass
    if not os.environ.get("GRITMILL_DEBUG"):
        logging.disable(logging.CRITICAL)
        # gRPC aborts with a message of its own when the driver has gone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    from apache_beam.runners.worker import sdk_worker_main  # importing it already warns of what is not installed

    gc.freeze()  # what is imported stays, and is no business of the cyclic collector
    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
