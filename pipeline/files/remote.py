"""Files that are not local, through fsspec: object stores, HDFS, and other file systems that it knows.

Each store is configured by its own conventions (environment variables, files of its own tools) or those of fsspec
(`FSSPEC_S3_…`, `~/.config/fsspec`), in the driver and in workers alike. Only `match` takes patterns. Import this module
only when such a file is used.
"""

import errno
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from glob import has_magic
from typing import Any, BinaryIO, cast

import fsspec
from fsspec.utils import glob_translate

from pipeline.faults import BucketFault, CallError, EnvironmentFault, PermissionFault, first_line
from pipeline.files.uris import FileInfo, check_extra, is_missing, is_store, join, parent, place_of, scheme_of
from pipeline.layout import TEMPORARY

_READ_BYTES = 8 << 20  # of one request for a file that is read in order
_PUT_BYTES = 32 << 20  # larger files are uploaded in parts of this size

_OPTIONS: dict[str, dict[str, Any]] = {
    **{scheme: {"max_concurrency": 1} for scheme in ("s3", "s3a")},
    **{scheme: {"consistency": "md5"} for scheme in ("gs", "gcs")},
}
"""By scheme. With more, s3fs asks for the size of each file before it reads it, and writes only files in parts faster,
with a method that cannot be stopped before the last part. gcsfs puts a file between lines with a fixed text; without
the check, nobody would notice that a store mistakes a part of the file for such a line."""

_HDFS = ("hdfs", "webhdfs")
_HTTP_MISSING = (404, 410)
_HTTP_AWAY = (0, 429, 502, 503, 504)
"""Status of a web server that is not there, or busy, for any file. 0: no answer."""

_CLIENTS = ("aiohttp", "azure", "botocore", "gcsfs", "google")
"""Packages whose exceptions are not those of Python's file systems."""

for _package in _CLIENTS:
    # Else Python prints what they log, such as a traceback for each request that is given up. Handlers of users stay.
    logging.getLogger(_package).addHandler(logging.NullHandler())

_CREATE_ONLY: dict[tuple[str, int], bool] = {}
"""By place and process id, whether the store has create-only puts."""

_PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before a put that another one is in the way of is repeated."""

_STAMPS = ("LastModified", "mtime", "last_modified", "modified", "modificationTime", "created")
"""Where the listings of file systems have the time of the last change."""

_MILLISECONDS = 1e11
"""Larger times are in milliseconds, as WebHDFS gives them: as seconds, this is the year 5138."""


def is_configured_in_code() -> bool:
    """Whether this process has settings of fsspec that no file and no environment variable gives. Other processes lack
    them."""
    given: dict[str, dict[str, Any]] = {}
    fsspec.config.set_conf_files(fsspec.config.conf_dir, given)
    fsspec.config.set_conf_env(given)
    return bool(given != fsspec.config.conf)


def match(pattern: str) -> list[FileInfo]:
    """The files that match a glob, sorted. `*` matches all characters but `/`; `**`, as a name, all folders."""
    literal = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    folder = parent(literal) if "/" in literal.partition("://")[2] else literal
    return _listed(folder, pattern.removeprefix(folder.rstrip("/") + "/"))


def list_folder(folder: str, pattern: str) -> list[FileInfo]:
    """The files below a folder whose names, relative to it, match a glob, sorted. A missing folder has none."""
    while "/" in pattern and not has_magic(pattern.partition("/")[0]):  # so that nothing beside it is listed
        inner, _, pattern = pattern.partition("/")
        folder = join(folder, inner)
    return _listed(folder, pattern, flat="/" in pattern)


def list_folders(folder: str, pattern: str, starts: Iterable[str]) -> Iterator[list[FileInfo]]:
    """The files of the folders in a folder, as `list_folder` lists them: on S3, those of the folders whose names begin
    with each of `starts`. Its client holds a kilobyte for each file of a listing."""
    if scheme_of(folder) not in ("s3", "s3a"):
        starts = ("",)
    for start in starts:
        yield _listed(folder, pattern, flat=True, start=start)


def folders_in(folder: str) -> list[str]:
    """The folders in a folder, sorted."""
    with _asked_to("list", folder):
        files, root = _file_system(folder)
        found = _walk(files, root, 1)
    names = (info["name"].rstrip("/").rpartition("/")[2] for info in found if info["type"] == "directory")
    return sorted(join(folder, name) for name in names)


def list_tree(folder: str) -> list[FileInfo]:
    """The files in a folder and in all folders below it, sorted."""
    return _listed(folder, "**", flat=True)


def _listed(folder: str, pattern: str, flat: bool = False, start: str = "") -> list[FileInfo]:
    """flat: whether an object store lists everything below the folder at once, instead of folder by folder. start: of
    all names that are listed then, on S3."""
    matches = re.compile(glob_translate(pattern)).match
    with _asked_to("list", folder):
        files, root = _file_system(folder)
        if is_store(folder) and (flat or "**" in pattern):
            found = _list(files, root, flat=True, prefix=start)
        else:
            found = _walk(files, root, None if "**" in pattern else pattern.count("/") + 1)
    inside = root.rstrip("/") + "/"
    infos = (
        _file_info(join(folder, path.removeprefix(inside)), info)
        for path, info in ((info["name"], info) for info in found if info["type"] == "file")
        if path[-1] != "/" and matches(path.removeprefix(inside))
    )
    return sorted(infos, key=lambda info: info.uri)


def _walk(files: Any, folder: str, depth: int | None) -> list[dict[str, Any]]:
    """What is in a folder and, with a depth above 1, in the folders below it. `find` and `walk` of fsspec leave out,
    without a word, what they may not list."""
    inside = _list(files, folder)
    if depth == 1:
        return inside
    folders = (info["name"] for info in inside if info["type"] == "directory")
    return inside + [item for path in folders for item in _walk(files, path, depth and depth - 1)]


def _list(files: Any, folder: str, flat: bool = False, prefix: str = "") -> list[dict[str, Any]]:
    """What is in a folder or, if `flat`, the files below it. A missing folder is empty. prefix: only S3 takes one."""
    start = folder.rstrip("/") + "/"
    try:
        if _is_azure(files):
            found = _azure().list_blobs(files, folder, flat)
        elif flat:
            # Without the slash, gcsfs lists what is beside an empty folder: all files whose names begin with its name.
            found = files.find(start, detail=True, **({"prefix": prefix} if prefix else {})).values()
        else:
            found = files.ls(folder, detail=True)
    except (FileNotFoundError, NotADirectoryError) as error:
        if _lacks_bucket(error):
            raise
        return []
    # A file that is named like the folder is listed, too, and some stores have empty objects that stand for folders.
    return [info for info in found if info["name"].startswith(start) and info["name"] != start]


def info(uri: str) -> FileInfo | None:
    """A file. None if it does not exist, also if a folder has its name."""
    with _asked_to("look for", uri):
        files, path = _file_system(uri)
        try:
            found = files.info(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            # fsspec makes one exception of all that can happen to an HTTP request.
            if _lacks_bucket(error):
                raise
            cause = error.__cause__
            if cause and _is_of_http(cause) and getattr(cause, "status", 0) not in _HTTP_MISSING:
                raise cause from None
            return None
    return _file_info(uri, found) if found["type"] == "file" and not uri.endswith("/") else None


def exists(uri: str) -> bool:
    """Whether a file or folder exists."""
    if uri.startswith(("http://", "https://")):  # of which fsspec says that nothing exists while a server is away
        return info(uri) is not None
    with _asked_to("look for", uri):
        files, path = _file_system(uri)
        return bool(files.exists(path))


def open_read(uri: str) -> BinaryIO:
    """Opens a file for reading. It is seekable and is not decompressed."""
    with _asked_to("read", uri):
        files, path = _file_system(uri)
        # gcsfs has another cache, which reads in the background what nobody asked for.
        options = {"cache_type": "readahead"} if is_store(uri) else {}
        file = files.open(path, "rb", block_size=_READ_BYTES, **options)
    cache: Any = getattr(file, "cache", None)
    if getattr(cache, "name", "") == "readahead":
        cache.fetcher = _checked(cache.fetcher, uri)
    return cast(BinaryIO, file)


def _checked(fetch: Callable[[int, int], bytes], uri: str) -> Callable[[int, int], bytes]:
    """The same function, with exceptions as Python's own files have them. For WebHDFS, fsspec returns errors of data
    nodes as if they were data."""

    def fetch_checked(start: int, end: int) -> bytes:
        with _asked_to("read", uri):
            data = fetch(start, end)
            if len(data) != end - start:
                raise OSError(f"{len(data)} bytes instead of those from {start} to {end}")
            return data

    return fetch_checked


def read_bytes(uri: str) -> bytes:
    """The content of a file, on object stores with one request."""
    if not is_store(uri):
        with open_read(uri) as file:
            return file.read()
    with _asked_to("read", uri):
        files, path = _file_system(uri)
        return bytes(files.cat_file(path))


def upload(spool: BinaryIO, uri: str, temporary: str, ask: Callable[[], None], create: bool = False) -> None:
    """Uploads a local file. If this fails, nothing appears at `uri`.

    On an object store, it is one request, or, if the file is large, one for each part and one that completes them.
    Elsewhere, the file is written under the URI `temporary`, and then renamed.

    Args:
      ask: called right before the file appears; raises an exception if it may not.
      create: only if there is no file at `uri`.

    Raises:
      FileExistsError: there is one, with `create`.
    """
    size = spool.seek(0, 2)
    spool.seek(0)
    with _asked_to("write", uri):
        if not is_store(uri):
            _upload_and_rename(spool, uri, temporary, ask, create)
            return
        conditional = create and has_create_only_puts(parent(uri))
        files, path = _file_system(uri)
        if create and not conditional and info(uri):
            raise FileExistsError(uri)
        if size <= _PUT_BYTES:
            ask()
            _put(files, path, spool.read(), conditional)
        elif _is_azure(files):
            _azure().upload_blocks(files, path, spool, _PUT_BYTES, ask, conditional)
        else:
            _put_parts(files, path, spool, ask, conditional)
        spool.seek(0)
        if create and not conditional and read_bytes(uri) != spool.read():
            raise FileExistsError(uri)


def has_create_only_puts(folder: str) -> bool:
    """Whether the object store of a folder can refuse to write a file that exists. It is tried once per process."""
    place, process = place_of(folder), os.getpid()
    if (place, process) not in _CREATE_ONLY:
        with _asked_to("write", folder):
            uri = join(folder, f"{TEMPORARY}{uuid.uuid4().hex[:12]}-twice")
            files, path = _file_system(uri)
            try:
                for _ in range(2):
                    _put(files, path, b"twice", create=True)
                _CREATE_ONLY[place, process] = False
            except FileExistsError:
                _CREATE_ONLY[place, process] = True
            except (TypeError, ValueError, NotImplementedError):  # a client without the mode
                _CREATE_ONLY[place, process] = False
            except OSError as error:  # a store that answers 501
                if error.errno != errno.ENOSYS:
                    raise
                _CREATE_ONLY[place, process] = False
            delete(uri)
    return _CREATE_ONLY[place, process]


def _put(files: Any, path: str, data: bytes, create: bool) -> None:
    """Writes an object with one request. Raises FileExistsError if there is one, with `create`."""
    _decided(path, create, lambda: files.pipe_file(path, data, **({"mode": "create"} if create else {})))


def _put_parts(files: Any, path: str, spool: BinaryIO, ask: Callable[[], None], create: bool) -> None:
    """Writes a large object in parts. Raises FileExistsError if there is one, with `create`."""

    def put() -> None:
        spool.seek(0)
        mode = "xb" if create else "wb"
        with _completed(files.open(path, mode, block_size=_PUT_BYTES, autocommit=False), ask) as target:
            shutil.copyfileobj(spool, target, 1 << 20)

    _decided(path, create, put)


def _decided(path: str, create: bool, put: Callable[[], object]) -> None:
    """Repeats a put while S3 answers 409: another writer creates the object, and who wins is not known yet."""
    for pause in (*_PAUSES, 0.0):
        try:
            with _created(path):
                put()
            return
        except OSError as error:
            if not (create and pause and _s3_status(error) == 409):
                raise
        time.sleep(pause)


@contextmanager
def _created(path: str) -> Iterator[None]:
    """Raises FileExistsError if S3 refuses a conditional put. s3fs does so only if the answer names the condition, and
    those of MinIO and other stores do not."""
    try:
        yield
    except OSError as error:
        if _s3_status(error) == 412:
            raise FileExistsError(path) from error
        raise


def _s3_status(error: OSError) -> int:
    """The HTTP status of an answer that s3fs has made an exception of; 0 of other exceptions."""
    answer = getattr(error.__cause__, "response", None)
    if not isinstance(answer, dict):  # that of Azure's and Google's clients is an object
        return 0
    return int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def _completed(target: Any, ask: Callable[[], None]) -> Iterator[Any]:
    """A file of an object store that is open for writing. It appears at the end of the block; after an exception, its
    parts are removed: to close it would publish them."""
    try:
        yield target
        target.close()
        ask()
        target.commit()
    except BaseException:
        with suppress(Exception):
            target.discard()
        raise


def _upload_and_rename(spool: BinaryIO, uri: str, temporary: str, ask: Callable[[], None], create: bool) -> None:
    files, path = _file_system(temporary)
    try:
        files.makedirs(parent(path), exist_ok=True)
        with files.open(path, "wb") as target:
            shutil.copyfileobj(spool, target, 1 << 20)
        ask()
        if create and exists(uri):
            raise FileExistsError(uri)
        if not create:
            delete(uri)  # HDFS renames no file to the name of another one
        rename(temporary, uri)
    except BaseException as error:
        with suppress(Exception):
            delete(temporary)
        if create and isinstance(error, OSError) and exists(uri):
            raise FileExistsError(uri) from error
        raise


def delete(uri: str) -> None:
    """Removes a file. A missing file is not an error."""
    with _asked_to("delete", uri), suppress(FileNotFoundError):
        files, path = _file_system(uri)
        files.rm_file(path)


def rename(uri: str, target: str) -> None:
    """Gives a file another name. On an object store, it is copied."""
    with _asked_to("rename", uri):
        files, path = _file_system(uri)
        _, target_path = _file_system(target)
        if is_store(uri):
            _azure().copy_blob(files, path, target_path) if _is_azure(files) else files.cp_file(path, target_path)
            files.rm_file(path)
        else:
            files.mv(path, target_path)
            if files.exists(path):  # WebHDFS says whether it has renamed it, and fsspec does not ask
                raise OSError(f"{uri}: it is not renamed to {target}")


def _file_system(uri: str) -> tuple[Any, str]:
    """The file system of a URI, and its path there.

    fsspec keeps one file system per process: a child process that was forked gets its own. Listings are not cached,
    because other processes write, too.

    Raises:
      CallError: the file system is unknown, or its package is not installed.
    """
    check_extra(uri)
    scheme = scheme_of(uri)
    known = re.sub("^azfs://", "abfs://", uri)
    # gcsfs else asks for the kind of each bucket through gRPC, before each request if there is no answer. gRPC does not
    # survive a fork. Only zonal buckets need it.
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    try:
        files, path = fsspec.url_to_fs(known, use_listings_cache=False, **_OPTIONS.get(scheme, {}))
    except ValueError as error:
        line = (
            first_line(error)
            if scheme_of(known) in fsspec.available_protocols()
            else f"unknown file system {scheme}://"
        )
        raise CallError(f"{uri}: {line}") from error
    except ImportError as error:
        raise CallError(f"{uri}: {first_line(error)}") from error
    except OSError as error:
        hadoop = "; it needs Java and a Hadoop client here and on each worker, webhdfs:// does not"
        raise EnvironmentFault(f"{uri}: {first_line(error)}{hadoop if scheme == 'hdfs' else ''}") from error
    if scheme in _HDFS:
        path = "/" + "/".join(uri.split("/", 3)[3:])  # fsspec drops what follows a question mark
    elif is_store(uri) and not known.rstrip("/").endswith(path.partition("/")[2].rstrip("/")):
        raise CallError(f"{uri}: the client of {scheme}:// changes this name; rename the file")
    return files, path


def _is_azure(files: Any) -> bool:
    return "abfs" in files.protocol


def _azure() -> Any:
    """The module, which needs Azure's packages."""
    from pipeline.files import azure

    return azure


