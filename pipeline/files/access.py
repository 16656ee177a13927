"""Files by URI, on every file system that fsspec supports. A plain path is a local file."""

import fnmatch
import glob
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.faults import CallError, EnvironmentFault
from pipeline.files.guards import ask, changing
from pipeline.files.uris import FileInfo, canonical, is_local, join, name, parent
from pipeline.layout import PLAN, TABLE

_UNREADABLE = "no permission to read this folder; use a narrower pattern to leave it out"


def match(pattern: str) -> list[FileInfo]:
    """The files that match a URI or glob, sorted. A URI that exists is taken literally, even if it contains `*`.

    Raises:
      CallError: the file system is unknown or its extra is not installed.
    """
    pattern = canonical(pattern)
    if is_local(pattern):
        paths = [pattern] if os.path.isfile(pattern) else glob.glob(pattern, recursive=True)
        return _local(paths)
    from pipeline.files import remote  # imports fsspec, like every use of it here: local runs do not need it

    literal = remote.info(pattern)
    return [literal] if literal else remote.match(pattern) if glob.has_magic(pattern) else []


def skipped_by_glob(pattern: str) -> Iterator[tuple[str, str]]:
    """The paths that a local glob skips silently, with the reason: unreadable folders and broken links."""
    for folder in _folders(os.path.dirname(pattern)):
        # Every ext4 disk has a folder lost+found, which only root can read.
        if not os.access(folder, os.R_OK | os.X_OK) and name(folder) != "lost+found":
            yield folder, _UNREADABLE
    links_in = cache(_link_names)
    for path in glob.iglob(pattern, recursive=True):
        folder, last = os.path.split(path)
        if last in links_in(folder) and not os.path.exists(path):
            yield path, "a broken link"


def _link_names(folder: str) -> Collection[str]:
    """The names of the links in a local folder. One listing takes less than to ask each of a hundred thousand files."""
    with suppress(OSError), os.scandir(folder or ".") as entries:
        return {entry.name for entry in entries if entry.is_symlink()}
    return ()  # the folder may not be listed, so that no pattern finds a name in it


def _folders(pattern: str) -> Iterator[str]:
    """The folders that a pattern passes through, outermost first."""
    if glob.has_magic(pattern):
        yield from _folders(os.path.dirname(pattern))
        yield from (folder.rstrip("/") for folder in glob.iglob(pattern + "/", recursive=True))
    elif os.path.isdir(pattern):
        yield pattern


def list_folder(folder: str, pattern: str = "*") -> list[FileInfo]:
    """The files below a folder whose relative names match, sorted. Empty if the folder does not exist."""
    if is_local(folder):
        return _local(glob.glob(join(glob.escape(folder), pattern), recursive=True, include_hidden=True))
    from pipeline.files import remote

    return remote.list_folder(folder, pattern)


def iter_folders(
    folder: str,
    pattern: str,
    starts: Sequence[str] = ("",),
    needless: Callable[[Collection[str]], Collection[str]] = lambda _: (),
    timeless: Callable[[str], object] = lambda _: False,
) -> Iterator[list[FileInfo]]:
    """The files of each folder in a folder, folder by folder, whose names relative to the outer one match
    `<folders>/<files>`. In no order, and never all of them in memory, if they are local or on S3.

    starts: how the names of the folders begin, of which S3 lists one after the other. needless: of the names in a
    folder, those that are left out. timeless: whether the time and the size of the file of a name do not matter; a
    local disk is not asked for them, and says 0.
    """
    if not is_local(folder):
        from pipeline.files import remote

        for found in remote.list_folders(folder, pattern, starts):
            for _, inside in groupby(found, key=lambda info: parent(info.uri)):
                by_name = {name(info.uri): info for info in inside}
                left_out = needless(by_name)
                yield [info for one, info in by_name.items() if one not in left_out]
        return
    is_folder, is_file = (re.compile(fnmatch.translate(part)).match for part in pattern.split("/"))
    for inner in folders_in(folder):
        if is_folder(name(inner)):
            with suppress(FileNotFoundError), os.scandir(inner) as entries:
                by_entry_name = {entry.name: entry for entry in entries if is_file(entry.name)}
                left_out = needless(by_entry_name)
                infos = (
                    (FileInfo(entry.path, 0, 0.0) if entry.is_file() else None) if timeless(one) else _entry_info(entry)
                    for one, entry in by_entry_name.items()
                    if one not in left_out
                )
                yield [info for info in infos if info]


def _entry_info(entry: "os.DirEntry[str]") -> FileInfo | None:
    """A file; None if it is none, or was removed after it was listed."""
    with suppress(FileNotFoundError):
        status = entry.stat()
        if stat.S_ISREG(status.st_mode):
            return FileInfo(entry.path, status.st_size, status.st_mtime)
    return None


def folders_in(folder: str) -> list[str]:
    """The folders in a folder, sorted. Empty if it does not exist."""
    if is_local(folder):
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
            return sorted(join(folder, entry.name) for entry in entries if entry.is_dir())
        return []
    from pipeline.files import remote

    return remote.folders_in(folder)


def list_tree(folder: str, deep: bool = True) -> dict[str, list[FileInfo]]:
    """The files of a folder and, if `deep`, of the folders below it, sorted, by folder. Hidden files and folders, whose
    names begin with a dot, are left out. A broken link has 0 bytes.

    Raises:
      CallError: there is no permission to read one of the folders. As for `match`.
    """
    if is_local(folder):
        return _local_tree(folder, deep)
    from pipeline.files import remote

    found: dict[str, list[FileInfo]] = {}
    for info in remote.list_tree(folder) if deep else remote.list_folder(folder, "*"):
        below = info.uri.removeprefix(folder.rstrip("/") + "/").split("/")
        if not any(part.startswith(".") for part in below):
            found.setdefault(parent(info.uri), []).append(info)
    return found


