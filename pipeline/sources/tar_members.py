"""The members of a tar, one by one, even if the tar is damaged.

The first bytes show whether the tar is compressed. This module does not use the reader of `tarfile`. That reader stops
silently at a damaged or truncated header, loops at a header with a negative size, recurses along extended
headers, and applies PAX global headers to all later members. With global headers, reading from the middle would give
other names, so they are ignored here.
"""

import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import BinaryIO, cast

from pipeline import files

_BLOCK = 512
_BUFFER = 1 << 20
_MAX_HEADER_BYTES = 1 << 20  # limit for an extended header; a path has at most some thousand bytes
_MAX_HEADER_SEARCH = 1 << 20  # the first header must be within this distance

_EXTENDED = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_WITHOUT_DATA = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE)

MaxBytes = Callable[[str], int]
"""Returns the size limit, in bytes, for loading a member of a name. 0: the member is not loaded."""


@dataclass(frozen=True)
class Member:
    """A regular file. header_offset: byte of its first header. data_offset: byte of its content, `size` bytes long.

    data: empty if it was not requested. fault: why the member cannot be read; empty if it can be read.
    """

    name: str
    header_offset: int
    data_offset: int
    size: int
    data: bytes = b""
    fault: str = ""


@dataclass(frozen=True)
class Gap:
    """A place that cannot be read. Later members, if there are any, follow after it."""

    text: str


class NotATar(Exception):
    """The file contains no tar header."""


@contextmanager
def open_tar(uri: str, loading: bool) -> Iterator["TarReader"]:
    """Opens a tar for reading. loading: whether members are loaded. If False, only headers are read."""
    with files.open_read(uri) as raw:
        stream = files.unpacked(raw)
        if isinstance(stream, files.ForwardFile):
            yield TarReader(stream, None)
        else:
            end = stream.seek(0, io.SEEK_END)
            buffered = io.BufferedReader(cast(io.RawIOBase, stream), _BUFFER if loading else 16 * _BLOCK)
            yield TarReader(cast(BinaryIO, buffered), end)


