"""VSR, Visual Spatial Reasoning (Liu et al., TACL 2023): true and false statements about images of COCO 2017.

Reads the files of github.com/cambridgeltl/visual-spatial-reasoning: `data/splits/{random,zeroshot}/*.jsonl` and
`data/data_files/all_vsr_{raw,validated}_data.jsonl`. A row: {"image", "image_link", "caption", "label", "relation",
...}. Of the other fields, nothing is taken. The votes are lists, or text with a list. `subj` has lost its first letters
("orse"), so subject and object are read from the caption. What the numbers in `reference_frame` mean is not documented.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from gritmill.evaluation.sets.coco_boxes import PictureBoxes, load_boxes
from gritmill.evaluation.sets.truth import (
    Statement,
    TrueCaption,
    TruePhrase,
    Truth,
    make_pair,
    parsing,
    picture_folder,
    read_lines,
)
from pipeline import files
from pipeline.faults import CallError
from pipeline.plan.find_sources import find_sources
from transforms.claims.word_lists import wordings_at
from transforms.records import Claim, ClaimKind
from transforms.wording import counted, listed

_CATEGORIES = {
    "adjacency": "adjacent to|alongside|at the side of|at the right side of|at the left side of|attached to"
    "|at the back of|ahead of|against|at the edge of",
    "directional": "off|past|toward|down|deep down|up|away from|along|around|from|into|to|across|across from|through"
    "|down from",
    "orientation": "facing|facing away from|parallel to|perpendicular to",
    "projective": "on top of|beneath|beside|behind|left of|right of|under|in front of|below|above|over"
    "|in the middle of",
    "proximity": "by|close to|near|far from|far away from",
    "topological": "connected to|detached from|has as a part|part of|contains|within|at|on|in|with|surrounding|among"
    "|consists of|out of|between|inside|outside|touching",
}
_CATEGORY_OF = {relation: name for name, relations in _CATEGORIES.items() for relation in relations.split("|")}
"""The categories of the paper, by relation, from `analysis_scripts/rel_meta_category_dict.txt`."""

OTHER = "other"


class _Row(BaseModel):
    image: str
    caption: str
    label: Annotated[int, Field(ge=0, le=1)]
    relation: str
    image_link: str = ""


def load(paths: Sequence[str], images: str | None, split: str | None, boxes: Sequence[str] = ()) -> Truth:
    """The statements, grouped by image.

    paths: files, or folders with files of splits. images: folder of the images: VSR's own, or COCO's with `train2017`
    and `val2017`. split: train, dev or test; None means all. boxes: files of COCO with the boxes of the images. Without
    them, and of images that they lack, phrases have no boxes.

    Raises:
      CallError: a file is missing or is not in this format, or none of the images is in `boxes`.
    """
    rows: dict[str, list[tuple[str, int, _Row, Statement]]] = {}
    for uri in _find_files(paths, split):
        for number, line in read_lines(uri):
            with parsing(f"{uri}:{number}"):
                row = _Row.model_validate_json(line)
                rows.setdefault(row.image, []).append((uri, number - 1, row, read_statement(row)))
    numbers = {image: _image_id(image) for image in rows}
    known = load_boxes(boxes, set(numbers.values())) if boxes else {}
    if boxes and rows and not known:
        raise CallError(_no_match(numbers))
    root = picture_folder(images, "") if images else ""
    return Truth(len(rows), _captions(rows, root, {image: known.get(number) for image, number in numbers.items()}))


def read_statement(row: _Row) -> Statement:
    """The statement of a row.

    Raises:
      ValueError: the caption is not "The SUBJECT is RELATION the OBJECT.", "is" may be missing.
    """
    relation = re.escape(row.relation.strip())
    found = re.fullmatch(rf"\s*(The .+?) (?:(?:is|are) )?({relation}) (the .+?)\s*\.?\s*", row.caption)
    if not found or not relation:
        raise ValueError(f'the caption {row.caption!r} is not "The ... is {row.relation} the ...."')
    words = row.relation.lower().split()
    wording = next((one for one in wordings_at(words, 0) if len(one.words) == len(words)), None)
    predicate = wording.predicate if wording else row.relation
    claim = Claim(ClaimKind.RELATION, *found.span(2), *found.span(1), predicate, objects=found.span(3))
    return Statement(claim, bool(row.label), kinds=(_CATEGORY_OF.get(row.relation, OTHER),))


def _captions(
    rows: dict[str, list[tuple[str, int, _Row, Statement]]], root: str, known: dict[str, PictureBoxes | None]
) -> Iterator[TrueCaption]:
    in_two_folders = bool(root) and any(files.exists(files.join(root, name)) for name in ("train2017", "val2017"))
    for image, group in rows.items():
        picture = known[image] or PictureBoxes(0, 0)
        for uri, index, row, statement in group:
            path = "/".join(row.image_link.split("/")[-2:]) if in_two_folders and row.image_link else image
            spans = (statement.claim.subject, statement.claim.objects)
            phrases = tuple(_phrase(row.caption, start, end, picture) for start, end in spans)
            pair = make_pair(uri, index, path, root, row.caption)
            yield TrueCaption(pair, image, phrases, picture.width, picture.height, (statement,))


def _phrase(caption: str, start: int, end: int, picture: PictureBoxes) -> TruePhrase:
    text = caption[start:end]
    category = text.split(" ", 1)[1]  # after the article
    return TruePhrase(text, picture.boxes.get(category, ()), (), start, end)


def _no_match(numbers: Mapping[str, int]) -> str:
    """Why none of the images has boxes. numbers: COCO's numbers of the images."""
    found = f"--boxes: 0 of {counted(len(numbers), 'image')} of the set are in these files"
    named = next((image for image, number in numbers.items() if number >= 0), "")
    if not named:
        return f"{found}: their names, such as {next(iter(numbers))}, do not end with COCO's number of the image"
    return (
        f"{found}: {named} is COCO's image {numbers[named]}; name instances_train2017.json and instances_val2017.json"
    )


def _image_id(image: str) -> int:
    """COCO's number of an image: 139 of "000000000139.jpg"; -1 if the name has none."""
    digits = re.search(r"(\d+)\.\w+$", image)
    return int(digits[1]) if digits else -1


def _find_files(paths: Sequence[str], split: str | None) -> list[str]:
    found = [info.uri for info in find_sources(paths, "--truth") if ".jsonl" in files.name(info.uri)]
    if not found:
        raise CallError(f"--truth: {listed(paths)}: no .jsonl there; name files of VSR, or its splits/random")
    chosen = [uri for uri in found if split in (None, files.name(uri).partition(".")[0])]
    if not chosen:
        raise CallError(f"--split: no {split}.jsonl among {listed(sorted(map(files.name, found)))}")
    return chosen
