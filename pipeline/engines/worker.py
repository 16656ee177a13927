"""The process of a local worker (`multi_processing`): Beam's own worker, without its output.

Beam's worker writes a dozen lines to standard error when it starts and ends. Its errors reach the driver through the
control channel anyway, and the driver reports them in one line.
"""

import gc
import logging
import os
import signal
import sys

PIDS = "GRITMILL_WORKER_PIDS"
"""Environment variable: the folder in which a worker creates an empty file. Its name is the worker's process id."""

COLLECT_AFTER = 30_000
"""New objects before Python looks for cyclic garbage, in the command and its workers. With its default of 700, that
takes 4 % of the time of `pack`, and 0.7 of the 8.5 s of `run --limit 1`, because imports create objects that stay. In
a worker that has not frozen them, it takes 19 % of the time of `pack`. With 10,000, it looks at the records of each
chunk of `pack` while they live, which takes 0.01 ms per pair."""


def collect_rarely() -> None:
    """Sets `COLLECT_AFTER` in this process, unless it collects more rarely, or not at all."""
    young, *older = gc.get_threshold()
    gc.set_threshold(max(young, COLLECT_AFTER) if young else 0, *older)


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
    from apache_beam.runners.worker import sdk_worker_main  # the import warns of packages that are not installed

    gc.freeze()  # hides imported objects from the cyclic garbage collector
    collect_rarely()
    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
