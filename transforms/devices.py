"""The device and the CPU cores that this process uses."""

import fcntl
import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

_OF_GPU_DRIVERS = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/nvmap", "/dev/dxg", "/dev/kfd")
"""Files of NVIDIA's driver, of that for Jetson, of Windows' one in WSL, and of AMD's."""

_LIBCUDA = "libcuda.so.1"
"""Where it can be loaded, CUDA may work: it makes missing device files."""


def available_cores() -> int:
    """The number of CPU cores that this process may use: of a container, rounded up, as many as its limit allows."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(cores, _container_cores())))


def cores_of_a_slot() -> int:
    """The cores of this host divided by the worker processes that called `take_slot`, at least 1."""
    return max(1, available_cores() // max(1, _count_locked("slots")))


@cache
def take_slot() -> None:
    """Counts this process, until it ends, as a worker on this host. Workers of other users, and those in containers
    with a temporary folder of their own, do not see it."""
    _take_lock("slots", lambda turn: (str(turn),))


@cache
def _container_cores() -> float:
    """The limit of the control group of this process, in cores. Infinity without a limit, and on other systems."""
    limits = [math.inf]
    with suppress(OSError, ValueError):
        text = _read("/sys/fs/cgroup/cpu.max")  # version 2: "max 100000", or "150000 100000"
        quota, period = text.split()
        limits.append(math.inf if quota == "max" else int(quota) / int(period))
    with suppress(OSError, ValueError):
        quota, period = (_read(f"/sys/fs/cgroup/cpu/cpu.cfs_{name}_us") for name in ("quota", "period"))  # version 1
        limits.append(int(quota) / int(period) if int(quota) > 0 else math.inf)
    return min(limits)


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def pick_device(requested: str) -> str:
    """The device for this process. "auto" picks the least used GPU, else MPS, else the CPU."""
    if requested != "auto":
        return requested
    if picks_cpu(requested):
        return "cpu"
    import torch

    return f"cuda:{_least_used(torch.cuda.device_count())}" if torch.cuda.is_available() else "mps"


def picks_cpu(requested: str) -> bool:
    """Whether `pick_device` would return the CPU. It takes no GPU."""
    if requested != "auto":
        return requested == "cpu"
    import torch

    return not (torch.cuda.is_available() or torch.backends.mps.is_available())


def lacks_gpu() -> bool:
    """Whether torch would surely find no GPU here. False: not known. Imports no torch, which takes 1.3 s.

    Not for choosing a device, only for refusing early: no part of a driver for CUDA or ROCm may be there.
    """
    folders = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    libraries = (os.path.join(folder, _LIBCUDA) for folder in folders)
    if sys.platform != "linux" or any(map(os.path.exists, (*_OF_GPU_DRIVERS, *libraries))):
        return False
    with suppress(OSError):
        return _LIBCUDA.encode() not in Path("/etc/ld.so.cache").read_bytes()
    return False


def has_bfloat16() -> bool:
    """Whether the CPU has instructions for products of matrices in bfloat16. Without them, they are emulated.

    The kernel lists them only if programs may use them. torch 2.6 has no public function for this.
    """
    with suppress(OSError, ValueError):
        flags = next((line for line in _read("/proc/cpuinfo").splitlines() if line.startswith("flags")), "").split()
        return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags)
    return False


_held: list[int] = []


def _least_used(devices: int) -> int:
    """Takes the GPU that the fewest processes of this user on this host use; 0 if there are 1,024 on each."""
    name = _take_lock("gpus", lambda turn: (f"{device}-{turn}" for device in range(devices)))
    return int(name.partition("-")[0]) if name else 0


def _take_lock(kind: str, names: Callable[[int], Iterable[str]]) -> str:
    """Locks the first file that no process of this user has locked, and returns its name; "" if 1,024 turns have none.

    names: of the files of each turn. The operating system releases the lock when the process ends.
    """
    for turn in range(1024):
        for name in names(turn):
            lock = _try_lock(os.path.join(_lock_folder(kind), name))
            if lock is not None:
                _held.append(lock)
                return name
    return ""


def _count_locked(kind: str) -> int:
    """How many files of a kind are locked."""
    locked = 0
    for name in os.listdir(_lock_folder(kind)):
        lock = _try_lock(os.path.join(_lock_folder(kind), name))
        if lock is None:
            locked += 1
        else:
            os.close(lock)
    return locked


def _lock_folder(kind: str) -> str:
    folder = os.path.join(tempfile.gettempdir(), f"gritmill-{kind}-{os.getuid()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return folder


def _try_lock(path: str) -> int | None:
    """Locks a file and returns its descriptor. None if another one has locked it."""
    lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock
