"""Locks an output folder, so that only one run at a time uses it."""

import fcntl
import os
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pipeline import files
from pipeline.faults import CallError, EnvironmentFault
from pipeline.files.guards import guarded
from pipeline.files.holder import is_gone
from pipeline.files.lease import leases
from pipeline.files.publish import delete_unfinished
from pipeline.files.typed import publish_typed, read_typed
from pipeline.layout import HEARTBEAT, LOCK, TEMPORARY

_BEAT_SECONDS = 30.0
_STALE_SECONDS = 4 * _BEAT_SECONDS
_POLL_SECONDS = 0.5
_SETTLE_SECONDS = 2.0  # if two runs start together, the one that writes last gets the folder

_NETWORK_KINDS = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "afs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs")
)
"""File systems that other machines can mount, too, besides those in user space ("fuse.sshfs")."""


@dataclass(frozen=True)
class Heartbeat:
    """The content of the heartbeat. run: a random id. time: seconds since 1970."""

    REMEDY: ClassVar[str] = "remove it if no other run is using the folder"

    run: str
    time: float


@contextmanager
def hold(
    folder: str, patience: float | None = None, check: Callable[[], object] = lambda: None, sweep: bool = True
) -> Iterator[None]:
    """Locks the folder for the duration of the block. Removes files that killed runs left unfinished in it, if `sweep`.

    On a local disk, the system releases the lock when the process ends. On other file systems, also those that are
    mounted from another machine (NFS), a lock counts as released if its heartbeat is two minutes old.

    Args:
      patience: seconds to wait for the run that uses the folder. A heartbeat that stands still is waited for until it
        is two minutes old. None: wait for nothing.
      check: called with the lock, before anything is removed.

    Raises:
      CallError: another run uses the folder.
      EnvironmentFault: another run has taken over the folder in the meantime.
    """
    files.check_extra(folder)
    if folder.startswith("memory:"):
        raise CallError(f"--output: {folder}: files in memory are gone when the command ends; use another folder")
    if re.search("[\ud800-\udfff]", folder):  # Beam passes the name to its workers as UTF-8
        raise CallError(f"--output: {folder}: the name is not UTF-8; use another folder")
    with ExitStack() as locks:
        if files.is_local(folder):
            locks.enter_context(_flock(folder, patience or 0.0))
        if not is_on_local_disk(folder):
            locks.enter_context(_heartbeat(folder, patience))
        check()
        if sweep:
            delete_unfinished(folder)
        yield


@contextmanager
def _flock(folder: str, patience: float) -> Iterator[None]:
    files.need_place(folder)
    new = [path for path in (folder, *map(str, Path(folder).parents)) if not os.path.isdir(path)]  # innermost first
    path = os.path.join(folder, LOCK)
    try:
        os.makedirs(folder, exist_ok=True)
        descriptor = _acquire(path, time.monotonic() + patience)
    except OSError as error:
        no_place = isinstance(error, FileNotFoundError | NotADirectoryError)  # as in /proc, or below a file
        fault = CallError if no_place else EnvironmentFault
        raise fault(f"--output: {folder}: {error.strerror}; name a folder that can be made and written") from error
    try:
        yield
    finally:
        # A run that was refused must not leave an empty folder behind.
        if new and os.listdir(folder) == [LOCK]:
            os.remove(path)
            for created in new:
                os.rmdir(created)
        os.close(descriptor)


def _acquire(path: str, until: float) -> int:
    """Locks the file and returns its descriptor. until: how long to wait for it, of the monotonic clock."""
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.exists(path) and os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(descriptor)
                raise CallError(_in_use(os.path.dirname(path))) from None
            time.sleep(_POLL_SECONDS)
        os.close(descriptor)  # else the previous run has just removed the file


def user_of(folder: str) -> str:
    """The command that uses a folder, as far as its lease or, on Linux, the lock says so; "" if it is not known.

    A command that was killed on another machine may still be named.
    """
    with suppress(EnvironmentFault, OSError):
        for lease in reversed(leases(folder).values()):
            if lease.run and not is_gone(lease.driver):
                return f"{lease.call} (process {lease.driver.pid})"
    with suppress(OSError), open("/proc/locks", encoding="ascii") as lines:
        status = os.stat(os.path.join(folder, LOCK))
        place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        for fields in map(str.split, lines):  # number, FLOCK, ADVISORY, WRITE, process, place, from, to
            if fields[1] == "FLOCK" and fields[5] == place:
                return f"process {fields[4]} on this machine"
    return ""


def _in_use(folder: str) -> str:
    user = user_of(folder)
    cure = "wait until it has finished, or end it (Ctrl-C, kill), then run the same command"
    return f"--output: {folder}: another run is using this folder{user and f': {user}'}; {cure}"


