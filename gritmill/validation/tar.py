"""Reads the tar of a shard by itself, and refuses whatever differs from the contract."""

import re
from collections.abc import Iterator
from typing import BinaryIO

_BLOCK, _RECORD = 512, 10_240  # sizes in a tar, in bytes

_OCTAL = re.compile(rb"[0-7]{11}\0")
_FIXED = {
    "mode": (100, b"0000644\0"),
    "owner's number": (108, b"0000000\0" * 2),
    "time": (136, b"0" * 11 + b"\0"),
    "type": (156, b"0" + bytes(100)),
    "format": (257, b"ustar\x0000"),
    "owner": (265, b"gritmill".ljust(32, b"\0") * 2),
    "rest": (329, bytes(183)),
}
"""The parts of a member's header that the contract fixes (USTAR, time 0, one owner): offset and value."""
_USUAL = b"".join(value for _, value in sorted(_FIXED.values()))
"""Of a header, all but the name, the length and the checksum."""
_USUAL_SUM = sum(_USUAL) + 8 * ord(" ")


class Broken(Exception):
    """A file cannot be read any further. The message gives the reason."""


def read_samples(file: BinaryIO, size: int) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yields each key with its members by ending. The members of a key are consecutive, and keys are ascending."""
    current = ""
    members: dict[str, bytes] = {}
    for name, data in _read_members(file, size):
        key, _, ending = name.partition(".")
        if key < current:
            raise Broken(f"{name} comes after {current}")
        if key != current and members:
            yield current, members
            members = {}
        if ending in members:
            raise Broken(f"{name} occurs twice")
        current, members[ending] = key, data
    if members:
        yield current, members


def _read_members(file: BinaryIO, size: int) -> Iterator[tuple[str, bytes]]:
    """Yields names and contents up to the end mark: at least two blocks of zeros, padded to the end of a record."""
    offset = 0
    while (header := file.read(_BLOCK)).strip(b"\0"):
        name, length = _read_header(header, offset)
        data = file.read(length)
        padding = file.read(-length % _BLOCK)
        if len(data) < length or len(padding) != -length % _BLOCK or padding.strip(b"\0"):
            raise Broken(f"{name} is truncated")
        yield name, data
        offset += _BLOCK + length + len(padding)
    tail = header + file.read(2 * _RECORD)
    if tail.strip(b"\0") or not 2 * _BLOCK <= len(tail) < _RECORD + 2 * _BLOCK:
        raise Broken(f"no end mark at byte {offset}")
    if offset + len(tail) != size or size % _RECORD:
        raise Broken(f"{offset + len(tail)} bytes, but {size} in the manifest")


def _read_header(block: bytes, offset: int) -> tuple[str, int]:
    """A member's name and length. All other fields of the USTAR header are the same for all members of a run."""
    name, octal = block[:100].rstrip(b"\0"), block[124:136]
    is_usual = block[100:124] + block[136:148] + block[156:] == _USUAL
    rest = _USUAL_SUM if is_usual else sum(block[100:124]) + sum(block[136:148]) + sum(block[156:]) + 8 * ord(" ")
    checksum = sum(name) + sum(octal) + rest
    if len(block) < _BLOCK or not _OCTAL.fullmatch(octal) or block[148:154] != b"%06o" % checksum:
        raise Broken(f"no valid header at byte {offset}")
    if not is_usual or not name.isascii():
        wrong_fields = [what for what, (start, value) in _FIXED.items() if block[start : start + len(value)] != value]
        raise Broken(f"{name!r}: header differs from the contract: {', '.join(wrong_fields) or 'name'}")
    return name.decode("ascii"), int(octal[:11], 8)
