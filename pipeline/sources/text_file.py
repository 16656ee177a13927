"""Text files as UTF-8, whatever they are: compressed, in another encoding, or with the line ends of old Macs.

Positions are byte offsets in the text as it is returned here.
"""

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, BinaryIO, cast

from pipeline import files
from pipeline.faults import SourceFault, first_line

_HEAD = 1 << 16
_STEP = 1 << 16
_UNMARKED = 128
LONGEST_LINE = 64 << 20
"""Bytes of a line, without its end. A longer one is a source fault: a few KiB of gzip can unpack to gigabytes."""

_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16: its mark begins with that of UTF-16
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SHIFTED = {
    "utf-16": (2, re.compile("\u0a00")),
    "utf-32": (4, re.compile("[\u0a00\U000a0000\udc0a]")),
}
"""For each encoding: the bytes of its unit, and what a line end becomes if the units are read at a wrong byte. Unicode
has no such characters. U+DC0A is the byte 0A in a unit that does not decode."""


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
      SourceFault: the encoding needs a mark that the file lacks. Or the block reads where a compressed file is damaged,
        where UTF-16 or UTF-32 has lost a byte, or the end of a line of more than 64 MiB.
    """
    with _opened(uri, encoding) as (stream, forward):
        yield TextFile(cast(BinaryIO, io.BufferedReader(_Lines(stream), _STEP)), forward)


def look_into(uri: str, encoding: str) -> tuple[bool, str]:
    """Whether a text file is read forward, as in `TextFile`; and, without an encoding, UTF-16 or UTF-32 with its byte
    order, if the file looks like it and has no byte-order mark, else "". Raises as `open_text`."""
    with _opened(uri, encoding) as (stream, forward):
        head = b"" if encoding else _head(stream, _UNMARKED)
    for unmarked in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be") if b"\0" in head else ():
        line = head[: len(head) - len(head) % 4].decode(unmarked, "replace").partition("\n")[0]
        if "\0" not in line and 2 * sum(map(str.isascii, line)) > len(line):  # a header, or a path
            return forward, unmarked
    return forward, ""


def read_text(uri: str, encoding: str) -> bytes:
    """The content of a text file, whose lines may have any length. Raises as `open_text`."""
    with _opened(uri, encoding) as (stream, _):
        content: bytes = stream.read()
    return content


@contextmanager
def _opened(uri: str, encoding: str) -> Iterator[tuple[Any, bool]]:
    """The stream of a text file, and whether it is read forward."""
    try:
        with files.open_read(uri) as raw:
            yield _decoded(raw, encoding)
    except EOFError as error:
        raise SourceFault(str(error)) from error


def _decoded(raw: BinaryIO, encoding: str) -> tuple[Any, bool]:
    stream: Any = files.unpacked(raw)
    start = _head(stream, 4)
    marks = [name for mark, name in _MARKS.items() if start.startswith(mark)]
    encoding = codecs.lookup(encoding).name if encoding else next(iter(marks), "")
    if encoding in _SHIFTED and encoding not in marks and start:
        cure = f"set source.encoding={encoding}-le or {encoding}-be"
        raise SourceFault(f"{encoding} without a byte-order mark; {cure}")
    if encoding and encoding != "utf-8":
        stream = files.ForwardFile(partial(_recoded, stream, encoding))
    head = _head(stream, _HEAD)
    forward = stream is not raw
    return _CarriageReturns(stream) if b"\r" in head and b"\n" not in head else stream, forward


def _head(stream: Any, size: int) -> bytes:
    try:
        head: bytes = stream.read(size)
    except EOFError:
        head = b""
    stream.seek(0)
    return head


def _recoded(stream: Any, encoding: str) -> Iterator[bytes]:
    """The text as UTF-8, in blocks.

    After a lost byte, UTF-16 has no line ends. The rest of the file would be one row, and its rows would be lost
    without being counted.

    Raises:
      EOFError: the next byte does not belong to the text.
    """
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)(_KEEP_BYTES)
    size, shifted = _SHIFTED.get(encoding[: len("utf-16")], (1, None))
    lines = 1
    for data in chain(iter(lambda: stream.read(_STEP), b""), [b""]):
        pending = len(decoder.getstate()[0]) if size > 1 else 0
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeError as error:  # of decoders that give up, such as that of ISO-2022-JP
            raise EOFError(f"not {encoding} from line {lines} on: {first_line(error)}") from error
        found = shifted.search(text) if shifted else None
        text = text[: found.start()] if found else text
        if text:
            yield text.encode("utf-8", "surrogatepass")
        lines += text.count("\n")
        if found or (not data and pending % size):
            why = "a byte is lost, or the order of bytes is wrong" if found else "it ends in the middle of a character"
            raise EOFError(f"not {encoding} from line {lines} on: {why}; save it again as UTF-8")


_KEEP_BYTES = "gritmill.lone-surrogates"


def _lone_surrogates(error: UnicodeError) -> tuple[str, int]:
    """A lone surrogate, which is not valid in UTF-8, for each byte that does not decode."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_KEEP_BYTES, _lone_surrogates)


class _Lines(files.RawFile):
    """A file of which only lines are read, from the beginning of a line on. Refuses a line that is too long."""

    closed = False  # BufferedReader asks for each line; the property of the base class costs 4 % of the time

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self._offset = self._line = 0  # the next byte, and the first one of its line

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        end = data.find(b"\n") if self._offset + len(data) - self._line > LONGEST_LINE else 0
        if end < 0 or self._offset + end - self._line > LONGEST_LINE:
            what = f"the line at byte {self._line} is longer than {LONGEST_LINE >> 20} MiB"
            raise EOFError(f"{what}; end each row with a line end, or set source.kind if this is no text table")
        self._offset += len(data)
        self._line = self._offset - len(data) + last + 1 if (last := data.rfind(b"\n")) >= 0 else self._line
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._offset = self._line = super().seek(offset, whence)
        return self._offset


class _CarriageReturns(files.RawFile):
    """A file whose lines end with CR, with LF instead."""

    def read(self, size: int = -1) -> bytes:
        return super().read(size).replace(b"\r", b"\n")
