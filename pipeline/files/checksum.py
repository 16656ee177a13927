"""The checksum that a file contains of itself: BLAKE2b-128 of the file in which its own 32 digits are zeros."""

import hashlib
import re

EMPTY = "0" * 32
"""What a file contains before `seal`."""


def seal(data: bytes, place: re.Pattern[bytes]) -> bytes:
    """Writes the checksum into the bytes of a file. place: its first group matches the 32 digits; the last one counts.

    Raises:
      ValueError: the bytes have no such place.
    """
    match = _last(data, place)
    if match is None:
        raise ValueError("no place for the checksum")
    return b"".join([data[: match.start(1)], _checksum(data, match), data[match.end(1) :]])


def is_intact(data: bytes, place: re.Pattern[bytes]) -> bool | None:
    """Whether a file has the checksum that it contains. None if it contains none."""
    match = _last(data, place)
    return None if match is None else _checksum(data, match) == match[1]


def _last(data: bytes, place: re.Pattern[bytes]) -> re.Match[bytes] | None:
    match = None
    for match in place.finditer(data):  # noqa: B007
        pass
    return match


def _checksum(data: bytes, match: re.Match[bytes]) -> bytes:
    view = memoryview(data)  # a plan may have 40 MB
    digest = hashlib.blake2b(digest_size=16)
    for part in (view[: match.start(1)], EMPTY.encode(), view[match.end(1) :]):
        digest.update(part)
    return digest.hexdigest().encode()
