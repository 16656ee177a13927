"""JSON files with long lists, such as COCO's: written entry by entry, so that the lists are never in memory."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from gritmill.exports.format import ExportFolder, all_parts
from transforms.text.grounded_caption import Corners


def write_coco(
    name: str,
    shards: Sequence[int],
    folder: ExportFolder,
    annotations: Iterator[dict[str, Any]],
    categories: Iterable[dict[str, Any]] | None = None,
    images: Iterable[dict[str, Any]] | None = None,
) -> None:
    """Publishes a file with the images (by default those of all parts), the annotations, and the categories if given.

    Each annotation gets an `id`, from 1.
    """
    lists: dict[str, Iterable[dict[str, Any]]] = {
        "images": (part["image"] for part in all_parts(shards, folder)) if images is None else images,
        "annotations": ({"id": number, **annotation} for number, annotation in enumerate(annotations, 1)),
        **({} if categories is None else {"categories": categories}),
    }
    with folder.publish(name) as file:
        file.write(b'{"info": {"description": "written by gritmill"}, "licenses": []')
        for key, values in lists.items():
            file.write(f', "{key}": ['.encode())
            for number, value in enumerate(values):
                file.write((",\n" * (number > 0) + json.dumps(value, ensure_ascii=False)).encode())
            file.write(b"]")
        file.write(b"}\n")


def in_pixels(corners: Corners, width: int, height: int) -> Corners:
    """Normalised corners in pixels of an image of this size, not rounded."""
    x1, y1, x2, y2 = corners
    return x1 * width, y1 * height, x2 * width, y2 * height


def xywh(box: Corners) -> list[float]:
    """x, y, width and height in pixels, rounded to 0.001."""
    x1, y1, x2, y2 = box
    return [round(value, 3) for value in (x1, y1, x2 - x1, y2 - y1)]


def as_polygon(bbox: Sequence[float]) -> list[float]:
    """The corners of a box, clockwise from the upper left, as COCO's `segmentation` lists them."""
    x, y, wide, high = bbox
    right, lower = round(x + wide, 3), round(y + high, 3)
    return [x, y, right, y, right, lower, x, lower]


def number_categories(names: Iterable[str], first: int = 1) -> dict[str, int]:
    """Numbers the categories in the order of their first occurrence, from `first`."""
    return {name: number for number, name in enumerate(dict.fromkeys(names), first)}


def list_categories(numbers: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """The categories as COCO lists them."""
    yield from ({"id": number, "name": name, "supercategory": ""} for name, number in numbers.items())
