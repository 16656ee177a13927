"""Files that are read forward: gzip, zstd, other encodings of text. A damaged file always fails at the same byte,
wherever reading starts."""

import gzip
import io
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from sys import getsizeof
from typing import BinaryIO, cast

from pipeline.faults import SourceFault
from pipeline.files.raw_file import RawFile

_STEP = 1 << 16
_KEPT = 8 << 20  # a table in CSV goes back by at most one cell, 4 MiB of UTF-8, and a line

_GZIP = b"\x1f\x8b"
_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")  # a frame, or one to be skipped
_OTHERS = {b"\xfd7zXZ\0": "xz", b"BZh91AY&SY": "bzip2", b"PK\x03\x04": "zip", b"7z\xbc\xaf\x27\x1c": "7z"}
DAMAGED = "the {} stream is truncated or damaged"
_WINDOW = (
    "compressed by zstd with a window of more than 128 MiB; unpack it with zstd -d --long=31, and compress it without "
    "--long"
)


class ForwardFile(RawFile):
    """The content that `blocks` yields from its beginning on. The last 8 MiB of them are kept; to go back further, it
    is asked again.

    The number of bytes that a decompressor returns before a fault depends on the number requested. So requests always
    have the same size and start at the beginning of the file, and the first EOFError is the end.
    """

    def __init__(self, blocks: Callable[[], Iterator[bytes]]) -> None:
        self._make_blocks = blocks
        self._begin()

    def read(self, size: int = -1) -> bytes:
        """Returns at most `size` bytes, and fewer at the end.

        Raises:
          EOFError: the stream is damaged, and all bytes before the damage have been read. Other errors of the stream
            are raised there, too.
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
        if left == size > 0 and self._error:
            raise self._error
        self._offset += size - left
        return b"".join(pieces)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a byte of the content, or to its end. Returns the position. Before the kept bytes, reads from the
        start."""
        if whence == io.SEEK_CUR:
            offset += self._offset
        elif whence != io.SEEK_SET:
            raise io.UnsupportedOperation("the size is unknown")
        if offset < self._offset and not self._go_back(offset):
            self._begin()
        while self._offset < offset and self.read(min(_STEP, offset - self._offset)):
            pass
        return self._offset

    def tell(self) -> int:
        """The position of the next byte."""
        return self._offset

    def _begin(self) -> None:
        self._blocks = self._make_blocks()
        self._error: Exception | None = None
        self._behind: deque[bytes] = deque()  # the blocks before the buffer, and those after it, the next one last
        self._behind_size = 0
        self._ahead: list[bytes] = []
        self._buffer = b""
        self._buffer_offset = self._offset = 0

    def _fill(self) -> bool:
        """Fills the buffer if it is empty. Returns whether a byte is left."""
        if self._buffer_offset < len(self._buffer):
            return True
        following = self._following()
        if not following:
            return False
        self._behind.append(self._buffer)
        self._behind_size += getsizeof(self._buffer)  # which also bounds the number of small blocks
        while self._behind_size > _KEPT:
            self._behind_size -= getsizeof(self._behind.popleft())
        self._buffer, self._buffer_offset = following, 0
        return True

    def _following(self) -> bytes:
        """The block after the buffer; b"" at the end and where the stream fails."""
        if self._ahead:
            return self._ahead.pop()
        if not self._error:
            try:
                return next(self._blocks, b"")
            except Exception as error:  # after which the iterator would end as if this were the end of the file
                self._error = error
        return b""

    def _go_back(self, offset: int) -> bool:
        """Moves to a byte before the position if it is in a kept block. Returns whether it is."""
        start = self._offset - self._buffer_offset
        if offset < start - sum(map(len, self._behind)):
            return False
        while offset < start:
            self._ahead.append(self._buffer)
            self._buffer = self._behind.pop()
            self._behind_size -= getsizeof(self._buffer)
            start -= len(self._buffer)
        self._offset, self._buffer_offset = offset, offset - start
        return True


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
    if _ZSTD.match(start):
        return ForwardFile(lambda: _unzstd(raw))
    return raw


def _gunzipped(raw: BinaryIO) -> Iterator[bytes]:
    raw.seek(0)
    packed = _Packed(raw)
    file = gzip.GzipFile(fileobj=cast(BinaryIO, packed))
    try:
        yield from iter(lambda: file.read1(_STEP), b"")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        if packed.failed:
            raise
        raise EOFError(DAMAGED.format("gzip")) from error


def _unzstd(raw: BinaryIO) -> Iterator[bytes]:
    import pyarrow as pa  # knows truncated streams and those of several frames, and limits what a step can return

    raw.seek(0)
    packed = _Packed(raw)
    file = pa.CompressedInputStream(packed, "zstd")
    try:
        yield from iter(lambda: file.read(_STEP), b"")
    except (OSError, pa.ArrowException) as error:
        if packed.failed:
            raise
        raise EOFError(_WINDOW if "too much memory" in str(error) else DAMAGED.format("zstd")) from error


class _Packed(RawFile):
    """A compressed file, which does not close with its decompressor.

    failed: whether reading has failed. Then an error of the decompressor is one of the file system or the network, of
    any class, and not damage.
    """

    failed = False

    def read(self, size: int = -1) -> bytes:
        try:
            return super().read(size)
        except BaseException:
            self.failed = True
            raise
