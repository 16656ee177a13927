"""Caption text as a container holds it -> the caption. Only the container's framing is removed; inside nothing changes.

The framing is a leading byte-order mark, NULs at the end, which fill cells of a fixed width, and the final line end of
a text file.
"""

import codecs

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BYTE_ORDER_MARK = "\ufeff"


def from_text(text: str) -> str:
    """The caption in a cell or a JSON value."""
    return text.removeprefix(_BYTE_ORDER_MARK).rstrip("\0")


def from_file(data: bytes) -> str:
    """The caption in a text file, UTF-8 or UTF-16 with its byte-order mark. Invalid bytes become lone surrogates."""
    caption = from_text(_decode(data))
    return caption.removesuffix("\n").removesuffix("\r")


def problem(caption: str) -> str:
    """Why a caption is not text; empty if it is. Lone surrogates stand for bytes that are not UTF-8."""
    if "\0" in caption:
        return f"the caption has a NUL at character {caption.index(chr(0)) + 1}: it is not UTF-8, or it is binary"
    return ""


def _decode(data: bytes) -> str:
    if data.startswith(_UTF16_MARKS):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            pass  # the mark is not UTF-8 either, so it becomes a lone surrogate
    return data.decode("utf-8", "surrogateescape")
