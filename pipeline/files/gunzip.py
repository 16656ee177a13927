"""Gzipped files, read forward. A damaged file always fails at the same byte, wherever reading starts."""

import gzip
import zlib
from typing import BinaryIO

_STEP = 1 << 16
DAMAGED = "the gzip stream is truncated or damaged"


class Gunzip:
    """The unpacked content of a gzipped file.

    The number of bytes that zlib returns before a fault depends on the number requested. So requests always have the
    same size and start at the beginning of the file, and the first fault is the end.
    """

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._begin()

    def read(self, size: int) -> bytes:
        """Returns at most `size` bytes, and fewer at the end.

        Raises:
          EOFError: the stream is damaged, and all bytes before the damage have been read.
        """
        pieces = []
        left = size
        while left > 0 and self._fill():
            piece = self._buffer[self._buffer_offset : self._buffer_offset + left]
            self._buffer_offset += len(piece)
            left -= len(piece)
            pieces.append(piece)
        if left == size > 0 and self._damaged:
            raise EOFError(DAMAGED)
        self._offset += size - left
        return b"".join(pieces)

    def seek(self, offset: int) -> int:
        """Moves to a byte of the content, or to its end. Returns the position. To go backward, reads from the start."""
        if offset < self._offset:
            self._packed.seek(0)
            self._begin()
        while self._offset < offset and self.read(min(_STEP, offset - self._offset)):
            pass
        return self._offset

    def tell(self) -> int:
        """The position of the next byte."""
        return self._offset

    def _begin(self) -> None:
        self._file = gzip.GzipFile(fileobj=self._packed)
        self._buffer = b""
        self._buffer_offset = self._offset = 0
        self._damaged = False

    def _fill(self) -> bool:
        """Fills the buffer if it is empty. Returns whether a byte is left."""
        if self._buffer_offset < len(self._buffer):
            return True
        try:
            self._buffer = b"" if self._damaged else self._file.read1(_STEP)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            self._buffer, self._damaged = b"", True
        self._buffer_offset = 0
        return bool(self._buffer)
