"""Command line of the programs that make `models/scene-grounder`: `python -m training.scene_grounder --help`."""

import ctypes
import os
import sys

# Threads that wait must not spin on their core. This must be set before OpenMP is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")


def _keep_memory() -> None:
    """Keeps freed memory: else glibc returns large blocks after each step and gets zeroed ones, 25 % of the time."""
    if sys.platform == "linux":
        trim, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
        libc = ctypes.CDLL(None)
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim, 2**31 - 1)


_keep_memory()  # also in the worker processes, which import this module under another name

if __name__ == "__main__":
    from training.scene_grounder.cli import app

    app()
