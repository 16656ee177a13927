"""`shelf://bucket/name`: a Beam file system that behaves like an object store and keeps its objects in a local folder.

It has no folders, only whole objects, and lists by prefix. An object appears when its writer is closed, also by an
exception, and never before. A rename is a copy and a delete. Deleting a missing object is not an error; opening it
raises "404". `use(folder)` sets the local folder for this process and its children.

Importing this module registers the scheme.
"""

import io
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from apache_beam.io.filesystem import BeamIOError, CompressedFile, CompressionTypes, FileMetadata, FileSystem

SCHEME = "shelf://"
_ROOT = "GRITMILL_TEST_SHELF"


def use(folder: str | os.PathLike[str]) -> None:
    """Keeps the objects below `folder` from now on."""
    os.makedirs(folder, exist_ok=True)
    os.environ[_ROOT] = os.fspath(folder)


def path_of(uri: str) -> Path:
    """Returns the local path of an object."""
    if not uri.startswith(SCHEME):
        raise ValueError(uri)
    if _ROOT not in os.environ:
        raise RuntimeError("call tests.fake_object_store.use(folder) first")
    return Path(os.environ[_ROOT], uri.removeprefix(SCHEME))


def put(uri: str, data: bytes) -> str:
    """Stores an object without Beam, and returns its URI."""
    path = path_of(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return uri


def objects(prefix: str = SCHEME) -> list[str]:
    """Returns the URIs of all objects whose URI begins with `prefix`, sorted."""
    root = path_of(SCHEME)
    found = (SCHEME + path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return sorted(uri for uri in found if uri.startswith(prefix))


class _Upload(io.BytesIO):
    """Becomes an object at `close`, also after an exception."""

    def __init__(self, uri: str) -> None:
        super().__init__()
        self._uri = uri

    def close(self) -> None:
        if not self.closed:
            target = path_of(self._uri)
            target.parent.mkdir(parents=True, exist_ok=True)
            # Written outside of the root, so that no listing shows it.
            part = target.parents[len(target.relative_to(path_of(SCHEME)).parts)] / f"upload-{uuid.uuid4().hex}"
            part.write_bytes(self.getvalue())
            os.replace(part, target)
        super().close()


class ShelfFileSystem(FileSystem):
    @classmethod
    def scheme(cls) -> str:
        return "shelf"

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join([basepath.rstrip("/"), *(path.strip("/") for path in paths)])

    def split(self, path: str) -> tuple[str, str]:
        head, _, tail = path.rpartition("/")
        return head, tail

    def mkdirs(self, path: str) -> None:
        pass

    def has_dirs(self) -> bool:
        return False

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        for uri in objects(dir_or_prefix):
            yield self.metadata(uri)

    def create(
        self, path: str, mime_type: str = "", compression_type: str = CompressionTypes.AUTO
    ) -> BinaryIO | CompressedFile:
        return self._maybe_compressed(path, _Upload(path), compression_type)

    def open(
        self, path: str, mime_type: str = "", compression_type: str = CompressionTypes.AUTO
    ) -> BinaryIO | CompressedFile:
        if not path_of(path).is_file():
            raise BeamIOError(f"404 Not Found: {path}")
        return self._maybe_compressed(path, path_of(path).open("rb"), compression_type)

    def _maybe_compressed(self, path: str, file: Any, compression_type: str) -> Any:
        kind = self._get_compression_type(path, compression_type)
        return file if kind == CompressionTypes.UNCOMPRESSED else CompressedFile(file, compression_type=kind)

    def copy(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        for source, target in zip(source_file_names, destination_file_names, strict=True):
            path_of(target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path_of(source), path_of(target))

    def rename(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        self.copy(source_file_names, destination_file_names)
        self.delete(source_file_names)

    def exists(self, path: str) -> bool:
        return path_of(path).is_file()

    def size(self, path: str) -> int:
        return self.metadata(path).size_in_bytes

    def last_updated(self, path: str) -> float:
        return self.metadata(path).last_updated_in_seconds

    def metadata(self, path: str) -> FileMetadata:
        try:
            status = path_of(path).stat()
        except OSError:
            raise BeamIOError(f"404 Not Found: {path}") from None
        return FileMetadata(path, status.st_size, status.st_mtime)

    def delete(self, paths: list[str]) -> None:
        for path in paths:
            path_of(path).unlink(missing_ok=True)
