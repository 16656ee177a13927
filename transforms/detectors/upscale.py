"""Bilinear upscaling to the bytes that Pillow's own `resize` gives, in three quarters of its time.

Pillow resizes rows, then columns. Its second step takes longer, as each value is a sum of its own. Here, NumPy does it
for whole rows, in float32. The results are equal, because each value is cut to a byte on the right side:

- With rows a and b and the weight k / 2^22 of b, k an integer, Pillow computes (a (2^22 - k) + b k + 2^21) >> 22.
- The values here are a + 1/2 + (b - a) weight. Their rounding errors sum to less than 3 / 2^17 = 2.3e-5.
- Before Pillow rounds it to k, a weight is p / 2m, m <= height. So a value is half way between two bytes, or at least
  1 / 2m >= 1.2e-4 away from that: more than the errors here and Pillow's (255 / 2^23 = 3e-5) together.
- In lowest terms, a weight is p / 2q where values can be half way; b - a is then a multiple of q. If q is a power of
  two, all is exact. Otherwise Pillow's error of k decides, and the weight here moves by 2^-11 / q in its direction, and
  the value by 2^-11 or more. Values that are not half way are at least 1 / 2q away and move by less than 1 / 8q.
"""

import math

import numpy as np
from PIL import Image

MAX_HEIGHT = 4096
_ROWS = 32
"""Rows at a time. Their floats, 0.4 MB, stay in the core's cache."""


def upscale(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """An RGB image with another width and more height, bilinear: uint8 [height, width, 3]. height <= `MAX_HEIGHT`."""
    width, height = size
    columns = width * 3
    pixels = np.asarray(image.resize((width, image.height), Image.Resampling.BILINEAR)).reshape(-1, columns)
    upper, weights = _upper_rows(len(pixels), height)
    lower = np.minimum(upper + 1, len(pixels) - 1)
    result = np.empty((height, columns), np.uint8)
    above, below = np.empty((2, _ROWS, columns), np.float32)
    values = np.empty((_ROWS + 1, columns), np.float32)
    for first in range(0, height, _ROWS):
        rows = slice(first, min(first + _ROWS, height))
        start, count = upper[first], rows.stop - first
        needed = pixels[start : lower[rows.stop - 1] + 1]
        source = np.add(needed, 0.5, out=values[: len(needed)], dtype=np.float32)
        a = np.take(source, upper[rows] - start, axis=0, out=above[:count], mode="clip")  # without a check, to `out`
        b = np.take(source, lower[rows] - start, axis=0, out=below[:count], mode="clip")
        b -= a
        b *= weights[rows, None]
        np.add(a, b, out=result[rows], dtype=np.float32, casting="unsafe")  # cut to whole numbers
    return result.reshape(height, width, 3)


def _upper_rows(before: int, after: int) -> tuple[np.ndarray, np.ndarray]:
    """For each of `after` rows, the upper one of its two rows of `before`, and the weight of the lower one, float32."""
    rows = np.arange(after)
    centres = (rows + 0.5) * (before / after) - 0.5
    upper = np.maximum(centres.astype(np.int64), 0)
    exact = np.maximum(centres - upper, 0)
    rounded = np.floor(exact * 2**22 + 0.5) / 2**22
    common = math.gcd(before, after)
    m = after // common
    p = ((2 * rows + 1) * (before // common) - m) % (2 * m)
    q = m // np.gcd(p, m)
    moved = (p % 2 == 1) & (q <= 255) & (q & (q - 1) != 0)  # b - a is at most 255
    return upper, (rounded + np.where(moved, np.sign(rounded - exact) * 2**-11 / q, 0)).astype(np.float32)
