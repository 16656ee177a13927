"""Files that are not local: object stores, HDFS, whatever else Beam knows. `pipeline.files` asks here for them.

Nothing imports this module before it meets the URI of such a file: Beam takes a second.
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
    """The files that a pattern names, sorted; none if what it leads through is not there."""
    try:
        matches = FileSystems.match([pattern])[0].metadata_list
    except BeamIOError as error:
        if is_missing(error):
            return []
        raise
    return sorted((FileInfo(m.path, m.size_in_bytes, m.last_updated_in_seconds) for m in matches), key=lambda f: f.uri)


def escaped(uri: str) -> str:
    """The URI as a pattern that matches itself alone."""
    scheme, separator, path = uri.rpartition("://")
    return scheme + separator + glob.escape(path)


def exists(uri: str) -> bool:
    """Whether there is such a file or folder."""
    return bool(FileSystems.exists(uri))


def open_read(uri: str) -> BinaryIO:
    """The file's bytes, seekable. Never decompressed: Beam would guess from the name."""
    return cast(BinaryIO, FileSystems.open(uri, compression_type=CompressionTypes.UNCOMPRESSED))


def upload(spool: BinaryIO, uri: str) -> None:
    """The rest of a local file, as a file of its own; none if it cannot be sent in full."""
    target = FileSystems.create(uri, compression_type=CompressionTypes.UNCOMPRESSED)
    try:
        shutil.copyfileobj(spool, target, 1 << 20)
        target.close()
    except BaseException:
        # Closing publishes what has been sent so far; left open, the file would be closed when it is collected.
        with suppress(Exception):
            target.close()
        delete(uri)
        raise


def delete(uri: str) -> None:
    """Removes a file; one that is gone already is no error."""
    try:
        FileSystems.delete([escaped(uri)])  # Beam takes what it is given for a pattern
    except BeamIOError:
        if exists(uri):
            raise


def rename(uris: Sequence[str], targets: Sequence[str]) -> None:
    """Gives each file its new name."""
    FileSystems.rename(list(uris), list(targets))
