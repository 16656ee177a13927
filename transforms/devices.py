"""Which device the models of this process run on, and how many cores it has."""

import fcntl
import os
import tempfile


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pick_device(requested: str) -> str:
    """The device for this process; "auto" takes a GPU where there is one, and spreads processes over several."""
    if requested != "auto":
        return requested
    import torch

    if torch.cuda.is_available():
        return f"cuda:{_least_used(torch.cuda.device_count())}"
    return "mps" if torch.backends.mps.is_available() else "cpu"


_held: list[int] = []


def _least_used(devices: int) -> int:
    """The GPU that the fewest processes of this user on this host hold; released by the system when a process dies."""
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