@contextmanager
def _heartbeat(folder: str, patience: float | None) -> Iterator[None]:
    uri = files.join(folder, HEARTBEAT)
    run_id = uuid.uuid4().hex
    while not (first := _appears(uri, Heartbeat(run_id, time.time()))):
        with suppress(FileNotFoundError):  # the other run has just ended
            _check_old(uri, folder) if patience is None else _wait_until_old(uri, folder, patience)
            break
    ended = threading.Event()
    lost = threading.Event()

    def beat() -> None:
        while not ended.wait(_BEAT_SECONDS):
            with suppress(Exception):  # if a beat fails, the next one replaces it
                if read_typed(uri, Heartbeat).run != run_id:
                    lost.set()
                    return
                publish_typed(uri, Heartbeat(run_id, time.time()))

    if not first:
        publish_typed(uri, Heartbeat(run_id, time.time()))
    if not first or _can_be_overwritten(folder):
        time.sleep(_SETTLE_SECONDS)
        if read_typed(uri, Heartbeat).run != run_id:
            raise CallError(f"--output: {folder}: another run started in this folder at the same time")
    taken_over = f"{folder}: another run has taken over this folder; check the result of that run"
    thread = threading.Thread(target=beat, daemon=True, name="heartbeat")
    thread.start()
    failed = True
    try:
        with guarded(folder, lambda: not lost.is_set()):
            yield
        failed = False
    except Exception as error:
        if lost.is_set():  # what came of it does not matter, such as that guards forbade to write
            raise EnvironmentFault(taken_over) from error
        raise
    finally:
        ended.set()
        thread.join()
        if not lost.is_set():
            # If the store does not answer any more, what ended the run is worth more than this.
            with suppress(Exception) if failed else nullcontext():
                files.delete([uri])
    if lost.is_set():
        raise EnvironmentFault(taken_over)


def _can_be_overwritten(folder: str) -> bool:
    """Whether a run that starts at the same time may replace the first heartbeat without noticing it."""
    if not files.is_store(folder):
        return False
    from pipeline.files import remote  # imports fsspec

    return not remote.has_create_only_puts(folder)


def _check_old(uri: str, folder: str) -> None:
    """Raises CallError if a heartbeat is not old enough to be that of a run that was killed."""
    age = time.time() - read_typed(uri, Heartbeat).time
    if age < _STALE_SECONDS:
        wait = f"if that run was killed, wait {_STALE_SECONDS - age:.0f} seconds"
        raise CallError(f"--output: {folder}: another run used this folder {age:.0f} seconds ago; {wait}")


def _wait_until_old(uri: str, folder: str, patience: float) -> None:
    """Waits until a heartbeat is old enough. Raises CallError if it still changes after `patience` seconds."""
    started = since = time.monotonic()
    first = read_typed(uri, Heartbeat)
    while time.monotonic() - since < _STALE_SECONDS:
        with suppress(CallError):
            _check_old(uri, folder)
            return
        time.sleep(_POLL_SECONDS)
        if (now := read_typed(uri, Heartbeat)) != first:
            first, since = now, time.monotonic()
            if since - started > patience:
                raise CallError(_in_use(folder))


def _appears(uri: str, heartbeat: Heartbeat) -> bool:
    """Whether there was no heartbeat, and now it is this one."""
    try:
        publish_typed(uri, heartbeat, create=True)
    except FileExistsError:
        with suppress(FileNotFoundError):
            return read_typed(uri, Heartbeat).run == heartbeat.run  # clients repeat requests
        return False
    return True


def is_on_local_disk(folder: str) -> bool:
    """Whether a folder is on a disk of this machine: only there, `flock` keeps all other runs out. A folder that does
    not exist yet is where its parent is."""
    if not files.is_local(folder):
        return False
    mounts = _mounts()
    path = Path(os.path.realpath(folder))
    kind = next((mounts[str(place)] for place in (path, *path.parents) if str(place) in mounts), "")
    return kind not in _NETWORK_KINDS and not kind.startswith("fuse.")


def _mounts() -> dict[str, str]:
    """The kind of file system by the folder where it is mounted. Only Linux tells it; elsewhere, there are none."""
    mounts = {}
    with suppress(OSError), open("/proc/self/mountinfo", "rb") as lines:  # names have any bytes but those in octal
        for line in lines:
            before, _, after = line.partition(b" - ")
            folder = re.sub(rb"\\(\d{3})", lambda code: bytes([int(code[1], 8)]), before.split(b" ")[4])
            mounts[os.fsdecode(folder)] = os.fsdecode(after.split()[0])
    return mounts


@contextmanager
def reading(folder: str) -> Iterator[None]:
    """Keeps other commands from replacing the files of a folder, for the duration of the block.

    folder: a run folder, for its shards, or its `detections/`. Where folders cannot be locked, as on an object store,
    nothing is locked.

    Raises:
      CallError: a command is replacing files there now.
    """
    with _lock_folder(folder, fcntl.LOCK_SH, "another command is replacing files there"):
        yield


@contextmanager
def replacing(folder: str) -> Iterator[None]:
    """The counterpart of `reading`, for commands that remove or replace rows or shards.

    Raises:
      CallError: a command reads them now.
    """
    with _lock_folder(folder, fcntl.LOCK_EX, "another command is reading this run"):
        yield


@contextmanager
def _lock_folder(folder: str, kind: int, obstacle: str) -> Iterator[None]:
    """Locks a local folder that exists. The folder stays the same while the files in it are replaced by new ones."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC) if files.is_local(folder) else None
    except OSError:
        descriptor = None
    if descriptor is None:
        yield
        return
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise CallError(f"{folder}: {obstacle}; wait until it has finished") from None
    except OSError:  # a file system without locks
        pass
    try:
        yield
    finally:
        os.close(descriptor)


def is_marked(folder: str, marker: str, content: str) -> bool:
    """Whether a folder contains the marker file of its content. False if it is empty, apart from files of the lock.

    Args:
      content: the command that writes such a folder, for the error message.

    Raises:
      CallError: the folder contains other files, but no marker, or is a file.
    """
    files.need_place(folder)
    if files.exists(files.join(folder, marker)):
        return True
    names = (files.name(info.uri) for info in files.list_folder(folder, "**"))
    # On an object store, a run that was killed may leave one file with a temporary name.
    if any(name not in (LOCK, HEARTBEAT) and not name.startswith(TEMPORARY) for name in names):
        raise CallError(f"--output: {folder} is not empty, and {content} did not write it; use another folder")
    return False
