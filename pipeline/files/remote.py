"""Files that are not local: object stores, HDFS and other file systems that Beam supports. Used by `pipeline.files`.

Import this module only when such a file is used, because importing Beam takes a second.
"""

import glob
import shutil
from collections.abc import Sequence
from contextlib import suppress
from typing import BinaryIO, cast

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipeline.files.uris import FileInfo, is_missing


def match(pattern: str) -> list[FileInfo]:
    """The files that match a pattern, sorted. Empty if a folder in the pattern does not exist."""
    try:
        matches = FileSystems.match([pattern])[0].metadata_list
    except BeamIOError as error:
        if is_missing(error):
            return []
        raise
    return sorted((FileInfo(m.path, m.size_in_bytes, m.last_updated_in_seconds) for m in matches), key=lambda f: f.uri)


def list_tree(folder: str) -> list[FileInfo]:
    """The files in a folder and in all folders below it.

    Object stores list a prefix at once. On HDFS, Beam lists one folder at a time, with those in it as empty files.
    """
    one_level = FileSystems.get_filesystem(folder).has_dirs()
    found = match(escaped(folder).rstrip("/") + ("/*" if one_level else "/**"))
    if not one_level:
        return found
    files: list[FileInfo] = []
    for info in found:
        inside = [] if info.size or info.uri.endswith("/") else list_tree(info.uri)
        files += inside or [info]
    return files


def escaped(uri: str) -> str:
    """The URI as a pattern that matches only this URI."""
    scheme, separator, path = uri.rpartition("://")
    return scheme + separator + glob.escape(path)


def exists(uri: str) -> bool:
    """Whether a file or folder exists."""
    return bool(FileSystems.exists(uri))


def open_read(uri: str) -> BinaryIO:
    """Opens a file for reading. It is seekable. It is not decompressed, because Beam would guess from the name."""
    return cast(BinaryIO, FileSystems.open(uri, compression_type=CompressionTypes.UNCOMPRESSED))


def upload(spool: BinaryIO, uri: str) -> None:
    """Uploads the rest of a local file to `uri`. If this fails, no file exists there."""
    target = FileSystems.create(uri, compression_type=CompressionTypes.UNCOMPRESSED)
    try:
        shutil.copyfileobj(spool, target, 1 << 20)
        target.close()
    except BaseException:
        # Closing publishes the bytes sent so far. If it is left open, garbage collection closes it later.
        with suppress(Exception):
            target.close()
        delete(uri)
        raise


def delete(uri: str) -> None:
    """Removes a file. A missing file is not an error."""
    try:
        FileSystems.delete([escaped(uri)])  # Beam expects a pattern
    except BeamIOError:
        if exists(uri):
            raise


def rename(uris: Sequence[str], targets: Sequence[str]) -> None:
    """Renames each file to the target at the same position."""
    FileSystems.rename(list(uris), list(targets))
