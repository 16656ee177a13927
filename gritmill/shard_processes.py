"""How many processes work on the shards of a run, a shard each."""

from collections.abc import Iterable, Sequence

from pipeline import files
from pipeline.faults import CallError, EnvironmentFault
from pipeline.layout import MANIFEST
from transforms.devices import available_cores

_MOST = 256


def count_processes(given: int | None, samples: Sequence[int], per_process: int, folders: Iterable[str]) -> int:
    """The number of processes, at least 1; 1 means this process.

    given: as the user asked for; None: one per core, but at most one per `per_process` samples, and only this process
    if other processes may not see the same files, as in `memory://` or a store with settings made in Python. samples:
    of each shard. folders: URIs of what they read and write.

    Raises:
      CallError: `given` is less than 1, or more than 256.
    """
    if given is not None and not 1 <= given <= _MOST:
        raise CallError(f"--processes: {given}: it must be between 1 and {_MOST}")
    if given is None:
        given = min(available_cores(), sum(samples) // per_process) if all(map(_is_shared, folders)) else 1
    return max(1, min(given, len(samples)))


def unseen_run(folder: str) -> EnvironmentFault:
    """The fault of a process that does not see the run of the process that started it."""
    return EnvironmentFault(f"{folder}: another process finds no {MANIFEST} there; use --processes 1")


def _is_shared(folder: str) -> bool:
    """Whether other processes surely see the same files there."""
    if not files.is_store(folder):
        return files.is_local(folder)
    from pipeline.files import remote  # imports fsspec

    return not remote.is_configured_in_code()
