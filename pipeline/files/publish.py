"""Atomic writes: a file appears complete or not at all. gritmill writes all permanent files in this way."""

import io
import json
import os
import resource
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, BinaryIO

from pipeline import files
from pipeline.files.guards import Forbidden, Guard, always, ask, changing
from pipeline.layout import LOCK, TEMPORARY, WORK_LIST

Leave = Callable[[str, str], bool]
"""Whether a folder is left out: the folder around it, and its name."""

_WRITEBACK_BYTES = 32 << 20

_SYNCED_AT_ONCE = 64
"""Files that `synced_together` keeps open."""

_SPARE_DESCRIPTORS = 32
"""What it leaves of those that this process may have: macOS gives it 256, of which a caller may need many."""


@contextmanager
def publish(uri: str, guard: Guard = always, create: bool = False) -> Iterator[BinaryIO]:
    """Opens a file for writing. It appears under `uri` when the block ends without an exception.

    A local file is written under a temporary name in the same folder, then renamed. Other files are first spooled to
    the local disk and uploaded when they are complete, because object stores publish a file when it is closed, even by
    an exception. On HDFS, the uploaded file is renamed, too.

    Args:
      guard: called when the file is complete, right before it becomes visible, beside those of the folders around it.
      create: the file appears only if there is none: of several writers, the first one wins.

    Raises:
      Forbidden: a guard returned False.
      FileExistsError: there is a file, with `create`. Its content can be ours: clients repeat requests.
    """
    if files.is_local(uri):
        with _by_rename(uri, guard, create) as file:
            yield file
        return
    from pipeline.files import remote

    with tempfile.TemporaryFile() as spool:
        yield spool
        temporary = files.join(files.parent(uri), _temporary(uri))
        with changing():
            remote.upload(spool, uri, temporary, lambda: ask(uri, guard), create)


def publish_bytes(uri: str, data: bytes, guard: Guard = always, create: bool = False) -> bool:
    """Publishes `data` as `publish` does. If the guard returns False, writes nothing and returns False."""
    with suppress(Forbidden), publish(uri, guard, create) as file:
        file.write(data)
        return True
    return False


