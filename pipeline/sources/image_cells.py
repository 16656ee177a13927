"""The image in a cell of a table: bytes, base64, a data URI, numbers, a struct, or the path of a file."""

import base64
import binascii
import re
from typing import Any
from urllib.parse import unquote_to_bytes

from transforms.records import FailureStage, Fault, Reason
from transforms.wording import article, counted

_DATA_URI = re.compile(r"data:[^,;]*(?:;[^,;=]+=[^,;]*)*(;base64)?,", re.IGNORECASE)
_MIN_BASE64 = 40  # characters; a GIF of one pixel has 56
_BASE64_STARTS = ("/9j/", "iVBOR", "R0lGO", "UklGR", "Qk", "SUkq", "TU0AK", "AAAA", "UDQ", "UDU", "UDY")
"""How JPEG, PNG, GIF, WebP, BMP, TIFF, AVIF and PNM begin in base64."""

_DATA = ("data:", "DATA:", "Data:")


def image_in(cell: Any) -> bytes | str | Fault:
    """The encoded image in a cell, or the path of a file.

    A list with one item is that item. Hugging Face's struct<bytes, path> may have either of its fields. Texts and bytes
    that are base64 are decoded if they begin as an image does.
    """
    if isinstance(cell, str | bytes) and cell:
        start = cell[:5] if isinstance(cell, str) else cell[:5].decode("latin-1")
        if start in _DATA or (start.startswith(_BASE64_STARTS) and len(cell) >= _MIN_BASE64):
            return _in_text(cell if isinstance(cell, str) else cell.decode("latin-1"), cell)
        return cell
    if isinstance(cell, list | tuple) and cell:
        return _in_list(cell)
    if isinstance(cell, dict) and ("bytes" in cell or "path" in cell):
        return image_in(cell.get("path") if cell.get("bytes") is None else cell["bytes"])
    if not cell:
        return Fault(FailureStage.READ, Reason.NO_IMAGE, "the row names no image")
    return _fault(described(cell))


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


def _in_list(cell: list[Any] | tuple[Any, ...]) -> bytes | str | Fault:
    if len(cell) == 1 and not isinstance(cell[0], int):
        return image_in(cell[0])
    if all(type(item) is int and 0 <= item < 256 for item in cell):
        return bytes(cell)
    return _fault(described(cell))


def _in_text(text: str, cell: str | bytes) -> bytes | str | Fault:
    if match := _DATA_URI.match(text):
        content = text[match.end() :]
        return _from_base64(content) if match[1] else unquote_to_bytes(content)
    decoded = _from_base64(text)
    return cell if isinstance(decoded, Fault) else decoded


def _from_base64(text: str) -> bytes | Fault:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        return _fault(f"invalid base64: {error}")


def _fault(what: str) -> Fault:
    return Fault.from_error(FailureStage.READ, Reason.NO_IMAGE, f"the image is {what}")
