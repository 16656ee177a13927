"""The device and the CPU cores that this process uses."""

import fcntl
import os
import tempfile


def available_cores() -> int:
    """The number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pick_device(requested: str) -> str:
    """The device for this process. "auto" picks the least used GPU, else MPS, else the CPU."""
    if requested != "auto":
        return requested
    import torch

    if torch.cuda.is_available():
        return f"cuda:{_least_used(torch.cuda.device_count())}"
    return "mps" if torch.backends.mps.is_available() else "cpu"


_held: list[int] = []


def _least_used(devices: int) -> int:
    """Takes the GPU that the fewest processes of this user on this host use; 0 if there are 1,024 on each.

    A file lock marks the use. The operating system releases it when the process ends.
    """
    folder = os.path.join(tempfile.gettempdir(), f"gritmill-gpus-{os.getuid()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for turn in range(1024):
        for device in range(devices):
            lock = os.open(os.path.join(folder, f"{device}-{turn}"), os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(lock)
                continue
            _held.append(lock)
            return device
    return 0
