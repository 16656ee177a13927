"""What `select_boxes.select` does to one pair, done to many at once, on arrays.

`pack` reads each candidate box twice, and few of them are kept: objects are made of these alone.
"""

from dataclasses import dataclass

import numpy as np

from transforms.settings import SelectionSettings


@dataclass(frozen=True)
class Candidates:
    """Boxes of many pairs, as columns of one length.

    pair: number of the pair, ascending. phrase: number of the phrase within the pair. start, end: of the phrase's noun
    chunk. corners: float64 [4, boxes], rows x1, y1, x2, y2. score: float64.
    """

    pair: np.ndarray
    phrase: np.ndarray
    start: np.ndarray
    end: np.ndarray
    corners: np.ndarray
    score: np.ndarray


def select_many(boxes: Candidates, settings: SelectionSettings, threshold: float) -> np.ndarray:
    """Positions of the boxes that `select` keeps of each pair: pair after pair, within a pair best first."""
    (remaining,) = np.nonzero((boxes.score >= threshold) & _fits(boxes.corners, settings))
    keys = (*boxes.corners[::-1], boxes.end, boxes.start, -boxes.score, boxes.pair)
    ranked = remaining[np.lexsort([key[remaining] for key in keys])]
    kept: np.ndarray = ranked[suppress_many(boxes.pair[ranked], boxes.corners[:, ranked], settings.nms_iou)]
    if settings.boxes_per_phrase is not None:
        kept = kept[rank_within(boxes.pair[kept], boxes.phrase[kept]) < settings.boxes_per_phrase]
    if settings.boxes_per_pair is not None:
        kept = kept[rank_within(boxes.pair[kept]) < settings.boxes_per_pair]
    return kept


def suppress_many(pair: np.ndarray, corners: np.ndarray, threshold: float) -> np.ndarray:
    """Positions of the boxes that greedy non-maximum suppression keeps of each pair, ascending.

    The same to the bit: doubles, and the operations of `iou` in their order. Each round takes the best box that is left
    of every pair, so that no square of memory is needed.

    Args:
      pair: number of each box's pair. corners: float64 [4, boxes]. Both by pair, and within a pair best first.
    """
    areas = (corners[2] - corners[0]) * (corners[3] - corners[1])
    remaining = np.arange(pair.size)
    kept = np.zeros(pair.size, bool)
    while remaining.size:
        first = _starts_run(pair[remaining])
        best = remaining[first]
        kept[best] = True
        rivals = best[np.cumsum(first) - 1]
        remaining = remaining[~(first | _overlap(corners, areas, remaining, rivals, threshold))]
    (found,) = np.nonzero(kept)
    return found


def _overlap(
    corners: np.ndarray, areas: np.ndarray, some: np.ndarray, others: np.ndarray, threshold: float
) -> np.ndarray:
    (x1, y1, x2, y2), (u1, v1, u2, v2) = corners[:, some], corners[:, others]
    width = np.minimum(x2, u2) - np.maximum(x1, u1)
    height = np.minimum(y2, v2) - np.maximum(y1, v1)
    shared = width * height
    union = areas[some] + areas[others] - shared
    with np.errstate(divide="ignore", invalid="ignore"):
        over: np.ndarray = (width > 0) & (height > 0) & (union > 0) & (shared / union > threshold)
    return over


def _fits(corners: np.ndarray, settings: SelectionSettings) -> np.ndarray:
    x1, y1, x2, y2 = corners
    width, height = x2 - x1, y2 - y1
    area = width * height
    fits: np.ndarray = (np.minimum(width, height) >= settings.min_side) & (settings.min_area <= area)
    fits &= area <= settings.max_area
    return fits


def _starts_run(*keys: np.ndarray) -> np.ndarray:
    """Whether each item begins a run of items that are equal in all keys."""
    begins = np.ones(keys[0].size, bool)
    begins[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return begins


def rank_within(*keys: np.ndarray) -> np.ndarray:
    """How many items before each one are equal to it in all keys."""
    order = np.lexsort(keys[::-1])
    (begins,) = np.nonzero(_starts_run(*(key[order] for key in keys)))
    before = np.empty(order.size, int)
    before[order] = np.arange(order.size) - np.repeat(begins, np.diff(begins, append=order.size))
    return before
