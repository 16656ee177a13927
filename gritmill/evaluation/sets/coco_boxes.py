"""The boxes of COCO's images, from its `instances_*.json`: for sets that name COCO's images and categories."""

from collections import defaultdict
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, Field

from gritmill.evaluation.sets.truth import normalised, parsing, read_file
from pipeline import files
from transforms.text.grounded_caption import Corners


class _Image(BaseModel):
    id: int
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]


class _Category(BaseModel):
    id: int
    name: str


class _Annotation(BaseModel):
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    iscrowd: int = 0


class _Instances(BaseModel):
    """The part that is needed. The outlines, nine tenths of the file, never become Python objects."""

    images: list[_Image]
    categories: list[_Category]
    annotations: list[_Annotation]


@dataclass(frozen=True)
class PictureBoxes:
    """The boxes of an image (normalised corners), by category. Not of a category with a box around a crowd: of that,
    not all things have a box. width, height: pixels."""

    width: int
    height: int
    boxes: dict[str, tuple[Corners, ...]] = field(default_factory=dict)


def load_boxes(paths: Sequence[str], wanted: Container[int]) -> dict[int, PictureBoxes]:
    """The boxes of the images with these ids that the files contain.

    Raises:
      CallError: a file is missing, or is not in this format.
    """
    pictures: dict[int, PictureBoxes] = {}
    for path in paths:
        uri = files.canonical(path)
        with parsing(uri, "--boxes"):
            instances = _Instances.model_validate_json(read_file(uri, "--boxes"))
            names = {one.id: one.name for one in instances.categories}
            sizes = {one.id: one for one in instances.images if one.id in wanted}
            found: defaultdict[tuple[int, str], list[Corners]] = defaultdict(list)
            crowds = set()
            for one in instances.annotations:
                if one.image_id not in sizes:
                    continue
                if one.category_id not in names:
                    raise ValueError(f"image {one.image_id} has a box of the unknown category {one.category_id}")
                picture, key = sizes[one.image_id], (one.image_id, names[one.category_id])
                x, y, wide, high = one.bbox
                corners = normalised((x, y, x + wide, y + high), picture.width, picture.height)
                if one.iscrowd:
                    crowds.add(key)
                elif corners[0] < corners[2] and corners[1] < corners[3]:
                    found[key].append(corners)
        pictures |= {number: PictureBoxes(one.width, one.height) for number, one in sizes.items()}
        for (number, name), boxes in found.items():
            if (number, name) not in crowds:
                pictures[number].boxes[name] = tuple(boxes)
    return pictures
