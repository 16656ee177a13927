"""Writes the tar of a shard, with reproducible members, and computes its size and SHA-256.

A separate thread hashes and writes each block while the next one is built. Both operations release the GIL.
"""

import hashlib
import tarfile
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import BinaryIO

_BLOCK = 512
_RECORD = 10_240  # tar's record size: readers may expect whole records
_BUFFER_BYTES = 1 << 20  # small enough to stay in the cache of a core between write and hash


class TarWriter:
    """Writes members into an open file. A context manager: after the block, the tar and `sha256` are complete.

    A write error may be raised by a later call than the one that caused it, or at the end of the block.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.size = 0
        self._file = file
        self._hash = hashlib.sha256()
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shard")
        self._pending: Future[None] | None = None

    def __enter__(self) -> "TarWriter":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self._thread:
            if kind is None:
                self._write(b"\0" * (2 * _BLOCK))
                self._write(b"\0" * (-self.size % _RECORD))
                self._flush()
                self._wait()

    @property
    def sha256(self) -> str:
        """The SHA-256 of all bytes written so far, hexadecimal."""
        return self._hash.hexdigest()

    def add(self, name: str, data: bytes) -> None:
        """Adds a member with a USTAR header, time 0, fixed owner and mode."""
        self._write(header(name, len(data)))
        self._write(data)
        self._write(b"\0" * (-len(data) % _BLOCK))
        if self._buffered >= _BUFFER_BYTES:
            self._flush()

    def _write(self, data: bytes) -> None:
        self._buffer.append(data)
        self._buffered += len(data)
        self.size += len(data)

    def _flush(self) -> None:
        self._wait()
        self._pending = self._thread.submit(self._write_buffer, self._buffer)
        self._buffer, self._buffered = [], 0

    def _wait(self) -> None:
        if self._pending:
            self._pending.result()

    def _write_buffer(self, buffer: list[bytes]) -> None:
        block = b"".join(buffer)  # the kernel takes one write of 1 MiB in two thirds of the time of six
        self._file.write(block)
        self._hash.update(block)


def header(name: str, size: int) -> bytes:
    """The USTAR header of a member. Same bytes as tarfile writes, in a fifteenth of the time.

    POSIX.1-1988: bytes 0 to 99 are the name, 124 to 135 the size in octal, 148 to 155 the sum of all bytes.
    """
    encoded = name.encode()
    if len(encoded) > 100 or size >= 8**11:
        return _tarfile_header(name, size)
    blank, total = _blank()
    length = b"%011o\0" % size
    checksum = b"%06o\0 " % (total + sum(encoded) + sum(length))
    return b"".join((encoded.ljust(100, b"\0"), blank[100:124], length, blank[136:148], checksum, blank[156:]))


@cache
def _blank() -> tuple[bytes, int]:
    """A header without name and size, and the sum of its other bytes. The checksum counts as blanks."""
    blank = _tarfile_header("", 0)
    return blank, sum(blank[:124]) + sum(blank[136:148]) + 8 * ord(" ") + sum(blank[156:])


def _tarfile_header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o644
    info.uname = info.gname = "gritmill"
    return info.tobuf(tarfile.USTAR_FORMAT)
