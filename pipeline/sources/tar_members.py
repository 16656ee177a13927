"""The members of a tar, one by one, whatever is wrong with it.

Plain or gzipped, told by the first bytes. Headers are read one by one: tarfile's own iteration ends without a word at a
header that is broken or cut.
"""

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

from pipeline import files
from pipeline.faults import SourceFault, first_line

_BUFFER = 1 << 20
_BLOCK = 512

# Headers of PAX and sparse members are texts with numbers in them, at which tarfile raises a ValueError.
_UNREADABLE = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, ValueError, OverflowError)


class Cut(SourceFault):
    """Something cannot be read at byte `at`: a member `name`, or what should be a header ("").

    on: where reading may go on; None if it cannot.
    """

    def __init__(self, text: str, name: str, at: int, on: int | None) -> None:
        super().__init__(text)
        self.name = name
        self.at = at
        self.on = on


def members(
    uri: str, offset: int, wanted: Callable[[str], object] | None
) -> Iterator[tuple[tarfile.TarInfo, bytes, int]]:
    """Regular members from the header at `offset` on, with their bytes and the place of their header.

    Args:
      wanted: tells by its name whether a member's bytes are wanted; the others have none. None: nothing is loaded.

    Raises:
      Cut: there is something that cannot be read.
    """
    at, started, name = offset, False, ""
    with files.open_read(uri) as raw, files.unpacked(raw) as stream:
        tar = None
        try:
            stream.seek(offset)
            mode = "r|" if wanted or stream is not raw else "r:"
            # It owns nothing, and must outlive a fault: reading may go on behind that.
            tar = tarfile.open(fileobj=_From(stream), mode=mode, bufsize=_BUFFER)  # type: ignore[call-overload]  # noqa: SIM115
            member = _sound(tar.firstmember) if tar.firstmember else None
            while member is not None:
                at, started, name = offset + member.offset, True, member.name
                if member.isreg():
                    yield member, _content(tar, member) if wanted and wanted(name) else b"", at
                name = ""
                tar.members.clear()
                at = offset + tar.offset
                member = _next(tar)
        except _UNREADABLE as error:
            what = f"cut or broken at byte {at}" if started or offset else "not a tar"
            on = _next_header(tar, offset)[0] if tar and started and not name else None
            raise Cut(f"{what}: {first_line(error)}", name, at, on) from error
        on, waste = _next_header(tar, offset)
        if on is not None or waste:
            raise Cut(f"an end mark at byte {at}, and more behind it", "", at, on)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    data = file.read() if file else b""
    if len(data) != member.size:
        raise tarfile.ReadError(f"{member.name}: {len(data)} of {member.size} bytes")
    return data


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    """The next header; None at the end mark. A tar that just stops raises, as one that is cut does."""
    stream = cast(BinaryIO, tar.fileobj)
    stream.seek(tar.offset)
    if stream.tell() != tar.offset:
        raise tarfile.ReadError("it ends inside a member's last block")
    try:
        return _sound(tarfile.TarInfo.fromtarfile(tar))
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
        return None
    except tarfile.EmptyHeaderError:  # type: ignore[attr-defined]
        raise tarfile.ReadError("it ends without an end mark") from None


def _next_header(tar: tarfile.TarFile, base: int) -> tuple[int | None, bool]:
    """Where behind the last block that was read a header stands, and whether anything else than zeros lies before."""
    stream = cast(BinaryIO, tar.fileobj)
    waste = False
    try:
        while block := stream.read(_BLOCK):
            if block.strip(b"\0"):
                if _is_header(block):
                    return base + stream.tell() - _BLOCK, waste
                waste = True
    except _UNREADABLE:  # of a gzip stream
        waste = True
    return None, waste


def _is_header(block: bytes) -> bool:
    """By its checksum, as tar itself."""
    try:
        _sound(tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape"))
    except _UNREADABLE:
        return False
    return True


def _sound(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A member of negative size would lead back to itself (CVE-2025-8194)."""
    if member.size < 0:
        raise tarfile.ReadError(f"{member.name}: {member.size} bytes")
    return member


class _From:
    """The rest of a stream as a file of its own: tarfile wants to start at 0."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._base = stream.tell()

    def read(self, size: int = -1) -> bytes:
        # Of a gzip stream that is cut, read() raises and keeps what it had unpacked; read1() hands that out first.
        pieces: list[bytes] = []
        left = size
        while left > 0:
            try:
                piece = cast(gzip.GzipFile, self._stream).read1(left)
            except _UNREADABLE:
                if pieces:
                    break
                raise
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces) if size >= 0 else self._stream.read()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset + self._base if whence == 0 else offset, whence) - self._base

    def tell(self) -> int:
        return self._stream.tell() - self._base
