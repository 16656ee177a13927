"""Files by URI, on every file system that Beam knows. A plain path is a local file."""

import json
import os
import posixpath
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipeline.faults import CallError, first_line

_EXTRAS = {"gs": "gcp", "s3": "aws", "hdfs": "hdfs", "azfs": "azure"}


@dataclass(frozen=True)
class FileInfo:
    """A file: canonical URI, size in bytes, and a stamp that changes when the file does (modification time)."""

    uri: str
    size: int
    stamp: float


def is_local(uri: str) -> bool:
    """Whether the URI is a path of this host."""
    return "://" not in uri


def canonical(uri: str) -> str:
    """One spelling for one file: absolute for a local path, unchanged otherwise."""
    uri = uri.removeprefix("file://")
    return os.path.abspath(os.path.expanduser(uri)) if is_local(uri) else uri


def join(base: str, *parts: str) -> str:
    """`base/part/…`; base may be a URI."""
    return "/".join([base.rstrip("/"), *parts]) if base.strip("/") else posixpath.join(base, *parts)


def parent(uri: str) -> str:
    """The folder of a file."""
    return uri.rpartition("/")[0] or "/"


def name(uri: str) -> str:
    """The last part of a URI."""
    return uri.rpartition("/")[2]


def inside(root: str, path: str) -> str | None:
    """`path`, relative to `root` or absolute, as a URI below `root`; None if it leads out of it."""
    path = path.removeprefix("file://")
    scheme, _, base = root.rpartition("://")
    if not is_local(path):
        wanted, _, path = path.rpartition("://")
        if wanted != scheme:
            return None
        joined = posixpath.normpath(path)
    else:
        joined = posixpath.normpath(posixpath.join(base, path))
    base = posixpath.normpath(base)
    if joined != base and not joined.startswith(base.rstrip("/") + "/"):
        return None
    return f"{scheme}://{joined}" if scheme else joined


def match(pattern: str) -> list[FileInfo]:
    """The files that a URI or glob names, sorted; a URI that exists is taken as it is, whatever characters it holds.

    Raises:
      CallError: the file system is unknown or its extra is not installed.
    """
    pattern = canonical(pattern)
    if is_local(pattern) and os.path.isfile(pattern):
        status = os.stat(pattern)
        return [FileInfo(pattern, status.st_size, status.st_mtime)]
    try:
        found = FileSystems.match([pattern])[0].metadata_list
    except ValueError as error:
        raise CallError(f"--input: {pattern}: {_hint(pattern, error)}") from error
    except BeamIOError as error:
        if "does not exist" in str(error) or "not found" in str(error).lower():
            return []
        raise
    return sorted((FileInfo(m.path, m.size_in_bytes, m.last_updated_in_seconds) for m in found), key=lambda f: f.uri)


def _hint(uri: str, error: Exception) -> str:
    extra = _EXTRAS.get(uri.partition("://")[0])
    return f"needs pip install 'gritmill[{extra}]'" if extra else first_line(error)


def list_folder(folder: str, pattern: str = "*") -> list[FileInfo]:
    """The files directly in a folder whose names match; none if there is no such folder."""
    if is_local(folder) and not os.path.isdir(folder):
        return []
    return match(join(folder, pattern))


def open_read(uri: str) -> BinaryIO:
    """The file's bytes, seekable. Never decompressed: Beam would guess from the name."""
    return cast(BinaryIO, FileSystems.open(uri, compression_type=CompressionTypes.UNCOMPRESSED))


def read_bytes(uri: str) -> bytes:
    """The whole file."""
    with open_read(uri) as file:
        return file.read()


def read_json(uri: str) -> Any:
    """The JSON value that a file holds."""
    return json.loads(read_bytes(uri))


def exists(uri: str) -> bool:
    """Whether there is such a file or folder."""
    return os.path.exists(uri) if is_local(uri) else bool(FileSystems.exists(uri))


def delete(uris: Iterable[str]) -> None:
    """Removes files; one that is gone already is no error."""
    for uri in uris:
        try:
            FileSystems.delete([uri])
        except BeamIOError:
            if exists(uri):
                raise


def move_folder(folder: str, target: str) -> None:
    """Renames a folder; on an object store, every file of it."""
    if is_local(folder):
        shutil.move(folder, target)
        return
    files = [info.uri for info in match(join(folder, "**"))]
    if files:
        FileSystems.rename(files, [target + uri.removeprefix(folder) for uri in files])


def is_missing(error: BaseException) -> bool:
    """Whether an exception of some file system says that a file is not there."""
    if isinstance(error, FileNotFoundError):
        return True
    text = str(error).lower()
    return isinstance(error, (OSError, BeamIOError)) and (
        "not found" in text or "no such file" in text or "404" in text
    )
