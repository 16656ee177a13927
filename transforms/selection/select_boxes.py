"""Candidate boxes -> the boxes of the data set: score, size, non-maximum suppression, group boxes, caps.

Suppression is class-agnostic and runs across the phrases of a pair, as in step 4 of the Kosmos-2 paper. The paper gives
no threshold. Its released data contains pairs of boxes with an IoU of up to 0.69, hence the default of 0.7.

Everything works on arrays. `pack` reads each candidate box twice and keeps few of them, so it calls `select_many` for
all pairs of a chunk and builds objects only for the kept boxes. `select` does the same for one pair.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from transforms.claims.group_boxes import group_boxes
from transforms.records import Box, Grounding, Pair
from transforms.selection.ambiguous_phrases import ambiguous_phrases
from transforms.text.grounded_caption import Corners

if TYPE_CHECKING:
    from transforms.settings import SelectionSettings

SAME_BOX_IOU = 0.9
"""From this overlap on, two boxes of a class in captions of one image are one box: a detector returns nearly the same
box for another caption. Two things of a class overlap less."""

_TINY = float(np.finfo(np.float64).tiny)
"""Less than any area of both boxes: two boxes without an area have an IoU of 0."""

_Number = TypeVar("_Number", float, np.ndarray)


@dataclass(frozen=True)
class Candidates:
    """Boxes of many pairs, as columns of equal length.

    pair: number of the pair, ascending. phrase: number of the phrase in the pair. start, end: character offsets of the
    phrase's noun chunk. corners: float64 [4, boxes], rows x1, y1, x2, y2. score: float64. left_out: whether a box
    suppresses others but is not kept itself, see `ambiguous_phrases`.
    """

    pair: np.ndarray
    phrase: np.ndarray
    start: np.ndarray
    end: np.ndarray
    corners: np.ndarray
    score: np.ndarray
    left_out: np.ndarray


def select_many(boxes: Candidates, settings: "SelectionSettings", threshold: float) -> np.ndarray:
    """Positions of the kept boxes, ordered by pair, and best first within a pair.

    A box whose score equals the threshold is kept. Of boxes with equal scores, the one with the earlier span is first.
    Whether a box is a group box does not depend on the threshold, so a higher threshold keeps the first boxes of those
    that a lower one keeps, by score.
    """
    drop_groups = settings.groups == "drop"
    # A box below the threshold may be a member of a group above it.
    left = _suppressed(boxes, settings, 0.0 if drop_groups else threshold)
    kept: np.ndarray = left[~boxes.left_out[left]]
    if drop_groups:
        kept = kept[~_is_group(boxes, kept) & (boxes.score[kept] >= threshold)]
    if settings.boxes_per_phrase is not None:
        kept = kept[rank_within(boxes.pair[kept], boxes.phrase[kept]) < settings.boxes_per_phrase]
    if settings.boxes_per_pair is not None:
        kept = kept[rank_within(boxes.pair[kept]) < settings.boxes_per_pair]
    return kept


def select(pair: Pair, settings: "SelectionSettings", threshold: float) -> list[Grounding]:
    """The kept boxes of one pair, in the order of its record."""
    candidates = candidates_of(pair, dropped_phrases(pair, settings))
    kept = select_many(candidates, settings, threshold).tolist()
    return in_record_order(Grounding(pair.phrases[pair.boxes[at].phrase], pair.boxes[at]) for at in kept)


def dropped_groups(pair: Pair, settings: "SelectionSettings") -> set[int]:
    """The numbers of the boxes of a pair that suppress others and are not kept, because they are group boxes."""
    if settings.groups != "drop":
        return set()
    candidates = candidates_of(pair, dropped_phrases(pair, settings))
    left = _suppressed(candidates, settings, 0.0)
    return set(left[_is_group(candidates, left)].tolist())


def _suppressed(boxes: Candidates, settings: "SelectionSettings", threshold: float) -> np.ndarray:
    """Positions of the boxes that fit and that suppression leaves, ordered as by `select_many`."""
    (remaining,) = np.nonzero((boxes.score >= threshold) & _fits(boxes.corners, settings))
    ranked = remaining[_ranking(boxes, remaining)]
    kept: np.ndarray = ranked[suppress_many(boxes.pair[ranked], boxes.corners[:, ranked], settings.nms_iou)]
    return kept


def _ranking(boxes: Candidates, chosen: np.ndarray) -> np.ndarray:
    """The order of the boxes at these positions: by pair, score, span, then corners. Few boxes of a pair have equal
    scores, and only these are compared any further, which saves two thirds of the time."""
    pair, score = boxes.pair[chosen], -boxes.score[chosen]
    order = np.lexsort((score, pair))
    same = np.zeros(order.size + 1, bool)
    same[1:-1] = (np.diff(pair[order]) == 0) & (np.diff(score[order]) == 0)
    (places,) = np.nonzero(same[1:] | same[:-1])
    tied = order[places]
    keys = (*boxes.corners[::-1], boxes.end, boxes.start, -boxes.score, boxes.pair)
    order[places] = tied[np.lexsort([key[chosen[tied]] for key in keys])]
    return order


def _is_group(boxes: Candidates, chosen: np.ndarray) -> np.ndarray:
    """Whether each of the boxes at these positions is a group box among them."""
    phrase = boxes.pair[chosen] * (1 + boxes.phrase.max(initial=0)) + boxes.phrase[chosen]
    return group_boxes(phrase, boxes.corners[:, chosen], boxes.score[chosen])


def candidates_of(pair: Pair, left_out: Collection[int] = ()) -> Candidates:
    """The candidates of one pair. left_out: the numbers of the phrases whose boxes are not kept."""
    phrases = [pair.phrases[box.phrase] for box in pair.boxes]
    return Candidates(
        np.zeros(len(phrases), int),
        np.array([box.phrase for box in pair.boxes], int),
        np.array([phrase.start for phrase in phrases], int),
        np.array([phrase.end for phrase in phrases], int),
        corner_rows([box.corners for box in pair.boxes]),
        np.array([box.score for box in pair.boxes], float),
        np.array([box.phrase in left_out for box in pair.boxes], bool),
    )


def dropped_phrases(pair: Pair, settings: "SelectionSettings") -> set[int]:
    """The numbers of the phrases whose boxes suppress others and are not kept."""
    return ambiguous_phrases(pair) if settings.ambiguous_phrases == "drop" else set()


def in_record_order(groundings: Iterable[Grounding]) -> list[Grounding]:
    """Sorted by the start and the end of the noun chunk, then by descending score."""
    return sorted(groundings, key=lambda g: (g.phrase.start, g.phrase.end, -g.box.score, g.box.corners))


def suppress_many(pair: np.ndarray, corners: np.ndarray, threshold: float) -> np.ndarray:
    """Positions of the boxes that greedy non-maximum suppression keeps in each pair, ascending.

    A box is removed if its IoU with a kept box of higher rank is above `threshold`. Each round keeps the best remaining
    box of every pair, so the memory does not grow with the square of the number of boxes.

    Args:
      pair: number of each box's pair. corners: float64 [4, boxes]. Both sorted by pair, and best first within a pair.
    """
    remaining = np.arange(pair.size)
    boxes = np.vstack((corners, area(*corners)))  # of those that remain
    kept = np.zeros(pair.size, bool)
    while remaining.size:
        removed = _starts_run(pair)
        (best,) = np.nonzero(removed)
        kept[remaining[best]] = True
        rivals = boxes.take(best[np.cumsum(removed) - 1], 1)
        removed |= _ious(boxes, rivals, boxes[4] + rivals[4]) > threshold
        (left,) = np.nonzero(~removed)
        remaining, pair, boxes = remaining[left], pair[left], boxes.take(left, 1)
    (found,) = np.nonzero(kept)
    return found


def suppress(boxes: Sequence[Box], threshold: float) -> list[Box]:
    """`suppress_many` for one pair. boxes: best first, which is also the order of the result."""
    corners = corner_rows([box.corners for box in boxes])
    return [boxes[at] for at in suppress_many(np.zeros(len(boxes), int), corners, threshold)]


def corner_rows(boxes: Sequence[Corners]) -> np.ndarray:
    """The boxes as float64 [4, boxes], rows x1, y1, x2, y2."""
    return np.array(boxes, np.float64).reshape(-1, 4).T


def ious(boxes: Sequence[Corners], others: Sequence[Corners]) -> np.ndarray:
    """float64 [boxes, others]: intersection over union of each box with each other, 0..1; 0 if they do not overlap."""
    some, rest = corner_rows(boxes)[:, :, None], corner_rows(others)[:, None]
    return _ious(some, rest, area(*some) + area(*rest))


def _ious(some: np.ndarray, others: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Intersection over union of float64 [4 or more, …] and [4 or more, …]. areas: the sums of both areas, overwritten:
    operations in place take half of the time."""
    shared: np.ndarray = np.minimum(some[2], others[2])
    height: np.ndarray = np.minimum(some[3], others[3])
    shared -= np.maximum(some[0], others[0])
    height -= np.maximum(some[1], others[1])
    np.maximum(shared, 0.0, out=shared)
    shared *= np.maximum(height, 0.0, out=height)
    areas -= shared
    shared /= np.maximum(areas, _TINY, out=areas)
    return shared


