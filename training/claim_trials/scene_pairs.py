"""All pairs of things that the captions of scenes name, one beside or above the other."""

from itertools import permutations

from gritmill.evaluation.sets import jsonl
from training.claim_trials.rows import Row
from transforms.claims.verdicts import PhraseBoxes
from transforms.records import Claim, ClaimKind

_SUBJECT, _OBJECT = (0, 1), (2, 3)


def scene_pairs(folders: list[str]) -> list[Row]:
    """A thing that ends before another one begins, on an axis, is left of it, or above it."""
    truth = jsonl.load(folders, None, None)
    row = Row(f"pairs of things in {truth.pictures:,} scenes that do not overlap on an axis")
    for caption in truth.captions:
        things = sorted({box for phrase in caption.phrases for box in phrase.boxes})
        for one, other in permutations(things, 2):
            boxes = {_SUBJECT: PhraseBoxes((one,), 1), _OBJECT: PhraseBoxes((other,), 1)}
            for predicate, axis in (("left_of", 0), ("above", 1)):
                if one[axis + 2] < other[axis]:
                    claim = Claim(ClaimKind.RELATION, 0, 0, *_SUBJECT, predicate, objects=_OBJECT)
                    row.add(claim, boxes, (caption.width, caption.height), caption.picture)
    return [row]
