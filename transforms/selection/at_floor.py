"""What the detector found for a phrase at its floor, whatever the threshold: claims that count things depend on it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from transforms.selection.select_boxes import Candidates, suppress_many
from transforms.settings import SelectionSettings


@dataclass(frozen=True)
class AtFloor:
    """What the detector found for a phrase. left: candidates that suppression leaves. cut: whether the limit of
    candidates removed others. lowest: the lowest score."""

    left: int
    cut: bool
    lowest: float


PhraseNumber = tuple[int, int]
"""The numbers of a pair and of its phrase."""

Floor = dict[PhraseNumber, AtFloor]
"""What the detector found for each phrase of which a claim needs to know it."""


def floor_of(
    candidates: Candidates, wanted: Sequence[PhraseNumber], cut: set[int], settings: SelectionSettings
) -> Floor:
    """What the detector found for these phrases. Each is suppressed on its own, with all scores and sizes.

    cut: the pairs of which the limit of candidates removed some. The limit is the same for all phrases, so they are of
    the phrases with the most candidates.
    """
    if not wanted:
        return {}
    phrases = 1 + max(candidates.phrase.max(initial=0), max(phrase for _, phrase in wanted))
    keys = candidates.pair * phrases + candidates.phrase
    asked = [pair * phrases + phrase for pair, phrase in wanted]
    (chosen,) = np.nonzero(np.isin(keys, asked))
    order = chosen[np.lexsort((*candidates.corners[::-1, chosen], -candidates.score[chosen], keys[chosen]))]
    left = keys[order[suppress_many(keys[order], candidates.corners[:, order], settings.nms_iou)]]
    first = np.searchsorted(keys[order], asked)
    last = np.searchsorted(keys[order], asked, "right")
    things = np.searchsorted(left, asked, "right") - np.searchsorted(left, asked)
    limits = {
        pair: np.bincount(candidates.phrase[candidates.pair == pair], minlength=1).max()
        for pair in cut.intersection(pair for pair, _ in wanted)
    }
    return {
        number: AtFloor(
            int(count),
            number[0] in cut and end - begin == limits[number[0]],
            float(candidates.score[order[end - 1]]) if end > begin else 0.0,
        )
        for number, count, begin, end in zip(wanted, things, first.tolist(), last.tolist(), strict=True)
    }
