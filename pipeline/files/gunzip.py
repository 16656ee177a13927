"""Gzipped files, read forward; a damaged one breaks at the same byte, wherever reading began."""

import gzip
import zlib
from typing import BinaryIO

_STEP = 1 << 16
DAMAGED = "the gzip stream is cut or damaged"


class Gunzip:
    """What a gzipped file unpacks to.

    How many bytes zlib gives before it meets a fault depends on how many it was asked for: so it is always asked for
    equal steps, from the file's start on, and its first fault is the end.
    """

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._begin()

    def read(self, size: int) -> bytes:
        """At most so many bytes; fewer at the end.

        Raises:
          EOFError: the stream is damaged, and all that comes before has been read.
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
        """Goes to a byte; backward means from the start again."""
        if offset < self._offset:
            self._packed.seek(0)
            self._begin()
        while self._offset < offset and self.read(min(_STEP, offset - self._offset)):
            pass
        return self._offset

    def tell(self) -> int:
        """The number of the next byte."""
        return self._offset

    def _begin(self) -> None:
        self._file = gzip.GzipFile(fileobj=self._packed)
        self._buffer = b""
        self._buffer_offset = self._offset = 0
        self._damaged = False

    def _fill(self) -> bool:
        """Whether there is a byte left."""
        if self._buffer_offset < len(self._buffer):
            return True
        try:
            self._buffer = b"" if self._damaged else self._file.read1(_STEP)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            self._buffer, self._damaged = b"", True
        self._buffer_offset = 0
        return bool(self._buffer)
