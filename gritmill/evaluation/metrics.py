"""Recall@k and accuracy of ranked boxes against true boxes. Overlap is the plain IoU, not GIoU.

ANY-BOX: a box is correct if it matches any of the phrase's things. MERGED-BOX: a box is correct if it matches the box
around all of them. The names are those of the papers on Flickr30k Entities; Kosmos-2 (arXiv 2306.14824, section 4.1.1)
uses ANY-BOX.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from transforms.selection.select_boxes import ious
from transforms.text.grounded_caption import Corners

RANKS = (1, 5, 10)
MIN_IOU = 0.5
"""A box is correct if its IoU is at least this value."""

STRICT_IOU = 0.75


def enclosing_box(things: Sequence[Corners]) -> Corners:
    """The smallest box that contains all things."""
    low = np.min([thing[:2] for thing in things], axis=0)
    high = np.max([thing[2:] for thing in things], axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


@dataclass(frozen=True, slots=True)
class PhraseResult:
    """The result for one phrase.

    any_rank, merged_rank: rank of the first correct box, from 1; 0 if there is none.
    iou: IoU of the best-scored box with the thing that it overlaps most; 0 without a box.
    """

    kinds: tuple[str, ...]
    any_rank: int
    merged_rank: int
    iou: float


def measure_phrase(boxes: Sequence[Corners], things: Sequence[Corners], kinds: tuple[str, ...] = ()) -> PhraseResult:
    """Compares a phrase's boxes, best first, with its things. There must be at least one thing."""
    overlaps = ious(boxes, things).max(axis=1)
    merged = ious(boxes, [enclosing_box(things)])[:, 0]
    iou = float(overlaps[0]) if len(overlaps) else 0.0
    return PhraseResult(kinds, _first_rank(overlaps), _first_rank(merged), iou)


def _first_rank(overlaps: np.ndarray) -> int:
    right = np.flatnonzero(overlaps >= MIN_IOU)
    return int(right[0]) + 1 if len(right) else 0


def summarize(results: Sequence[PhraseResult]) -> dict[str, Any]:
    """Shares over phrases, 0..1. Each phrase has the same weight. None if there is no phrase."""
    overlaps = np.array([one.iou for one in results])
    return {
        "phrases": len(results),
        "any_box": _recalls([one.any_rank for one in results]),
        "merged_box": _recalls([one.merged_rank for one in results]),
        f"acc@{MIN_IOU:g}": _mean(overlaps >= MIN_IOU),
        f"acc@{STRICT_IOU:g}": _mean(overlaps >= STRICT_IOU),
        "mean_iou": _mean(overlaps),
    }


def summarize_by_kind(results: Iterable[PhraseResult]) -> Mapping[str, dict[str, Any]]:
    """The figures of each kind, sorted by name. A phrase of two kinds counts in both."""
    groups: defaultdict[str, list[PhraseResult]] = defaultdict(list)
    for one in results:
        for kind in set(one.kinds):
            groups[kind].append(one)
    return {kind: summarize(groups[kind]) for kind in sorted(groups)}


def _recalls(ranks: Sequence[int]) -> dict[str, float | None]:
    found = np.array(ranks)
    shares = {f"recall@{k}": _mean((found > 0) & (found <= k)) for k in RANKS}
    return {**shares, "upper_bound": _mean(found > 0)}


def share(part: int, total: int) -> float | None:
    """part / total, 0..1; None if the total is 0."""
    return part / total if total else None


def _mean(values: np.ndarray) -> float | None:
    return float(np.mean(values)) if len(values) else None


def match_boxes(boxes: Sequence[Corners], things: Sequence[Corners]) -> list[bool]:
    """Returns for each box, best-scored first, whether it is correct.

    A box takes the free thing that it overlaps most; a thing that is taken matches no other box.
    """
    overlaps = ious(boxes, things)
    right = []
    for row in overlaps:
        best = int(row.argmax()) if len(row) else 0
        hit = bool(len(row)) and bool(row[best] >= MIN_IOU)
        if hit:
            overlaps[:, best] = 0.0
        right.append(hit)
    return right
