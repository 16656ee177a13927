"""Chooses boxes to ask about, spread over the scores."""

import random

import numpy as np

_BINS = 20
_GOLDEN = 0.6180339887498949
"""Multiples of it, modulo 1, are spread evenly, however many there are (Weyl 1916): so are the first answers of a
person who stops early."""


def spread(score: np.ndarray, weight: np.ndarray, picture: np.ndarray, number: int, seed: int) -> np.ndarray:
    """The positions of up to `number` boxes, in the order in which they are asked about.

    Half of the boxes are spread evenly over the 20 bins of the score that have boxes, half like the boxes. The first
    half tells about every threshold, the second one about the thresholds with many boxes. Within a bin, the chance of a
    box is proportional to its weight. No image has a second box before every image has one.

    Args:
      score: 0..1. weight: above 0; how many boxes of the run each box stands for. picture: integers, the image of each
        box. All of one length. seed: a different choice for each.
    """
    if not len(score):
        return np.empty(0, int)
    rng = np.random.default_rng(random.Random(f"boxes {seed}").getrandbits(64))  # a seed may be negative
    order = np.lexsort((rng.random(len(score)), score))  # boxes of one score in random order
    score, weight, picture = score[order], weight[order] / weight.sum(), picture[order]
    bins = np.minimum((score * _BINS).astype(int), _BINS - 1)
    of_bin = np.bincount(bins, weight, _BINS)
    mass = weight * (1 + 1 / (of_bin[bins] * np.count_nonzero(of_bin))) / 2
    ends = np.cumsum(mass)
    start = rng.random()
    chosen: list[int] = []
    left, fresh = np.ones(len(score), bool), np.ones(picture.max() + 1, bool)
    for turn in range(min(number, len(score))):
        at = (start + turn * _GOLDEN) % 1 * ends[-1]
        allowed = left & fresh[picture]
        if not allowed.any():
            fresh[:] = True
            allowed = left
        hit = min(int(np.searchsorted(ends, at, "right")), len(score) - 1)
        if not allowed[hit]:
            hit = int(np.where(allowed, np.abs(ends - mass / 2 - at), np.inf).argmin())
        chosen.append(hit)
        left[hit] = fresh[picture[hit]] = False
    return order[chosen]
