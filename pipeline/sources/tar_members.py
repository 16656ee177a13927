"""The members of a tar, one by one, whatever is wrong with it.

Plain or gzipped, told by the first bytes. tarfile's own reading will not do: it ends without a word at a header that
is broken or cut, goes round in one of negative size, recurses along extended headers, and carries PAX's global headers
from one member to the next, so that reading from the middle would give other names. Those are not obeyed here.
"""

import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import BinaryIO, cast

from pipeline import files
from pipeline.files.gunzip import Gunzip

_BLOCK = 512
_BUFFER = 1 << 20
_LONGEST_HEADER = 1 << 20  # what an extended header may hold; a path has at most some thousand bytes
_FIRST_LOOK = 1 << 20  # how far the first header of a file that may be no tar is looked for

_EXTENDED = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_WITHOUT_DATA = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE)

Wanted = Callable[[str], int]
"""The most bytes that a member of that name may have to be loaded; 0: its bytes are not wanted."""


@dataclass(frozen=True)
class Member:
    """A regular file. at: byte of its first header. start: byte of its content, which has `size` bytes.

    data: empty if it is not wanted. fault: why it cannot be had, if it cannot.
    """

    name: str
    at: int
    start: int
    size: int
    data: bytes = b""
    fault: str = ""


@dataclass(frozen=True)
class Gap:
    """Something could not be read; what follows, if anything does, stands behind it."""

    text: str


class NoTar(Exception):
    """There is no header at all."""


@contextmanager
def opened(uri: str, loading: bool) -> Iterator["Tar"]:
    """A tar to be read; loading: whether members will be loaded, and not only their headers be looked at."""
    with files.open_read(uri) as raw:
        stream = files.unpacked(raw)
        if isinstance(stream, Gunzip):
            yield Tar(stream, None)
        else:
            end = stream.seek(0, io.SEEK_END)
            buffered = io.BufferedReader(cast(io.RawIOBase, stream), _BUFFER if loading else 16 * _BLOCK)
            yield Tar(cast(BinaryIO, buffered), end)


class Tar:
    """Reads forward. end: the number of its bytes, where that is known without reading."""

    def __init__(self, stream: "BinaryIO | Gunzip", end: int | None) -> None:
        self._stream = stream
        self._end = end

    def members(self, offset: int, wanted: Wanted) -> Iterator[Member | Gap]:
        """What stands from the header at `offset` on.

        Raises:
          NoTar: `offset` is 0, and there is neither a header nor an end mark in the first mebibyte.
        """
        started = offset > 0
        try:
            self._go(offset)
            for found in self._from(offset, wanted):
                started = True
                yield found
        except _Cut as cut:
            if cut.at == 0 and not started:
                raise NoTar from None
            yield Gap(f"cut or broken at byte {cut.at}")

    def _from(self, at: int, wanted: Wanted) -> Iterator[Member | Gap]:
        block = self._read(_BLOCK)
        while len(block) == _BLOCK:
            if not block.strip(b"\0"):
                following = self._behind_end()
                if following is None:
                    return
                yield Gap(f"an end mark at byte {at}, and more behind it")
                at, block = following
                if not block:
                    return
            try:
                header = self._header(block)
                if header.regular:
                    yield self._member(header, at, wanted)
                if self._end is not None and header.start + header.held > self._end:
                    raise _Broken  # a size that cannot be; or the file is cut, and no header follows
            except _Broken:
                following = self._next_header(_FIRST_LOOK if at == 0 else None)
                if following is None:
                    raise _Cut(at) from None
                yield Gap(f"cut or broken at byte {at}")
                at, block = following
                continue
            at = header.start + header.held + -header.held % _BLOCK
            self._go(at)
            block = self._read(_BLOCK)
        raise _Cut(at)  # there is no end mark

    def _header(self, block: bytes) -> "_Header":
        """The header that begins with `block`, extended headers before it taken in."""
        name: str | None = None
        size: int | None = None
        sparse = False
        while True:
            info = _parsed(block)
            if info.type == tarfile.XGLTYPE or info.type in _EXTENDED:
                content = self._extended(info.size)
                if info.type == tarfile.GNUTYPE_LONGNAME:
                    name = _text(content.split(b"\0", 1)[0])
                elif info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
                    records = _records(content)
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
            held = 0 if info.type in _WITHOUT_DATA else size
            return _Header(name or info.name, self._stream.tell(), held, info.isreg(), sparse)

    def _extended(self, size: int) -> bytes:
        if size > _LONGEST_HEADER:
            raise _Broken
        content = self._read(size + -size % _BLOCK)
        if len(content) < size:
            raise _Broken
        return content[:size]

    def _member(self, header: "_Header", at: int, wanted: Wanted) -> Member:
        """The member with its bytes, if they are wanted and there."""
        most = wanted(header.name)
        found = Member(header.name, at, header.start, header.held)
        if self._end is not None and header.start + header.held > self._end:
            return replace(found, fault=f"cut at byte {at}")
        if header.sparse:
            return replace(found, fault="stored as a sparse file")
        if header.held > most > 0:
            return replace(found, fault=f"too large, {header.held} bytes")
        if not most:
            return found
        data = self._read(header.held)
        return replace(found, data=data) if len(data) == header.held else replace(found, fault=f"cut at byte {at}")

    def _read(self, size: int) -> bytes:
        """At most so many bytes; a damaged gzip stream ends where it is damaged."""
        try:
            return self._stream.read(size)
        except EOFError:
            return b""

    def _go(self, offset: int) -> None:
        if self._end is not None and offset > self._end:
            raise _Cut(self._end)
        with suppress(EOFError):
            self._stream.seek(offset)
        if self._stream.tell() != offset:
            raise _Cut(self._stream.tell())

    def _behind_end(self) -> tuple[int, bytes] | None:
        """Behind a block of zeros: place and block of a header that follows after all; b"" if something else does."""
        waste = False
        place = self._stream.tell()
        while block := self._read(_BLOCK):
            if block.strip(b"\0"):
                if _is_header(block):
                    return place, block
                waste = True
            place += len(block)
        return (place, b"") if waste else None

    def _next_header(self, within: int | None) -> tuple[int, bytes] | None:
        """Place and block of the next header behind a broken one; `within` so many bytes, if that is given."""
        first = place = self._stream.tell()
        while (block := self._read(_BLOCK)) and (within is None or place - first < within):
            if _is_header(block):
                return place, block
            place += len(block)
        return None


@dataclass(frozen=True)
class _Header:
    """start: byte of the content, of which `held` bytes stand in the file."""

    name: str
    start: int
    held: int
    regular: bool
    sparse: bool


class _Cut(Exception):
    """Reading ends at a byte."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


class _Broken(Exception):
    """A header is none."""


def _parsed(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError, OverflowError):
        raise _Broken from None
    if info.size < 0:  # it would lead back to itself (CVE-2025-8194)
        raise _Broken
    return info


def _is_header(block: bytes) -> bool:
    """By its checksum, as tar itself tells."""
    try:
        _parsed(block)
    except _Broken:
        return False
    return True


def _records(content: bytes) -> dict[bytes, bytes]:
    """The records of a PAX header, each "length key=value\\n"."""
    found = {}
    while content:
        length, blank, _ = content.partition(b" ")
        if not (blank and length.isdigit() and len(length) < 8 and len(length) + 1 < int(length) <= len(content)):
            raise _Broken
        key, equals, value = content[len(length) + 1 : int(length)].removesuffix(b"\n").partition(b"=")
        if not equals:
            raise _Broken
        found[key] = value
        content = content[int(length) :]
    return found


def _number(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise _Broken
    return int(text)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