def _local_tree(top: str, deep: bool) -> dict[str, list[FileInfo]]:
    def refuse(error: OSError) -> None:
        # Every ext4 disk has a folder lost+found, which only root can read.
        if isinstance(error, PermissionError) and name(str(error.filename)) != "lost+found":
            raise CallError(f"{error.filename}: {_UNREADABLE}") from error

    found = {}
    for folder, folders, names in os.walk(top, onerror=refuse, followlinks=True):
        infos = (_info(join(folder, name)) for name in sorted(names) if name[0] != ".")
        found[folder] = [info for info in infos if info]
        real = os.path.realpath(folder) + "/"
        folders[:] = sorted(
            sub for sub in folders if deep and sub[0] != "." and not _leads_up(os.path.join(folder, sub), real)
        )
    return found


def _info(path: str) -> FileInfo | None:
    """A file. None if the path is no file, and 0 bytes for a broken link."""
    try:
        status = os.stat(path)
    except OSError:
        return FileInfo(path, 0, 0.0)
    return FileInfo(path, status.st_size, status.st_mtime) if stat.S_ISREG(status.st_mode) else None


def _leads_up(path: str, real: str) -> bool:
    """Whether a path is a link to one of the folders around it. real: the real path of its folder, with a slash."""
    return os.path.islink(path) and real.startswith(os.path.realpath(path).rstrip("/") + "/")


def _local(paths: Iterable[str]) -> list[FileInfo]:
    infos = []
    for path in sorted(paths):
        with suppress(FileNotFoundError):  # removed after it was listed
            status = os.stat(path)
            if stat.S_ISREG(status.st_mode):
                infos.append(FileInfo(path, status.st_size, status.st_mtime))
    return infos


def open_read(uri: str) -> BinaryIO:
    """Opens a file for reading. It is seekable and is not decompressed."""
    if is_local(uri):
        return open(uri, "rb")
    from pipeline.files import remote

    return remote.open_read(uri)


def read_bytes(uri: str) -> bytes:
    """The content of a file."""
    if is_local(uri):
        with open(uri, "rb", buffering=0) as file:  # a buffer would cost three more calls of the system
            return file.read()
    from pipeline.files import remote

    return remote.read_bytes(uri)


def read_json(uri: str) -> Any:
    """The JSON value in a file that gritmill wrote. Raises EnvironmentFault if it is not JSON.

    Its shape is not checked: `pipeline.files.typed` does that.
    """
    try:
        return json.loads(read_bytes(uri))
    except (ValueError, RecursionError) as error:
        raise EnvironmentFault(f"{uri}: not JSON, although gritmill wrote it: {error}; remove it") from error


def exists(uri: str) -> bool:
    """Whether a file or folder exists."""
    if is_local(uri):
        return os.path.exists(uri)
    from pipeline.files import remote

    return remote.exists(uri)


def need_folder(folder: str, shown: str) -> None:
    """Raises CallError if a local folder does not exist. Object stores have no folders. shown: it in the message."""
    if is_local(folder) and not os.path.isdir(folder):
        raise CallError(f"{shown}: no such folder")


def need_place(folder: str) -> None:
    """Raises CallError if a local folder cannot be made for output, because it is a file or below one."""
    if is_local(folder):
        found = next(path for path in (folder, *map(str, Path(folder).parents)) if os.path.exists(path))
        if not os.path.isdir(found):
            what = "a file, not a folder" if found == folder else f"{found} is a file"
            raise CallError(f"--output: {folder}: {what}; name a folder that can be made and written")


def need_file_place(path: str) -> None:
    """Raises CallError if a local file cannot be made for output: a folder has its name, or what is there is no file,
    such as a device or a pipe, which a new file would replace."""
    if not is_local(path):
        return
    need_place(parent(path))
    links_to_stream = os.path.islink(path) and os.readlink(path).startswith("/proc/")  # as /dev/stdout does
    if os.path.isdir(path) or links_to_stream or (os.path.exists(path) and not os.path.isfile(path)):
        what = "a folder" if os.path.isdir(path) else "not a file"
        raise CallError(f"--output: {path}: {what}; name a file")


def is_forbidden(uri: str) -> bool:
    """Whether a local file exists without permission to read it. False if its folder cannot be accessed."""
    return is_local(uri) and os.path.isfile(uri) and not os.access(uri, os.R_OK)


def delete(uris: Iterable[str]) -> None:
    """Removes files. The names are not patterns. A missing file is not an error. Raises Forbidden if a guard does not
    allow it."""
    for uri in uris:
        with changing():
            ask(uri)
            if is_local(uri):
                with suppress(FileNotFoundError):
                    os.remove(uri)
            else:
                from pipeline.files import remote

                remote.delete(uri)


def move_folder(folder: str, target: str) -> None:
    """Renames a folder; on an object store, every file in it. A missing folder is not an error. Raises as `delete`."""
    ask(folder)
    if is_local(folder):
        if os.path.exists(folder):
            shutil.move(folder, target)
        return
    uris = [info.uri for info in list_folder(folder, "**")]
    if uris:
        from pipeline.files import remote

        # What says that rows are there goes last: if this is killed, the next call moves the rest.
        for uri in sorted(uris, key=lambda uri: name(uri) in (PLAN, TABLE)):
            remote.rename(uri, target + uri.removeprefix(folder))
