"""64-bit perceptual hashes (pHash) of images, and which of many images look like an earlier one.

Copies of a photo that were encoded again or resized differ in at most 2 bits, unrelated photos in 18 or more. Crops,
borders and mirrored copies are not found, nor all copies of mirror-symmetric images.
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image

MAX_DISTANCE = 4
"""Two images are near if their hashes differ in at most so many bits."""

_SIDE, _LOW = 32, 8
_MIN_DEVIATION = 2.0
"""Of 255. Below it, an image is nearly of one colour: what its hash has is noise, and such images would be near."""

_WIDTHS = (13, 13, 13, 13, 12)
"""Bits of the bands: with at most four different bits, at least one of five bands is equal."""
assert len(_WIDTHS) == MAX_DISTANCE + 1
assert sum(_WIDTHS) == 64

_BLOCK = 1 << 15
"""Comparisons at once: 256 KB, which stay in the cache of a core."""

_FREQUENCIES = np.arange(_LOW)[:, None] * (2 * np.arange(_SIDE)[None, :] + 1)
_BASIS = np.cos(np.pi * _FREQUENCIES / (2 * _SIDE))
"""The lowest rows of the DCT-II. Its scale does not change which coefficients are above their median."""


def perceptual_hash(image: Image.Image) -> int | None:
    """The pHash of an image, 0..2^64-1; None if the image is nearly of one colour.

    It equals `imagehash.phash(image)`: grey, 32 x 32 pixels (Lanczos), DCT-II, the 8 x 8 lowest frequencies, and a bit
    for each one that is above their median; row by row, the first bit is the highest. Coefficients are rounded to six
    digits: those that are exactly 0, as in mirror-symmetric images, are 0 on every CPU. ImageHash has noise there.
    """
    grey = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), np.float64)
    if grey.std() < _MIN_DEVIATION:
        return None
    low = (_BASIS @ grey @ _BASIS.T).round(6) + 0.0  # no -0.0
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes())


def find_near(hashes: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """Whether each hash is near an earlier one; or, with `others`, whether it is near one of them.

    An earlier hash counts even if it is near a still earlier one itself: then each answer depends only on what comes
    before, and never changes when hashes are appended.

    hashes, others: uint64. Memory: some 60 bytes per hash.
    """
    values, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    if others is not None:
        return _near_others(values, np.unique(others))[inverse]
    near = np.empty(len(values), bool)
    order = np.argsort(first)
    near[order] = _near_earlier(values[order])
    of_each = near[inverse]
    of_each[np.setdiff1d(np.arange(len(hashes)), first, assume_unique=True)] = True  # equal to an earlier one
    return of_each


def _near_earlier(values: np.ndarray) -> np.ndarray:
    near = np.zeros(len(values), bool)
    for group in _groups(values):
        step = max(1, _BLOCK // len(group))
        for start in range(0, len(group), step):
            some, before = group[start : start + step], group[: start + step]
            close = _are_near(values[some], values[before])
            close[:, start:] = np.tril(close[:, start:], -1)
            near[some] |= close.any(axis=1)
    return near


def _near_others(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    near = np.zeros(len(values), bool)
    for group in _groups(np.concatenate([others, values])):
        known, asked = others[group[group < len(others)]], group[group >= len(others)] - len(others)
        step = max(1, _BLOCK // max(1, len(known)))
        for start in range(0, len(asked) if len(known) else 0, step):
            some = asked[start : start + step]
            near[some] |= _are_near(values[some], known).any(axis=1)
    return near


def _are_near(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    near: np.ndarray = np.bitwise_count(rows[:, None] ^ columns[None, :]) <= MAX_DISTANCE
    return near


def _groups(values: np.ndarray) -> Iterator[np.ndarray]:
    """The positions of values that have an equal band, in rising order, for each band."""
    shift = 0
    for width in _WIDTHS:
        band = (values >> np.uint64(shift)) & np.uint64((1 << width) - 1)
        order = np.argsort(band, kind="stable")
        borders = np.flatnonzero(np.diff(band[order])) + 1
        yield from (group for group in np.split(order, borders) if len(group) > 1)
        shift += width
