"""Boxes around several things: the box that a detector gives for "two dogs" beside the boxes of the dogs.

`group_boxes` works on arrays, as `selection.select_boxes` does, for all phrases of many pairs at once.
"""

import numpy as np

from transforms.claims.verdicts import Corners

COVERED = 0.8
"""The share of a smaller box that a group box covers. Boxes are not exact: a thing may stand out of its group."""

MEMBERS = 2
"""How many smaller boxes a group box covers. One that is covered may be a part of the thing, or something before it."""

SCORE = 0.75
"""Where scores count, those of the smaller boxes are at least this fraction of the group box's own.

A threshold in its place would bring a group box back where it is high enough. Without a limit, parts of a thing, which
score low, would make it a group. On photos with simulated scores, groups and parts, this brings two thirds to four
fifths of the gain in F1 that a threshold would; no limit costs more F1 than dropping groups gains."""


def group_boxes(phrase: np.ndarray, corners: np.ndarray, score: np.ndarray | None = None) -> np.ndarray:
    """Whether each box covers at least `COVERED` of `MEMBERS` or more smaller boxes of its phrase; bool [boxes].

    Each round compares every box with one other box, so the memory is linear in the boxes. There are as many rounds as
    boxes in the largest phrase.

    Args:
      phrase: number of each box's phrase among all pairs, in any order. corners: float64 [4, boxes], x1, y1, x2, y2.
      score: if given, only smaller boxes with at least `SCORE` of the score of the larger one count.
    """
    order = np.argsort(phrase, kind="stable")
    owner, corners = phrase[order], corners[:, order]
    areas = (corners[2] - corners[0]) * (corners[3] - corners[1])
    scores = np.ones(owner.size) if score is None else score[order]
    members = np.zeros(owner.size, int)
    first, distance = np.arange(owner.size), 0
    while first.size:
        distance += 1
        first = first[first + distance < owner.size]
        first = first[owner[first] == owner[first + distance]]
        second = first + distance
        first_is_larger = areas[first] > areas[second]
        large, small = np.where(first_is_larger, first, second), np.where(first_is_larger, second, first)
        covered = _shared(corners[:, first], corners[:, second]) >= COVERED * areas[small]
        covered &= (areas[large] > areas[small]) & (scores[small] >= SCORE * scores[large])
        members += np.bincount(large[covered], minlength=owner.size)
    result = np.empty(owner.size, bool)
    result[order] = members >= MEMBERS
    return result


def without_groups(boxes: tuple[Corners, ...]) -> tuple[Corners, ...]:
    """The boxes of one phrase that are no group boxes, in their order. At least the `MEMBERS` smallest ones.

    For the few boxes of a phrase, this takes a tenth of the time of `group_boxes`.
    """
    if len(boxes) <= MEMBERS:
        return boxes
    smallest = sorted([((x2 - x1) * (y2 - y1), x1, y1, x2, y2) for x1, y1, x2, y2 in boxes])
    groups = set()
    for at, (area, *box) in enumerate(smallest[MEMBERS:], MEMBERS):
        x1, y1, x2, y2 = box
        members = 0
        for its, left, top, right, bottom in smallest[:at]:
            width = (x2 if x2 < right else right) - (x1 if x1 > left else left)
            height = (y2 if y2 < bottom else bottom) - (y1 if y1 > top else top)
            members += width > 0 and height > 0 and its < area and width * height >= COVERED * its
        if members >= MEMBERS:
            groups.add((x1, y1, x2, y2))
    return tuple(box for box in boxes if box not in groups) if groups else boxes


def _shared(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The areas that float64 [4, boxes] and [4, boxes] share."""
    width = np.minimum(some[2], others[2]) - np.maximum(some[0], others[0])
    height = np.minimum(some[3], others[3]) - np.maximum(some[1], others[1])
    shared: np.ndarray = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    return shared
