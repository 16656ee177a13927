"""JSON files of long lists, as COCO's are: written entry by entry, so that nothing of them is held in memory."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gritmill.exports.format import ExportFolder
from pipeline import files
from pipeline.files.publish import publish
from transforms.text.grounded_caption import Corners


def write_lists(folder: ExportFolder, name: str, lists: Mapping[str, Iterator[dict[str, Any]]]) -> None:
    """Publishes a JSON object with `info`, `licenses` and those lists."""
    with publish(files.join(folder.uri, name)) as file:
        file.write(b'{"info": {"description": "written by gritmill"}, "licenses": []')
        for key, values in lists.items():
            file.write(f', "{key}": ['.encode())
            for number, value in enumerate(values):
                file.write((",\n" * (number > 0) + json.dumps(value, ensure_ascii=False)).encode())
            file.write(b"]")
        file.write(b"}\n")


def with_ids(annotations: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The annotations with an `id` each, from 1."""
    yield from ({"id": number, **annotation} for number, annotation in enumerate(annotations, 1))


def xywh(box: Corners) -> list[float]:
    """x, y, width and height in pixels, to a thousandth."""
    x1, y1, x2, y2 = box
    return [round(value, 3) for value in (x1, y1, x2 - x1, y2 - y1)]


def number_categories(names: Iterable[str]) -> dict[str, int]:
    """Categories by name, numbered from 1 in the order in which they come first."""
    numbers: dict[str, int] = {}
    for name in names:
        numbers.setdefault(name, len(numbers) + 1)
    return numbers


def list_categories(numbers: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """The same as COCO lists them."""
    yield from ({"id": number, "name": name, "supercategory": ""} for name, number in numbers.items())
