"""Text files as UTF-8, whatever they are: compressed, in another encoding, or with the line ends of old Macs.

Positions are byte offsets in the text as it is returned here.
"""

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, cast

from pipeline import files
from pipeline.faults import SourceFault

_HEAD = 1 << 16
_STEP = 1 << 16

_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16: its mark begins with that of UTF-16
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True)
class TextFile:
    """An open text file. The first line may begin with the byte-order mark of UTF-8.

    file: bytes of UTF-8, with the line ends LF or CR LF. Bytes that are not text in the encoding of the file are bytes
    that are not UTF-8.
    forward: whether reading from an offset reads all before it.
    """

    file: BinaryIO
    forward: bool


@contextmanager
def open_text(uri: str, encoding: str) -> Iterator[TextFile]:
    """Opens a text file. encoding: as Python calls it; "": UTF-8, or UTF-16 or UTF-32 if it begins with their mark.

    Raises:
      SourceFault: the block reads where a compressed file is damaged.
    """
    try:
        with files.open_read(uri) as raw:
            yield _decoded(raw, encoding)
    except EOFError as error:
        raise SourceFault(str(error)) from error


def read_text(uri: str, encoding: str) -> bytes:
    """The content of a text file. Raises as `open_text`."""
    with open_text(uri, encoding) as text:
        return text.file.read()


def _decoded(raw: BinaryIO, encoding: str) -> TextFile:
    stream: Any = files.unpacked(raw)
    start = _head(stream, 4)
    marked = next((name for mark, name in _MARKS.items() if start.startswith(mark)), "")
    encoding = codecs.lookup(encoding).name if encoding else marked
    if encoding and encoding != "utf-8":
        stream = files.ForwardFile(partial(_recoded, stream, encoding))
    forward = stream is not raw
    head = _head(stream, _HEAD)
    if b"\r" in head and b"\n" not in head:
        stream = _CarriageReturns(stream)
    return TextFile(raw if stream is raw else cast(BinaryIO, io.BufferedReader(stream, _STEP)), forward)


def _head(stream: Any, size: int) -> bytes:
    try:
        head: bytes = stream.read(size)
    except EOFError:
        head = b""
    stream.seek(0)
    return head


def _recoded(stream: Any, encoding: str) -> Iterator[bytes]:
    """The text as UTF-8, in blocks."""
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)(_KEEP_BYTES)
    while data := stream.read(_STEP):
        if text := decoder.decode(data):
            yield text.encode("utf-8", "surrogatepass")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")


_KEEP_BYTES = "gritmill.lone-surrogates"


def _lone_surrogates(error: UnicodeError) -> tuple[str, int]:
    """A lone surrogate, which is not valid in UTF-8, for each byte that does not decode."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_KEEP_BYTES, _lone_surrogates)


class _CarriageReturns(io.RawIOBase):
    """A file whose lines end with CR, with LF instead."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer)).replace(b"\r", b"\n")
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())
