"""JSON files of long lists, as COCO's are: written entry by entry, so that nothing of them is held in memory."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from gritmill.exports.format import Folder
from pipeline import files
from pipeline.publish import publish


def write_lists(folder: Folder, name: str, lists: Mapping[str, Iterator[dict[str, Any]]]) -> None:
    """Publishes a JSON object with `info`, `licenses` and those lists."""
    with publish(files.join(folder.uri, name)) as file:
        file.write(b'{"info": {"description": "written by gritmill"}, "licenses": []')
        for key, values in lists.items():
            file.write(f', "{key}": ['.encode())
            for number, value in enumerate(values):
                file.write((",\n" * (number > 0) + json.dumps(value, ensure_ascii=False)).encode())
            file.write(b"]")
        file.write(b"}\n")


def numbered(annotations: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The annotations with an `id` each, from 1."""
    yield from ({"id": number, **annotation} for number, annotation in enumerate(annotations, 1))


def xywh(box: tuple[float, float, float, float]) -> list[float]:
    """x, y, width and height in pixels, to a thousandth."""
    x1, y1, x2, y2 = box
    return [round(value, 3) for value in (x1, y1, x2 - x1, y2 - y1)]
