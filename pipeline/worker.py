"""The process of a local worker (`multi_processing`): Beam's own, but silent.

Beam's worker writes a dozen lines to standard error at its start and its end. What goes wrong in it reaches the driver
through the control channel in any case, and there becomes one line.
"""

import logging
import os
import sys


def main() -> None:
    """Runs the worker until the driver ends it."""
    if not os.environ.get("GRITMILL_DEBUG"):
        logging.disable(logging.CRITICAL)
    from apache_beam.runners.worker import sdk_worker_main  # importing it already warns of what is not installed

    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