@contextmanager
def _asked_to(action: str, uri: str) -> Iterator[None]:
    """Gives the exceptions of all clients the classes that Python's have.

    Raises:
      CallError: files of this kind cannot be written.
      PermissionFault: the block is not allowed to do this. BucketFault: there is no such bucket. EnvironmentFault: it
        cannot write.
      FileNotFoundError: there is no such file.
      FileExistsError: there is one already.
      ConnectionError: a client has another exception. Of the class OSError and without an error number, it would count
        as damage of the file that Arrow reads.
    """
    try:
        yield
    except NotImplementedError as error:
        raise CallError(f"{uri}: gritmill cannot {action} files of {scheme_of(uri)}://") from error
    except Exception as error:
        away = _http_away(error)
        status = next(filter(None, (getattr(error, name, None) for name in ("status_code", "code", "status"))), None)
        line = first_line(away or error)
        forbidden = isinstance(error, OSError) and str(error).startswith("Forbidden: ")  # gcsfs, with the URL
        if isinstance(error, PermissionError) or status in (401, 403) or forbidden:
            line = " ".join(str(error).splitlines()[1:]) if forbidden else line
            refused = f"{place_of(uri)}: no permission to {action} {uri} ({line})"
            raise PermissionFault(f"{refused}; check the credentials and what they permit there") from error
        if _lacks_bucket(error):
            raise BucketFault(f"{place_of(uri)}: no such bucket; cannot {action} {uri}") from error
        if not away and (isinstance(error, FileNotFoundError) or status == 404):
            if action == "write":
                raise EnvironmentFault(f"{place_of(uri)}: cannot write {uri}: {line}") from error
            raise FileNotFoundError(uri) from error
        if away or (_is_of_client(error) and not (is_missing(error) or isinstance(error, FileExistsError))):
            raise ConnectionError(f"{place_of(uri)}: cannot {action} {uri}: {line}") from error
        raise


