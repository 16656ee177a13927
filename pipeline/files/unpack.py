"""Files that are read forward: gzip, zstd, other encodings of text. A damaged file always fails at the same byte,
wherever reading starts."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from pipeline.faults import SourceFault

_STEP = 1 << 16

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_OTHERS = {b"\xfd7zXZ\0": "xz", b"BZh91AY&SY": "bzip2", b"PK\x03\x04": "zip", b"7z\xbc\xaf\x27\x1c": "7z"}
DAMAGED = "the {} stream is truncated or damaged"


class ForwardFile(io.RawIOBase):
    """The content that `blocks` yields from its beginning on. To go backward, it is asked again.

    The number of bytes that a decompressor returns before a fault depends on the number requested. So requests always
    have the same size and start at the beginning of the file, and the first EOFError is the end.
    """

    def __init__(self, blocks: Callable[[], Iterator[bytes]]) -> None:
        self._make_blocks = blocks
        self._begin()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Returns at most `size` bytes, and fewer at the end.

        Raises:
          EOFError: the stream is damaged, and all bytes before the damage have been read.
        """
        if size < 0:
            return self.readall()
        pieces = []
        left = size
        while left > 0 and self._fill():
            piece = self._buffer[self._buffer_offset : self._buffer_offset + left]
            self._buffer_offset += len(piece)
            left -= len(piece)
            pieces.append(piece)
        if left == size > 0 and self._damage:
            raise EOFError(self._damage)
        self._offset += size - left
        return b"".join(pieces)

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a byte of the content, or to its end. Returns the position. To go backward, reads from the start."""
        if whence == io.SEEK_CUR:
            offset += self._offset
        elif whence != io.SEEK_SET:
            raise io.UnsupportedOperation("the size is unknown")
        if offset < self._offset:
            self._begin()
        while self._offset < offset and self.read(min(_STEP, offset - self._offset)):
            pass
        return self._offset

    def tell(self) -> int:
        """The position of the next byte."""
        return self._offset

    def _begin(self) -> None:
        self._blocks = self._make_blocks()
        self._buffer = b""
        self._buffer_offset = self._offset = 0
        self._damage = ""

    def _fill(self) -> bool:
        """Fills the buffer if it is empty. Returns whether a byte is left."""
        if self._buffer_offset < len(self._buffer):
            return True
        try:
            self._buffer = b"" if self._damage else next(self._blocks, b"")
        except EOFError as error:
            self._buffer, self._damage = b"", str(error)
        self._buffer_offset = 0
        return bool(self._buffer)


def unpacked(raw: BinaryIO) -> "BinaryIO | ForwardFile":
    """A stream of the bytes of a file, decompressed if it begins as gzip or zstd does. Its name does not matter.

    Raises:
      SourceFault: the file is compressed in another way.
    """
    start = raw.read(10)
    raw.seek(0)
    if other := next((name for mark, name in _OTHERS.items() if start.startswith(mark)), ""):
        raise SourceFault(f"compressed with {other}, which is not read; unpack it, or compress it with gzip or zstd")
    if start.startswith(_GZIP):
        return ForwardFile(lambda: _gunzipped(raw))
    if start.startswith(_ZSTD):
        return ForwardFile(lambda: _unzstd(raw))
    return raw


def _gunzipped(raw: BinaryIO) -> Iterator[bytes]:
    raw.seek(0)
    file = gzip.GzipFile(fileobj=raw)
    try:
        yield from iter(lambda: file.read1(_STEP), b"")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise EOFError(DAMAGED.format("gzip")) from error


def _unzstd(raw: BinaryIO) -> Iterator[bytes]:
    import pyarrow as pa  # knows truncated streams and those of several frames, and limits what a step can return

    raw.seek(0)
    file = pa.CompressedInputStream(_Borrowed(raw), "zstd")
    try:
        yield from iter(lambda: file.read(_STEP), b"")
    except OSError as error:
        if error.errno:  # of the file system
            raise
        raise EOFError(DAMAGED.format("zstd")) from error


class _Borrowed(io.RawIOBase):
    """A file that does not close with Arrow's stream."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
