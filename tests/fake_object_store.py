"""`shelf://bucket/name`: a file system for fsspec that behaves like an object store. Its objects are in a local folder.

It has no folders, only whole objects, and lists by prefix. An object appears when its writer is closed or committed,
also by an exception, and never before. `use(folder)` sets the local folder for this process and its children.

Importing this module registers the scheme.
"""

import io
import os
import uuid
from pathlib import Path
from typing import Any

import fsspec
from fsspec import AbstractFileSystem

from pipeline.files import uris

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
    """Stores an object without fsspec, and returns its URI."""
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
    """Becomes an object at `commit`, or at `close` if `autocommit`, also after an exception."""

    def __init__(self, uri: str, autocommit: bool) -> None:
        super().__init__()
        self._uri, self._autocommit, self._sent = uri, autocommit, b""

    def close(self) -> None:
        if not self.closed:
            self._sent = self.getvalue()
            if self._autocommit:
                self.commit()
        super().close()

    def commit(self) -> None:
        target = path_of(self._uri)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Written outside of the root, so that no listing shows it.
        part = target.parents[len(target.relative_to(path_of(SCHEME)).parts)] / f"upload-{uuid.uuid4().hex}"
        part.write_bytes(self._sent)
        os.replace(part, target)

    def discard(self) -> None:
        self._sent = b""


class ShelfFileSystem(AbstractFileSystem):  # type: ignore[misc]
    protocol = "shelf"
    cachable = False

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        path = self._strip_protocol(path)
        try:
            status = path_of(SCHEME + path).stat()
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(path) from None
        if path_of(SCHEME + path).is_dir():
            return {"name": path, "size": 0, "type": "directory"}
        return {"name": path, "size": status.st_size, "type": "file", "LastModified": status.st_mtime}

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        start = self._strip_protocol(path).rstrip("/") + "/"
        below = [uri.removeprefix(SCHEME + start) for uri in objects(SCHEME + start)]
        if not below:
            raise FileNotFoundError(path)
        names = sorted({start + name.split("/")[0] for name in below})
        return [self.info(name) for name in names] if detail else names

    def _open(self, path: str, mode: str = "rb", autocommit: bool = True, **kwargs: Any) -> Any:
        if mode == "wb":
            return _Upload(SCHEME + path, autocommit)
        return path_of(SCHEME + path).open("rb")

    def cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        put(SCHEME + self._strip_protocol(path2), path_of(SCHEME + self._strip_protocol(path1)).read_bytes())

    def mv(self, path1: str, path2: str, **kwargs: Any) -> None:
        self.cp_file(path1, path2)
        self.rm_file(path1)

    def rm_file(self, path: str) -> None:
        path_of(SCHEME + self._strip_protocol(path)).unlink(missing_ok=True)


fsspec.register_implementation("shelf", ShelfFileSystem, clobber=True)
uris.STORES.add("shelf")
