"""Chooses the boxes that the page asks about, for `gritmill calibrate --clicks`."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gritmill.clicks.clicks_file import AskedBox, ByScore, Clicks, RunFingerprints, RunThreshold
from gritmill.clicks.spread import spread
from gritmill.pages.viewer.page_data import shortest_float
from gritmill.pages.viewer.pick_pairs import Picked
from pipeline.pack.manifest import Manifest
from transforms.grit_record import uid
from transforms.records import Pair
from transforms.selection.judge import Policy
from transforms.selection.threshold_sweep import rank_candidates, sweep


@dataclass(frozen=True)
class _Candidate:
    """A box. sample: number of its pair among the samples. box: its number in the pair. better: the numbers of the
    boxes of its phrase that are kept whenever it is kept: a box on a thing that one of them is on is wrong."""

    sample: int
    box: int
    score: float
    better: tuple[int, ...]


def clicks_json(
    picked: Sequence[Picked],
    pictures: Sequence[str],
    manifest: Manifest,
    run_data: dict[str, Any],
    number: int,
    seed: int,
) -> dict[str, Any]:
    """What the page needs to ask. pictures: the name of the image of each pair, "" if there is none. run_data: as from
    `page.read_run`.

    Returns:
      `file`: the content of `clicks.json` without answers. `places`: for each box sample, number, numbers of better
      boxes.
    """
    policy, stops = manifest.policy, run_data["stops"]
    found = [
        candidate
        for sample, (one, picture) in enumerate(zip(picked, pictures, strict=True))
        if picture
        for candidate in _candidates(sample, one.pair, policy, stops["score"])
    ]
    # Pairs that show one image have one name of it.
    names = {name: place for place, name in enumerate(dict.fromkeys(pictures))}
    chosen = spread(
        np.array([one.score for one in found]),
        np.array([picked[one.sample].weight for one in found]),
        np.array([names[pictures[one.sample]] for one in found], int),
        number,
        seed,
    )
    asked = [found[at] for at in chosen.tolist()]
    file = Clicks.sealed(
        # A browser would replace what is not UTF-8 in a name, and so change the digest.
        run=run_data["run"]["name"].encode("utf-8", "replace").decode(),
        fingerprints=RunFingerprints(ground=manifest.fingerprints.ground, pack=manifest.fingerprints.pack),
        detector=manifest.boxes_by,
        seed=str(seed),
        threshold=RunThreshold(score=manifest.threshold.score, source=manifest.threshold.origin),
        thresholds=ByScore(score=stops["score"], boxes=stops["boxes"]),
        boxes=tuple(_asked(picked[one.sample].pair, one.box) for one in asked),
    )
    return {"file": file.model_dump(mode="json"), "places": [[one.sample, one.box, one.better] for one in asked]}


def _candidates(sample: int, pair: Pair, policy: Policy, thresholds: Sequence[float]) -> Iterator[_Candidate]:
    """The boxes of a pair that the run would write if its threshold was their score or somewhat lower."""
    if pair.error or pair.filtered or not pair.boxes:
        return
    ranked = rank_candidates(pair, policy)
    rejected = {step.level: step.rejection for step in sweep(pair, ranked, policy, thresholds)}
    number_of = {id(box): number for number, box in enumerate(pair.boxes)}
    better: dict[int, tuple[int, ...]] = {}
    for grounding in ranked:
        box, number = grounding.box, number_of[id(grounding.box)]
        level = bisect_right(thresholds, box.score) - 1
        if level >= 0 and not rejected[level]:
            yield _Candidate(sample, number, box.score, better.get(box.phrase, ()))
        better[box.phrase] = (*better.get(box.phrase, ()), number)


def _asked(pair: Pair, number: int) -> AskedBox:
    box = pair.boxes[number]
    phrase = pair.phrases[box.phrase]
    # The page would save -0.0 as 0, and so change the digest.
    x1, y1, x2, y2 = (shortest_float(corner) + 0.0 for corner in box.corners)
    return AskedBox(
        uid=uid(pair.source, pair.index),
        key=pair.key,
        start=phrase.start,
        end=phrase.end,
        box=(x1, y1, x2, y2),
        score=shortest_float(box.score),
    )