def _http_away(error: Exception) -> BaseException | None:
    """What says that a web server cannot be reached, or is busy, if fsspec made a missing file of it."""
    cause = error.__cause__ if isinstance(error, FileNotFoundError) else None
    return cause if cause and _is_of_http(cause) and getattr(cause, "status", 0) in _HTTP_AWAY else None


def _lacks_bucket(error: BaseException) -> bool:
    """Whether an exception of a client, or its cause, says that the bucket does not exist."""
    causes = (error, error.__cause__, error.__context__)
    texts = (f"{getattr(one, 'response', '')} {getattr(one, 'error_code', '')} {one}" for one in causes if one)
    return any(re.search("NoSuchBucket|ContainerNotFound|bucket does not exist", text) for text in texts)


def _is_of_client(error: Exception) -> bool:
    """Whether an exception is one of a store's client, or s3fs' translation of one, which does not name the file."""
    modules = {type(one).__module__.partition(".")[0] for one in (error, error.__cause__)}
    return not modules.isdisjoint(_CLIENTS) or (type(error) is OSError and not error.errno)


def _is_of_http(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] == "aiohttp"


def _file_info(uri: str, found: Mapping[str, Any]) -> FileInfo:
    return FileInfo(uri, int(found["size"] or 0), _stamp(found))


def _stamp(found: Mapping[str, Any]) -> float:
    """The time of the last change in seconds since 1970; 0 if the file system does not tell it."""
    value = next((found[key] for key in _STAMPS if found.get(key)), 0.0)
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.timestamp()
    return float(value) / 1000 if value > _MILLISECONDS else float(value)
