"""A run folder of scenes -> arrays of candidate boxes, with the true things of each phrase."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gritmill.evaluation.metrics import MIN_IOU
from gritmill.evaluation.stated_numbers import stated_numbers
from pipeline import files
from pipeline.layout import DECOYS
from pipeline.pack.driver import find_detections
from pipeline.stages.configured import open_tables
from pipeline.stages.decoys import Decoys
from pipeline.tables.detections import open_detections
from pipeline.tables.pair_rows import from_table
from transforms.detectors.settings import DetectorSettings
from transforms.records import Pair
from transforms.selection.select_boxes import corner_rows, ious
from transforms.settings import DecoySettings

NO_THING = -1


@dataclass(frozen=True)
class Candidates:
    """Boxes. score: float64. owner: number of the phrase or decoy. corners: float64 [4, boxes]. thing: the number of
    the thing of its phrase that a box is on (IoU of at least 0.5), `NO_THING` if it is on none."""

    score: np.ndarray
    owner: np.ndarray
    corners: np.ndarray
    thing: np.ndarray

    def take(self, chosen: np.ndarray) -> "Candidates":
        """Some of the boxes. chosen: a bool per box, or positions."""
        return Candidates(self.score[chosen], self.owner[chosen], self.corners[:, chosen], self.thing[chosen])

    def joined(self, other: "Candidates") -> "Candidates":
        """These boxes, then the others."""
        parts = ((self.score, other.score), (self.owner, other.owner))
        score, owner = (np.concatenate(part) for part in parts)
        corners = np.concatenate((self.corners, other.corners), axis=1)
        return Candidates(score, owner, corners, np.concatenate((self.thing, other.thing)))


@dataclass(frozen=True)
class Recorded:
    """The phrases and decoys of a run on scenes.

    number: the stated number of each phrase, 0 if it has none. exact: whether words state it. picture: of each phrase.
    things: how many things it names; 0 if it is absent. hull: float64 [4, phrases], the box around its things.
    decoy_picture: of each decoy. pictures: how many there are.
    """

    number: np.ndarray
    exact: np.ndarray
    picture: np.ndarray
    things: np.ndarray
    hull: np.ndarray
    boxes: Candidates
    decoy_picture: np.ndarray
    decoy_boxes: Candidates
    pictures: int


@dataclass
class _Rows:
    score: list[float] = field(default_factory=list)
    owner: list[int] = field(default_factory=list)
    corners: list[tuple[float, ...]] = field(default_factory=list)
    thing: list[int] = field(default_factory=list)

    def candidates(self) -> Candidates:
        corners = np.array(self.corners, float).reshape(-1, 4).T
        return Candidates(np.array(self.score), np.array(self.owner, int), corners, np.array(self.thing, int))


def read_run(run: str) -> Recorded:
    """Reads a finished run on scenes with `decoys.number`; each pair is an image. Its `meta` has the true boxes."""
    folder = find_detections(run)
    detections = open_detections(folder)
    decoys = open_tables([Decoys(DecoySettings(), DetectorSettings())], folder)[DECOYS]
    phrases: list[tuple[int, bool, int, int, tuple[float, ...]]] = []
    decoy_pictures: list[int] = []
    boxes, decoy_boxes = _Rows(), _Rows()
    number = 0
    for chunk in detections.all_chunks():
        rows = decoys.read(chunk).to_pylist()
        for pair, row in zip(from_table(detections.read(chunk)), rows, strict=True):
            _add_decoys(row, number, decoy_pictures, decoy_boxes)
            _add_pair(pair, number, phrases, boxes)
            number += 1
    stated, exact, picture, things, hulls = zip(*phrases, strict=True)
    return Recorded(
        np.array(stated),
        np.array(exact),
        np.array(picture),
        np.array(things),
        corner_rows(hulls),
        boxes.candidates(),
        np.array(decoy_pictures, int),
        decoy_boxes.candidates(),
        number,
    )


def _add_pair(pair: Pair, picture: int, phrases: list[Any], boxes: _Rows) -> None:
    truth = {(one["start"], one["end"]): one["boxes"] for one in json.loads(pair.meta)["truth"]}
    stated = stated_numbers(pair)
    first = len(phrases)
    things: list[Sequence[Any]] = []
    for number, phrase in enumerate(pair.phrases):
        own = truth.get((phrase.start, phrase.end), [])
        things.append([tuple(box) for box in own])
        one = stated.get(number)
        phrases.append((one.number if one else 0, bool(one and one.exact), picture, len(own), _hull(own)))
    for box in pair.boxes:
        boxes.score.append(box.score)
        boxes.owner.append(first + box.phrase)
        boxes.corners.append(box.corners)
        overlaps = ious([box.corners], things[box.phrase])[0] if things[box.phrase] else np.zeros(1)
        boxes.thing.append(int(overlaps.argmax()) if overlaps.max() >= MIN_IOU else NO_THING)


def _hull(boxes: Sequence[Sequence[float]]) -> tuple[float, ...]:
    if not boxes:
        return (0.0, 0.0, 0.0, 0.0)
    x1, y1, x2, y2 = zip(*boxes, strict=True)
    return min(x1), min(y1), max(x2), max(y2)


def _add_decoys(row: Any, picture: int, pictures: list[int], boxes: _Rows) -> None:
    for box in row["boxes"]:
        boxes.score.append(box["score"])
        boxes.owner.append(len(pictures) + box["phrase"])
        boxes.corners.append(tuple(box[side] for side in ("x1", "y1", "x2", "y2")))
        boxes.thing.append(NO_THING)
    pictures.extend([picture] * len(row["phrases"]))


def has_decoys(run: str) -> bool:
    """Whether a run folder has a table of decoys."""
    return files.exists(files.join(files.parent(find_detections(run)), DECOYS, "table.json"))