def publish_json(uri: str, value: Any, guard: Guard = always) -> bool:
    """Publishes a JSON value with sorted keys and an indentation of 2, so that equal values give equal bytes."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    # A path may have bytes that are not UTF-8; the escapes of their surrogates are those of JSON.
    return publish_bytes(uri, text.encode(errors="backslashreplace"), guard)


@contextmanager
def synced_together() -> Iterator[None]:
    """In the block, local files that this thread publishes are synced in groups; all of them are when the block ends.

    A group shares a commit of the journal: 0.2 ms for each file of 170 KB on ext4, not 0.4. Each file appears complete
    as before, but only after the block does it surely survive a power failure. So what says that the files are there
    must be published after the block.
    """
    unsynced = _Unsynced()
    token = _UNSYNCED.set(unsynced)
    try:
        yield
        unsynced.sync()
    finally:
        _UNSYNCED.reset(token)
        unsynced.close()


def delete_unfinished(folder: str, leave: Leave = lambda *_: False) -> None:
    """Removes files that killed runs left unfinished below a folder. The caller must hold the lock of the folder.

    leave: local folders that are not looked into. A run has two for each source.
    """
    if files.is_local(folder):
        folders = [folder]  # `os.walk` takes three times as long
        while folders:
            place = folders.pop()
            try:
                with os.scandir(place) as found:
                    entries = list(found)
            except OSError:  # it is gone, or belongs to someone else
                continue
            if place != folder and LOCK in [entry.name for entry in entries]:
                continue  # it may belong to a run that is active
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if not leave(place, entry.name):
                        folders.append(entry.path)
                elif entry.name.startswith((TEMPORARY, WORK_LIST)) and not entry.is_dir():
                    _remove_unfinished(entry.path)
    elif not files.is_store(folder):
        files.delete(info.uri for info in files.list_folder(folder, "**") if TEMPORARY in files.name(info.uri))


def delete_if_unfinished(uri: str) -> None:
    """Removes a file of a source as `delete_unfinished` does on the folder of its table, if it is local and one of
    those: the folder behind a link may be that of another run."""
    if files.is_local(uri) and files.name(uri).startswith(TEMPORARY):
        folder = files.parent(uri)
        if not (os.path.islink(folder) or os.path.islink(files.parent(folder))):
            _remove_unfinished(uri)


def _remove_unfinished(path: str) -> None:
    with suppress(FileNotFoundError):  # its writer lives, and has just removed it
        os.remove(path)


class _EarlyWriteback(io.FileIO):
    """A local file that sends its bytes to the disk while more are written. Otherwise `fsync` waits for all of them at
    the end (for a shard of 800 MB, at least half a second)."""

    _sent = _written = 0

    def write(self, data: Any) -> int:
        """Writes as `FileIO.write` does, and starts the writeback after every 32 MiB."""
        written = super().write(data)
        self._written += written
        if self._written - self._sent >= _WRITEBACK_BYTES:
            self.send()
        return written

    def send(self) -> None:
        """Starts the writeback of what was written, without waiting for it."""
        if hasattr(os, "posix_fadvise"):
            # Linux starts to write dirty pages without waiting, and keeps the pages that are not written yet.
            with suppress(OSError):  # the file system does not support it
                os.posix_fadvise(self.fileno(), self._sent, self._written - self._sent, os.POSIX_FADV_DONTNEED)
            self._sent = self._written


class _Unsynced:
    """Files that are not synced yet, by descriptor. They stay open: a file that is opened again may not tell that an
    earlier write failed."""

    def __init__(self) -> None:
        self._paths: dict[int, str] = {}
        self._last = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _SPARE_DESCRIPTORS

    def add(self, file: _EarlyWriteback, path: str) -> None:
        """Syncs the file together with others. path: where it appears."""
        file.send()  # all at the same time, so that the first sync waits for most of them
        descriptor = os.dup(file.fileno())  # the lowest number that is free
        self._paths[descriptor] = path
        if len(self._paths) >= _SYNCED_AT_ONCE or descriptor >= self._last:
            self.sync()

    def sync(self) -> None:
        """Syncs all files. Removes one that cannot be synced, and raises OSError with its name."""
        for descriptor, path in self._paths.items():
            try:
                os.fsync(descriptor)
            except OSError as error:
                with suppress(OSError):
                    os.remove(path)
                raise OSError(error.errno, error.strerror, path) from error
        self.close()

    def close(self) -> None:
        while self._paths:
            os.close(self._paths.popitem()[0])


_UNSYNCED: ContextVar[_Unsynced | None] = ContextVar("unsynced", default=None)


def _temporary(uri: str) -> str:
    return f"{TEMPORARY}{uuid.uuid4().hex[:12]}-{files.name(uri)}"


@contextmanager
def _by_rename(path: str, guard: Guard, create: bool) -> Iterator[BinaryIO]:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = os.path.join(os.path.dirname(path), _temporary(path))
    try:
        with _EarlyWriteback(temporary, "wb") as raw, io.BufferedWriter(raw) as file:
            yield file
            file.flush()
            if unsynced := _UNSYNCED.get():
                unsynced.add(raw, path)
            else:
                os.fsync(file.fileno())
        with changing():
            ask(path, guard)
            if not (create and _linked(temporary, path)):
                os.replace(temporary, path)
    except BaseException as error:
        if os.path.exists(temporary):
            os.remove(temporary)
        if isinstance(error, OSError) and error.errno and not error.filename:  # a full disk does not name the file
            raise OSError(error.errno, error.strerror, path) from error
        raise


def _linked(temporary: str, path: str) -> bool:
    """Gives a file its name if no file has it. False on a file system without links, which say so in several ways.

    Raises:
      FileExistsError: a file has it.
    """
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError as error:
        if os.path.exists(path):
            raise FileExistsError(path) from error
        return False
    os.remove(temporary)
    return True
