"""Functions on URIs that do not access files, and the meaning of file-system errors."""

import errno
import os
import posixpath
from importlib.util import find_spec
from typing import NamedTuple

from pipeline.faults import CallError

_EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), ("aws", "s3fs")),
    **dict.fromkeys(("gs", "gcs"), ("gcp", "gcsfs")),
    **dict.fromkeys(("abfs", "abfss", "az", "azfs"), ("azure", "adlfs")),
    "webhdfs": ("hdfs", "requests"),
}
"""For each scheme: the extra of this package that it needs, and a module that this extra installs."""


STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "azfs"}
"""Schemes of object stores: a file appears when its upload is complete. Elsewhere, all can see how it grows."""


class FileInfo(NamedTuple):
    """A file: canonical URI, size in bytes, and a stamp that changes when the file changes (its modification time)."""

    uri: str
    size: int
    stamp: float


def is_local(uri: str) -> bool:
    """Whether the URI is a local path."""
    return "://" not in uri


def scheme_of(uri: str) -> str:
    """The scheme of a URI, such as "s3". Empty for a local path."""
    return "" if is_local(uri) else uri.partition("://")[0]


def place_of(uri: str) -> str:
    """The bucket, container or host of a URI that is not local, such as `s3://bucket`."""
    return "/".join(uri.split("/", 3)[:3])


def is_store(uri: str) -> bool:
    """Whether the URI is in an object store."""
    return scheme_of(uri) in STORES


def canonical(uri: "str | os.PathLike[str]") -> str:
    """The canonical URI of a file: an absolute path if it is local, else the URI unchanged.

    Raises:
      CallError: it is empty, which would be the folder that one is in; or it is in an object store, but names no
        bucket, as `s3://$BUCKET/…` without this variable.
    """
    uri = os.fspath(uri).removeprefix("file://")
    if not uri:
        raise CallError("a path is empty; name a file or a folder")
    if is_store(uri) and not uri.split("/")[2]:
        raise CallError(f"{uri}: names no bucket")
    return os.path.abspath(os.path.expanduser(uri)) if is_local(uri) else uri


def join(base: str, *parts: str) -> str:
    """Joins the parts with `/`. `base` may be a URI."""
    return "/".join([base.rstrip("/"), *parts]) if base.strip("/") else posixpath.join(base, *parts)


def parent(uri: str) -> str:
    """The folder of a file."""
    return uri.rpartition("/")[0] or "/"


def name(uri: str) -> str:
    """The last part of a URI."""
    return uri.rpartition("/")[2]


def resolve_below(root: str, path: str) -> str | None:
    """Resolves `path`, absolute or relative to `root`, to a URI below `root`. None if it is outside of `root`."""
    path = path.removeprefix("file://")
    scheme, _, base = root.rpartition("://")
    if not is_local(path):
        path_scheme, _, path = path.rpartition("://")
        if path_scheme != scheme:
            return None
        joined = posixpath.normpath(path)
    else:
        joined = posixpath.normpath(posixpath.join(base, path))
    base = posixpath.normpath(base)
    if joined != base and not joined.startswith(base.rstrip("/") + "/"):
        return None
    return f"{scheme}://{joined}" if scheme else joined


def check_extra(uri: str) -> None:
    """Raises CallError if the scheme needs an extra of this package that is not installed."""
    extra, module = _EXTRAS.get(uri.partition("://")[0], ("", ""))
    try:
        missing = bool(module) and find_spec(module) is None
    except ModuleNotFoundError:  # the parent package is missing
        missing = True
    if missing:
        raise CallError(f"{uri}: needs pip install 'gritmill[{extra}]'")


def is_missing(error: BaseException) -> bool:
    """Whether an exception of a file system means that a file does not exist, and not only that it cannot be read."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return True
    return isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.ELOOP)
