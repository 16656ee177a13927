"""COCO captions: one JSON file with `images` and `annotations`, and a folder of images.

Pairs come sorted by image id, then annotation id.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pipeline import files
from pipeline.configuration import SourceSettings
from pipeline.faults import CallError, SourceFault
from pipeline.files import FileInfo
from pipeline.sources.base import Columns, Position, RangeSpec, image_at, image_root, row_pairs, sliced
from transforms.records import Pair

_COLUMNS = Columns("caption", "file_name", "url", "image_id", "key")


class CocoSource:
    """A position holds `index` alone."""

    def __init__(self, info: FileInfo, settings: SourceSettings) -> None:
        self.info = info
        self.settings = settings
        self.root = image_root(settings, info.uri)

    def ranges(self, rows: int) -> list[RangeSpec]:
        """Of about `rows` annotations each."""
        table = _table(self.info)
        if table and not any(isinstance(row.get("caption"), str) for row in table):
            raise CallError(f"--input: {self.info.uri}: none of its annotations has a caption")
        return sliced((({"index": i}, 1, row.get("image_id")) for i, row in enumerate(table)), rows)

    def starts(self, start: Position) -> Iterator[Position]:
        """One an annotation."""
        for i in range(start["index"], len(_table(self.info))):
            yield {"index": i}

    def read(self, start: Position) -> Iterator[tuple[Position, Pair]]:
        """An annotation whose image the file does not list is a failed pair."""
        table = _table(self.info)
        for i in range(start["index"], len(table)):
            image = image_at(table[i]["file_name"], self.root)
            for pair in row_pairs(table[i], _COLUMNS, self.info.uri, i, i, image):
                yield {"index": i}, pair


@lru_cache(maxsize=1)
def _table(info: FileInfo) -> list[dict[str, Any]]:
    """One row an annotation, with its image's fields beside its own. Kept for the next range of the same file."""
    try:
        value = json.loads(files.read_bytes(info.uri))
        images = {image["id"]: image for image in value["images"]}
        annotations = sorted(value["annotations"], key=lambda a: (a["image_id"], a["id"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SourceFault(f"not a COCO captions file: {type(error).__name__}: {error}") from error
    return [_row(images.get(annotation["image_id"], {}), annotation) for annotation in annotations]


def _row(image: dict[str, Any], annotation: dict[str, Any]) -> dict[str, Any]:
    url = next((image[k] for k in ("coco_url", "flickr_url", "url") if image.get(k)), None)
    key = f"{annotation['image_id']}-{annotation['id']}"
    besides = {k: v for k, v in image.items() if k not in ("id", "file_name", "caption")}
    row = {**besides, "annotation_id": annotation["id"], "image_id": annotation["image_id"], "url": url, "key": key}
    return {**row, "caption": annotation.get("caption"), "file_name": image.get("file_name")}