def area(x1: _Number, y1: _Number, x2: _Number, y2: _Number) -> _Number:
    """The fraction of the image that a box covers, 0..1; or an array of fractions for arrays of corners."""
    covered: _Number = (x2 - x1) * (y2 - y1)
    return covered


def _fits(corners: np.ndarray, settings: "SelectionSettings") -> np.ndarray:
    x1, y1, x2, y2 = corners
    areas = area(*corners)
    fits: np.ndarray = np.minimum(x2 - x1, y2 - y1) >= settings.min_side
    fits &= (settings.min_area <= areas) & (areas <= settings.max_area)
    return fits


def _starts_run(*keys: np.ndarray) -> np.ndarray:
    """Whether each item starts a run of items that are equal in all keys."""
    begins = np.ones(keys[0].size, bool)
    np.logical_or.reduce([key[1:] != key[:-1] for key in keys], out=begins[1:])
    return begins


def rank_within(*keys: np.ndarray) -> np.ndarray:
    """For each item, the number of earlier items that are equal to it in all keys."""
    order = np.lexsort(keys[::-1])
    (begins,) = np.nonzero(_starts_run(*(key[order] for key in keys)))
    before = np.empty(order.size, int)
    before[order] = np.arange(order.size) - np.repeat(begins, np.diff(begins, append=order.size))
    return before
