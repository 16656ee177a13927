"""JSON files with long lists, such as COCO's: written entry by entry, so that the lists are never in memory."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from shutil import copyfileobj
from typing import Any, BinaryIO

from gritmill.exports.format import COPIED, ExportFolder, as_json
from transforms.text.grounded_caption import Corners


class JsonList:
    """A list of JSON objects that is being written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = 0

    def add(self, text: str) -> None:
        """Adds an object, given as JSON."""
        self._file.write((f",\n{text}" if self._size else text).encode())
        self._size += 1

    def add_numbered(self, fields: str) -> int:
        """Adds an object with the fields, given as JSON without brackets, after its `id`: its number, from 1."""
        self.add(f'{{"id": {self._size + 1}, {fields}}}')
        return self._size


@contextmanager
def coco_lists(
    name: str, folder: ExportFolder, categories: Iterable[dict[str, Any]] | None = None
) -> Iterator[tuple[JsonList, JsonList]]:
    """Publishes a file in COCO's form. Yields its images and its annotations, to be added in the block.

    categories: if given, they are written when the block ends.
    """
    with folder.publish(name) as file, folder.scratch() as waiting:  # until all images are written
        file.write(b'{"info": {"description": "written by gritmill"}, "licenses": [], "images": [')
        yield JsonList(file), JsonList(waiting)
        file.write(b'], "annotations": [')
        waiting.seek(0)
        copyfileobj(waiting, file, COPIED)
        if categories is not None:
            file.write(b'], "categories": [')
            listed = JsonList(file)
            for category in categories:
                listed.add(as_json(category))
        file.write(b"]}\n")


def box_fields(image: Mapping[str, Any], corners: Corners, category: int) -> str:
    """The fields of an annotation that COCO has, as JSON without brackets. corners: normalised. The polygon is the box,
    clockwise from the upper left."""
    x, y, wide, high = xywh(in_pixels(corners, image["width"], image["height"]))
    left, upper, right, lower = map(str, (x, y, round(x + wide, 3), round(y + high, 3)))
    return (
        f'"image_id": {image["id"]}, "category_id": {category}, "bbox": [{left}, {upper}, {wide}, {high}], '
        f'"segmentation": [[{left}, {upper}, {right}, {upper}, {right}, {lower}, {left}, {lower}]], '
        f'"area": {round(wide * high, 3)}, "iscrowd": 0'
    )


def in_pixels(corners: Corners, width: int, height: int) -> Corners:
    """Normalised corners in pixels of an image of this size, not rounded."""
    x1, y1, x2, y2 = corners
    return x1 * width, y1 * height, x2 * width, y2 * height


def xywh(box: Corners) -> list[float]:
    """x, y, width and height in pixels, rounded to 0.001."""
    x1, y1, x2, y2 = box
    return [round(value, 3) for value in (x1, y1, x2 - x1, y2 - y1)]


def list_categories(numbers: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """The categories as COCO lists them."""
    yield from ({"id": number, "name": name, "supercategory": ""} for name, number in numbers.items())
