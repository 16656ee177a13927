"""Recall@k and accuracy of ranked boxes against true ones. An overlap is the plain IoU, never GIoU.

ANY-BOX: a box is right if it lies on any of the phrase's things; MERGED-BOX: if it lies on the box around all of them
(names as in Flickr30k Entities' papers; Kosmos-2, arXiv 2306.14824, section 4.1.1, takes ANY-BOX).
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
"""IoU from which on a box is right; one that is equal is right."""

STRICT_IOU = 0.75


def enclosing_box(things: Sequence[Corners]) -> Corners:
    """The smallest box around all of them."""
    low = np.min([thing[:2] for thing in things], axis=0)
    high = np.max([thing[2:] for thing in things], axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


@dataclass(frozen=True, slots=True)
class PhraseResult:
    """One phrase. any_rank, merged_rank: of the first right box, from 1; 0 if there is none.

    iou: of the best-scored box with the thing that it overlaps most, 0 without a box.
    """

    kinds: tuple[str, ...]
    any_rank: int
    merged_rank: int
    iou: float


def measure_phrase(boxes: Sequence[Corners], things: Sequence[Corners], kinds: tuple[str, ...] = ()) -> PhraseResult:
    """A phrase's boxes, best first, against its things, of which there is at least one."""
    overlaps = ious(boxes, things).max(axis=1)
    merged = ious(boxes, [enclosing_box(things)])[:, 0]
    iou = float(overlaps[0]) if len(overlaps) else 0.0
    return PhraseResult(kinds, _first_rank(overlaps), _first_rank(merged), iou)


def _first_rank(overlaps: np.ndarray) -> int:
    right = np.flatnonzero(overlaps >= MIN_IOU)
    return int(right[0]) + 1 if len(right) else 0


def summarize(results: Sequence[PhraseResult]) -> dict[str, Any]:
    """Shares, 0..1, over phrases; every phrase counts the same. None where there is no phrase."""
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
    """Figures of every kind, sorted by name; a phrase of two kinds counts in both."""
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
    """0..1; None of nothing."""
    return part / total if total else None


def _mean(values: np.ndarray) -> float | None:
    return float(np.mean(values)) if len(values) else None


def match_boxes(boxes: Sequence[Corners], things: Sequence[Corners]) -> list[bool]:
    """Whether each box, best-scored first, is right. Of several free things it takes the one that it overlaps most."""
    overlaps = ious(boxes, things)
    right = []
    for row in overlaps:
        best = int(row.argmax()) if len(row) else 0
        hit = bool(len(row)) and bool(row[best] >= MIN_IOU)
        if hit:
            overlaps[:, best] = 0.0
        right.append(hit)
    return right
