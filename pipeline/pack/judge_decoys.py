"""What the detector found of the decoys of a chunk: boxes at the threshold of the pack, or nothing at all."""

from collections import Counter

import numpy as np
import pyarrow as pa

from pipeline.pack.truth_sheet import AskedDecoys
from pipeline.tables.pair_rows import list_column
from transforms.selection.select_boxes import Candidates, select_many
from transforms.settings import SelectionSettings

_BEHIND = 1 << 31
"""Decoys have no place in the caption. Of boxes with equal scores, those of the caption are first."""


def judge_decoys(
    rows: pa.Table, candidates: Candidates, settings: SelectionSettings, threshold: float
) -> list[AskedDecoys]:
    """The decoys of each pair of a chunk.

    A decoy is absent if the detector has no candidate box of it, not even at its floor: that depends on no threshold of
    a pack, and is rather too strict, since a record's `absent` may be used as true negatives. Limits of candidates
    remove none of a phrase that has none. Decoys compete with the boxes of the caption, as an absent phrase of the
    caption would: suppression removes most of the boxes that they have on things of other phrases.

    Args:
      rows: of the table of decoys, in the order of the pairs. candidates: of the pairs.
    """
    first, phrases = list_column(rows, "phrases")
    begin, boxes = list_column(rows, "boxes")
    pair, number = np.repeat(np.arange(len(rows)), np.diff(begin)), boxes["phrase"].astype(int)
    behind = 1 + candidates.phrase.max(initial=-1)
    order = np.argsort(np.concatenate((candidates.pair, pair)), kind="stable")
    place = _BEHIND + number
    together = Candidates(
        np.concatenate((candidates.pair, pair))[order],
        np.concatenate((candidates.phrase, behind + number))[order],
        np.concatenate((candidates.start, place))[order],
        np.concatenate((candidates.end, place))[order],
        np.hstack((candidates.corners, np.array([boxes[name] for name in ("x1", "y1", "x2", "y2")], float)))[:, order],
        np.concatenate((candidates.score, boxes["score"].astype(float)))[order],
        np.concatenate((candidates.left_out, np.zeros(len(pair), bool)))[order],
    )
    kept = select_many(together, settings, threshold)
    kept = kept[together.phrase[kept] >= behind]
    of_decoy = Counter(zip(together.pair[kept].tolist(), (together.phrase[kept] - behind).tolist(), strict=True))
    found, number_of_boxes = Counter(row for row, _ in of_decoy), Counter(together.pair[kept].tolist())
    has_candidate = set(zip(pair.tolist(), number.tolist(), strict=True))
    texts = phrases["text"].tolist()
    return [
        AskedDecoys(
            int(last - start),
            found[row],
            number_of_boxes[row],
            tuple(texts[at] for at in range(start, last) if (row, at - start) not in has_candidate),
        )
        for row, (start, last) in enumerate(zip(first[:-1].tolist(), first[1:].tolist(), strict=True))
    ]
