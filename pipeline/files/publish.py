"""Files appear whole or not at all: the one way in which gritmill writes anything that lasts."""

import io
import json
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from pipeline import files
from pipeline.layout import LOCK, TEMPORARY

_WRITEBACK_BYTES = 32 << 20  # bytes
_RENAME_SCHEME = "hdfs://"

Guard = Callable[[], bool]
"""Asked right before a file becomes visible: whether it still may."""


def always() -> bool:
    """The guard that never forbids."""
    return True


class Forbidden(Exception):
    """The guard has said no: nothing was published."""


@contextmanager
def publish(uri: str, guard: Guard = always) -> Iterator[BinaryIO]:
    """A file to write to, which appears under `uri` once the block has ended without an exception.

    guard: asked once the file is complete, right before it becomes visible.

    Local disk and HDFS: a temporary name in the same folder, then a rename. Object stores publish a file when it is
    closed, even by an exception (Beam's UploaderStream completes the upload), so there the bytes are spooled to the
    local disk and uploaded once they are complete.

    Raises:
      Forbidden: the guard has said no.
    """
    if files.is_local(uri):
        with _by_rename(uri, guard) as file:
            yield file
        return
    from pipeline.files import remote  # with Beam, as in `files`

    with tempfile.TemporaryFile() as spool:
        yield spool
        spool.seek(0)
        _ask(guard, uri)
        target = files.join(files.parent(uri), _temporary(uri)) if uri.startswith(_RENAME_SCHEME) else uri
        remote.upload(spool, target)
    if target != uri:
        remote.delete(uri)
        remote.rename([target], [uri])


def publish_bytes(uri: str, data: bytes, guard: Guard = always) -> bool:
    """Publishes `data` under `uri`. Returns False, and leaves nothing, if the guard says no."""
    with suppress(Forbidden), publish(uri, guard) as file:
        file.write(data)
        return True
    return False


def publish_json(uri: str, value: Any, guard: Guard = always) -> bool:
    """Publishes a JSON value, sorted keys, two blanks of indentation: equal values give equal bytes."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return publish_bytes(uri, text.encode(), guard)


def delete_unfinished(folder: str) -> None:
    """Removes what dead runs have left unfinished below a local folder. The caller holds the folder's lock."""
    if files.is_local(folder):
        for path, folders, names in os.walk(folder):
            # A run of its own may be at work in a folder inside this one.
            folders[:] = [inner for inner in folders if not os.path.exists(os.path.join(path, inner, LOCK))]
            for name in names:
                if name.startswith(TEMPORARY):
                    os.remove(os.path.join(path, name))
    elif folder.startswith(_RENAME_SCHEME):
        files.delete(info.uri for info in files.list_folder(folder, "**") if TEMPORARY in files.name(info.uri))


class _EarlyWriteback(io.FileIO):
    """A local file whose bytes are on their way to the disk while further ones are made: left to the end, the disk's
    work would be waited for (a shard of 800 MB: half a second at least)."""

    _sent = _written = 0

    def write(self, data: Any) -> int:
        """As FileIO's."""
        written = super().write(data)
        self._written += written
        if self._written - self._sent >= _WRITEBACK_BYTES and hasattr(os, "posix_fadvise"):
            # Linux starts to write what is still dirty, without waiting, and keeps what it has not yet written.
            with suppress(OSError):  # a file system that takes no advice
                os.posix_fadvise(self.fileno(), self._sent, self._written - self._sent, os.POSIX_FADV_DONTNEED)
            self._sent = self._written
        return written


def _ask(guard: Guard, uri: str) -> None:
    if not guard():
        raise Forbidden(uri)


def _temporary(uri: str) -> str:
    return f"{TEMPORARY}{uuid.uuid4().hex[:12]}-{files.name(uri)}"


@contextmanager
def _by_rename(path: str, guard: Guard) -> Iterator[BinaryIO]:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = os.path.join(os.path.dirname(path), _temporary(path))
    try:
        with io.BufferedWriter(_EarlyWriteback(temporary, "wb")) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _ask(guard, path)
        os.replace(temporary, path)
    except BaseException as error:
        if os.path.exists(temporary):
            os.remove(temporary)
        if isinstance(error, OSError) and error.errno and not error.filename:  # a full disk does not say which
            raise OSError(error.errno, error.strerror, path) from error
        raise
