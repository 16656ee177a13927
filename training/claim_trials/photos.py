"""Captions of COCO's photos, as they are read, on the boxes of COCO's categories.

Captions are taken to be true, so a contradicted claim is a fault of the rules, of the reading, or of a caption. A noun
means the things of a category by the list `coco_nouns.yaml`. Of categories with a box around a crowd, nothing is known.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import yaml

from gritmill.evaluation.sets.coco_boxes import PictureBoxes, load_boxes
from gritmill.evaluation.sets.truth import normalised
from training.claim_trials.parsed import parsed
from training.claim_trials.rows import Row
from transforms.claims.check_claims import spans_of
from transforms.claims.verdicts import Corners, PhraseBoxes
from transforms.phrases.class_names import singular
from transforms.records import CharSpan, ClaimKind, Pair


@dataclass(frozen=True)
class Photo:
    """Captions and boxes of one photo."""

    captions: tuple[str, ...]
    boxes: PictureBoxes


def read_photos(path: Path) -> Iterator[Photo]:
    """The photos of a file with one JSON object per line: `width`, `height`, `captions`, and `objects` with
    `category`, `bbox` (x, y, width, height in pixels) and `iscrowd`. Photos without objects are left out."""
    for row in map(json.loads, path.read_text("utf-8").splitlines()):
        if row["objects"]:
            width, height = row["width"], row["height"]
            boxes: defaultdict[str, list[Corners]] = defaultdict(list)
            for one in row["objects"]:
                x, y, wide, high = one["bbox"]
                boxes[one["category"]].append(normalised((x, y, x + wide, y + high), width, height))
            crowds = {one["category"] for one in row["objects"] if one["iscrowd"]}
            known = {name: tuple(found) for name, found in boxes.items() if name not in crowds}
            yield Photo(tuple(row["captions"]), PictureBoxes(width, height, known))


def read_coco(captions: Path, instances: Path) -> Iterator[Photo]:
    """The photos of COCO's own files, `captions_val2017.json` and `instances_val2017.json`."""
    by_image: defaultdict[int, list[str]] = defaultdict(list)
    for one in json.loads(captions.read_text("utf-8"))["annotations"]:
        by_image[one["image_id"]].append(one["caption"])
    for number, boxes in load_boxes([str(instances)], by_image).items():
        yield Photo(tuple(by_image[number]), boxes)


def captions_on_boxes(photos: list[Photo]) -> list[Row]:
    """Two rows: relations whose things all have boxes, and counts."""
    captions = [caption for photo in photos for caption in photo.captions]
    title = f"{len(captions):,} captions of {len(photos):,} photos"
    rows = {ClaimKind.RELATION: Row(f"{title}, relations"), ClaimKind.COUNT: Row(f"{title}, counts")}
    pairs = iter(parsed(captions))
    for photo in photos:
        size = photo.boxes.width, photo.boxes.height
        for _, pair in zip(photo.captions, pairs, strict=False):
            boxes = dict(_boxes(pair, photo.boxes))
            for claim in pair.claims:
                if claim.kind in rows and all(span in boxes for span in spans_of(claim)):
                    rows[claim.kind].add(claim, boxes, size, pair.caption)
    return list(rows.values())


def _boxes(pair: Pair, known: PictureBoxes) -> Iterator[tuple[CharSpan, PhraseBoxes]]:
    for phrase in pair.phrases:
        *before, head = pair.caption[phrase.start : phrase.head_end].lower().split()
        noun = singular(head)
        compound = f"{before[-1]} {noun}" if before else ""  # a teddy bear is no bear
        category = _category_of().get(compound) or _category_of().get(noun, "")
        if found := known.boxes.get(category):
            yield (phrase.start, phrase.end), PhraseBoxes(found, len(found), head=head)


@cache
def _category_of() -> dict[str, str]:
    """The category that each noun names."""
    listed = yaml.safe_load(resources.files(__package__).joinpath("coco_nouns.yaml").read_text("utf-8"))
    return {noun: category for category, nouns in listed.items() for noun in [category, *nouns]}