class TarReader:
    """Reads a tar forward. end: its number of bytes, or None if that is unknown without reading."""

    def __init__(self, stream: "BinaryIO | files.ForwardFile", end: int | None) -> None:
        self._stream = stream
        self._end = end

    @property
    def plain(self) -> bool:
        """Whether any member can be reached without reading those before it."""
        return self._end is not None

    def start(self, size: int) -> "TarReader":
        """A reader of the first `size` bytes, as if the tar were cut off there. Nothing behind them is read."""
        return TarReader(cast(BinaryIO, _Start(self._stream, size)), None)

    def members(self, offset: int, max_bytes: MaxBytes) -> Iterator[Member | Gap]:
        """The members and gaps from the header at `offset` on.

        Raises:
          NotATar: `offset` is 0, and the first mebibyte contains neither a header nor an end marker.
        """
        started = offset > 0
        try:
            self._seek(offset)
            for found in self._read_from(offset, max_bytes):
                started = True
                yield found
        except _Cut as cut:
            if cut.offset == 0 and not started:
                raise NotATar from None
            yield Gap(f"truncated or damaged at byte {cut.offset}")

    def member_at(self, offset: int, max_bytes: int) -> Member | Gap:
        """The member whose first header is at `offset`. max_bytes: see `MaxBytes`."""
        return next(self.members(offset, lambda _: max_bytes))

    def _read_from(self, offset: int, max_bytes: MaxBytes) -> Iterator[Member | Gap]:
        block = self._read(_BLOCK)
        while len(block) == _BLOCK:
            if not block.strip(b"\0"):
                next_header = self._after_end_marker()
                if next_header is None:
                    return
                yield Gap(f"an end marker at byte {offset}, and more data after it")
                offset, block = next_header
                if not block:
                    return
            try:
                header = self._header(block)
                if header.regular:
                    yield self._member(header, offset, max_bytes)
                if self._end is not None and header.data_offset + header.data_size > self._end:
                    raise _Broken  # the size is impossible, or the file is truncated and no header follows
            except _Broken:
                next_header = self._next_header(_MAX_HEADER_SEARCH if offset == 0 else None)
                if next_header is None:
                    raise _Cut(offset) from None
                yield Gap(f"truncated or damaged at byte {offset}")
                offset, block = next_header
                continue
            offset = header.data_offset + header.data_size + -header.data_size % _BLOCK
            self._seek(offset)
            block = self._read(_BLOCK)
        raise _Cut(offset)  # the end marker is missing

    def _header(self, block: bytes) -> "_Header":
        """The header that begins with `block`, combined with the extended headers before it."""
        name: str | None = None
        size: int | None = None
        sparse = False
        while True:
            info = _parse_header(block)
            if info.type == tarfile.XGLTYPE or info.type in _EXTENDED:
                content = self._extended(info.size)
                if info.type == tarfile.GNUTYPE_LONGNAME:
                    name = _text(content.split(b"\0", 1)[0])
                elif info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
                    records = _pax_records(content)
                    path = records.get(b"GNU.sparse.name", records.get(b"path"))
                    name = name if path is None else _text(path)
                    size = _number(records[b"size"]) if b"size" in records else size
                    sparse = sparse or any(key.startswith(b"GNU.sparse.") for key in records)
                block = self._read(_BLOCK)
                continue
            if info.type == tarfile.GNUTYPE_SPARSE:
                sparse = True
                more = block[482]
                while more:
                    more = self._read(_BLOCK).ljust(_BLOCK, b"\0")[504]
            size = info.size if size is None else size
            data_size = 0 if info.type in _WITHOUT_DATA else size
            return _Header(name or info.name, self._stream.tell(), data_size, info.isreg(), sparse)

    def _extended(self, size: int) -> bytes:
        if size > _MAX_HEADER_BYTES:
            raise _Broken
        content = self._read(size + -size % _BLOCK)
        if len(content) < size:
            raise _Broken
        return content[:size]

    def _member(self, header: "_Header", offset: int, max_bytes: MaxBytes) -> Member:
        """The member, with its bytes if they are requested and complete."""
        limit = max_bytes(header.name)
        found = Member(header.name, offset, header.data_offset, header.data_size)
        if self._end is not None and header.data_offset + header.data_size > self._end:
            return replace(found, fault=f"truncated at byte {offset}")
        if header.sparse:
            return replace(found, fault="stored as a sparse file")
        if header.data_size > limit > 0:
            return replace(found, fault=f"too large, {header.data_size} bytes")
        if not limit:
            return found
        data = self._read(header.data_size)
        return (
            replace(found, data=data)
            if len(data) == header.data_size
            else replace(found, fault=f"truncated at byte {offset}")
        )

    def _read(self, size: int) -> bytes:
        """Returns at most `size` bytes. A damaged gzip stream ends at the damage."""
        try:
            return self._stream.read(size)
        except EOFError:
            return b""

    def _seek(self, offset: int) -> None:
        if self._end is not None and offset > self._end:
            raise _Cut(self._end)
        with suppress(EOFError):
            self._stream.seek(offset)
        if self._stream.tell() != offset:
            raise _Cut(self._stream.tell())

    def _after_end_marker(self) -> tuple[int, bytes] | None:
        """After a block of zeros: offset and block of the next header. The block is b"" if only other data follows, and
        the result is None if nothing follows."""
        has_garbage = False
        offset = self._stream.tell()
        while block := self._read(_BLOCK):
            if block.strip(b"\0"):
                if _is_header(block):
                    return offset, block
                has_garbage = True
            offset += len(block)
        return (offset, b"") if has_garbage else None

    def _next_header(self, max_distance: int | None) -> tuple[int, bytes] | None:
        """Offset and block of the next header after a damaged one, within `max_distance` bytes if this is given."""
        start = offset = self._stream.tell()
        while (block := self._read(_BLOCK)) and (max_distance is None or offset - start < max_distance):
            if _is_header(block):
                return offset, block
            offset += len(block)
        return None


class _Start(files.RawFile):
    """The first `size` bytes of a file."""

    def __init__(self, file: "BinaryIO | files.ForwardFile", size: int) -> None:
        super().__init__(file)
        self._size = size

    def read(self, size: int = -1) -> bytes:
        left = max(self._size - self.tell(), 0)
        return super().read(left if size < 0 else min(size, left))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return super().seek(min(offset, self._size), whence)


@dataclass(frozen=True)
class _Header:
    """data_offset: first byte of the content. data_size: number of its bytes in the file."""

    name: str
    data_offset: int
    data_size: int
    regular: bool
    sparse: bool


class _Cut(Exception):
    """Reading ends at byte `offset`."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class _Broken(Exception):
    """A header is invalid."""


def _parse_header(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError, OverflowError):
        raise _Broken from None
    if info.size < 0:  # it would lead back to the same header (CVE-2025-8194)
        raise _Broken
    return info


def _is_header(block: bytes) -> bool:
    """Whether a block is a header: tar detects it by its checksum, too."""
    try:
        _parse_header(block)
    except _Broken:
        return False
    return True


def _pax_records(content: bytes) -> dict[bytes, bytes]:
    """The records of a PAX header. Each one has the form "length key=value\\n"."""
    records = {}
    while content:
        length, blank, _ = content.partition(b" ")
        if not (blank and length.isdigit() and len(length) < 8 and len(length) + 1 < int(length) <= len(content)):
            raise _Broken
        key, equals, value = content[len(length) + 1 : int(length)].removesuffix(b"\n").partition(b"=")
        if not equals:
            raise _Broken
        records[key] = value
        content = content[int(length) :]
    return records


def _number(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise _Broken
    return int(text)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
