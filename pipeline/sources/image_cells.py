"""The image in a cell of a table: bytes, base64, a data URI, numbers, a struct, or the path of a file."""

import base64
import binascii
import re
from typing import Any
from urllib.parse import unquote_to_bytes

from pipeline.faults import first_line
from transforms.records import FailureStage, Fault, Reason
from transforms.wording import article, counted

_DATA_URI = re.compile(r"data:[^,;]*(?:;[^,;=]+=[^,;]*)*(;base64)?,", re.IGNORECASE)
_MIN_BASE64 = 40  # characters; a GIF of one pixel has 56
_BASE64_STARTS = ("/9j/", "iVBOR", "R0lGO", "UklGR", "Qk", "SUkq", "TU0AK", "AAAA", "UDQ", "UDU", "UDY", "_9j_")
"""How JPEG, PNG, GIF, WebP, BMP, TIFF, AVIF and PNM begin in base64."""

_STARTS = re.compile(
    rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0|II\*\0|MM\0\*|....ftyp|P[456]\s",
    re.DOTALL,
)
"""How they begin. A path that happens to be valid base64 does not."""

_DATA = ("data:", "DATA:", "Data:")
_MAX_WRAPS = 8  # lists and structs around an image


def image_in(cell: Any) -> bytes | str | Fault:
    """The encoded image in a cell, or the path of a file.

    A list with one item is that item. Hugging Face's struct<bytes, path> may have either of its fields. Texts and bytes
    that are base64, also without padding or for URLs, are decoded if they are an image.
    """
    for _ in range(_MAX_WRAPS):
        if isinstance(cell, str | bytes) and cell:
            return _in_text(cell)
        if isinstance(cell, dict) and ("bytes" in cell or "path" in cell):
            path, data = cell.get("path"), cell.get("bytes")
            if path is not None and not isinstance(data, bytes) and not isinstance(image_in(data), bytes):
                data = path
            cell = path if data is None else data
        elif isinstance(cell, list | tuple) and len(cell) == 1 and not isinstance(cell[0], int):
            [cell] = cell
        elif isinstance(cell, list | tuple) and cell and all(type(item) is int and 0 <= item < 256 for item in cell):
            return bytes(cell)
        else:
            break
    if not cell:
        return Fault(FailureStage.READ, Reason.NO_IMAGE, "the row names no image")
    return _fault(described(cell))


def bytes_in(cell: Any) -> bytes:
    """The encoded image in a cell. Empty if there is none."""
    found = image_in(cell)
    return found if isinstance(found, bytes) else b""


def described(value: Any) -> str:
    """What a value is, for a message: "a number", "a list of 3 texts", "an object with en, fr"."""
    if isinstance(value, dict):
        names = ", ".join(map(str, value))
        return f"an object with {names[:60]}" if value else "an empty object"
    if isinstance(value, list | tuple):
        nouns = {_noun(item) for item in value}
        return f"a list of {counted(len(value), nouns.pop() if len(nouns) == 1 else 'item')}"
    return "null" if value is None else article(_noun(value))


def _noun(value: Any) -> str:
    names = {bool: "boolean", int: "number", float: "number", str: "text", bytes: "binary value", dict: "object"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def _in_text(cell: str | bytes) -> bytes | str | Fault:
    start = _as_text(cell[:64]).lstrip()[:5]
    if start in _DATA:
        text = _as_text(cell).lstrip()
        if match := _DATA_URI.match(text):
            content = text[match.end() :]
            return _from_base64(content) if match[1] else unquote_to_bytes(content)
    elif start.startswith(_BASE64_STARTS) and len(cell) >= _MIN_BASE64:
        decoded = _from_base64(_as_text(cell))
        if isinstance(decoded, bytes) and _STARTS.match(decoded):
            return decoded
    return cell


def _as_text(cell: str | bytes) -> str:
    return cell if isinstance(cell, str) else cell.decode("latin-1")


def _from_base64(text: str) -> bytes | Fault:
    text = "".join(text.split()).translate(_FROM_URLS).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        return _fault(f"invalid base64: {first_line(error)}")


_FROM_URLS = str.maketrans("-_", "+/")


def _fault(what: str) -> Fault:
    return Fault.from_error(FailureStage.READ, Reason.NO_IMAGE, f"the image is {what}")
