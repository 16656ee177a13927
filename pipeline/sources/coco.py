"""COCO captions: one JSON file with `images` and `annotations`, and a folder of images.

Pairs are sorted by image id, then by annotation id.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from pipeline.faults import CallError, SourceFault, first_line, short_repr
from pipeline.files import FileInfo
from pipeline.sources import json_text
from pipeline.sources.base import (
    ImageFileSource,
    Position,
    RangeSpec,
    broken_row,
    image_reference,
    row_pairs,
    slice_ranges,
)
from pipeline.sources.columns import Columns
from pipeline.sources.text_file import read_text
from transforms.records import FailureStage, Fault, Pair, Reason
from transforms.wording import counted

_COLUMNS = Columns("caption", "file_name", "url", "image_id", "key")


class CocoSource(ImageFileSource):
    """A position contains only `index`."""

    def ranges(self, rows: int) -> list[RangeSpec]:
        """Ranges of about `rows` annotations each."""
        table = _table(self.info, self.settings.encoding)
        usable = [row["caption"] for row in table if isinstance(row, dict)]
        if usable and not any(isinstance(caption, str) for caption in usable):
            raise CallError(f"--input: {self.uri}: none of its annotations has a caption")
        images = (row["image_id"] if isinstance(row, dict) else row for row in table)
        return slice_ranges((({"index": i}, 1, image) for i, image in enumerate(images)), rows)

    def starts(self, start: Position) -> Iterator[Position]:
        """One position per annotation."""
        for i in range(start["index"], len(_table(self.info, self.settings.encoding))):
            yield {"index": i}

    def read(self, start: Position) -> Iterator[tuple[Position, Pair]]:
        """An annotation becomes a failed pair if it has no image id, or if the file does not list its image."""
        table = _table(self.info, self.settings.encoding)
        for i in range(start["index"], len(table)):
            row = table[i]
            if isinstance(row, str):
                yield {"index": i}, broken_row(self.uri, i, i, row)
                continue
            file_name = row["file_name"]
            image = file_name if isinstance(file_name, Fault) else image_reference(file_name, self.root)
            for pair in row_pairs(row, _COLUMNS, self.uri, i, i, (image, b"")):
                yield {"index": i}, pair


@lru_cache(maxsize=1)
def _table(info: FileInfo, encoding: str) -> list[dict[str, Any] | str]:
    """One row per annotation, with the fields of its image. An invalid annotation becomes a text with the reason. An
    annotation without an id has its number instead, from 1.

    The table is cached for the next range of the same file.
    """
    try:
        value = json_text.parse(read_text(info.uri, encoding))
    except (ValueError, RecursionError) as error:
        raise SourceFault(f"not a COCO captions file: not JSON: {first_line(error)}") from error
    for name in ("images", "annotations"):
        if not isinstance(value, dict) or not isinstance(value.get(name), list):
            raise SourceFault(f"not a COCO captions file: it has no list {name}")
    images, ambiguous = _by_id(image for image in value["images"] if not _problem(image, "id"))
    by_text = {str(image_id): image_id for image_id in images}
    rows: list[dict[str, Any]] = []
    broken: list[dict[str, Any] | str] = []
    for number, annotation in enumerate(value["annotations"], 1):
        if problem := _problem(annotation, "image_id", *(["id"] if "id" in annotation else [])):
            broken.append(f"annotation {number}: {problem}")
            continue
        image_id = annotation["image_id"]
        if image_id not in images:
            image_id = by_text.get(str(image_id), image_id)  # a number here, its text there
        if image_id in ambiguous:
            broken.append(f"annotation {number}: {ambiguous[image_id]}")
        else:
            file_name = _file_name(images[image_id]) if image_id in images else _unknown(image_id, images)
            rows.append(_row(images.get(image_id, {}), {"id": number, **annotation, "file_name": file_name}))
    rows.sort(key=lambda row: (_order(row["image_id"]), _order(row["annotation_id"])))
    return [*rows, *broken]


def _file_name(image: dict[str, Any]) -> Any:
    """The path of an image, else its URL."""
    return image.get("file_name") or _url(image)


def _unknown(image_id: Any, images: dict[Any, Any]) -> Fault:
    what = f"its image_id {short_repr(image_id)} is not among the {counted(len(images), 'image')}"
    example = next(iter(images), None)
    where = "" if example is None else f", the first of which has the id {short_repr(example)}"
    return Fault.from_error(FailureStage.READ, Reason.NO_IMAGE, what + where)


def _by_id(images: Iterable[dict[str, Any]]) -> tuple[dict[Any, dict[str, Any]], dict[Any, str]]:
    """Images by id, and the problem of each id that several files have, as in two data sets that were joined."""
    found: dict[Any, dict[str, Any]] = {}
    ambiguous: dict[Any, str] = {}
    for image in images:
        first = found.setdefault(image["id"], image).get("file_name")
        if image.get("file_name") != first and image["id"] not in ambiguous:
            names = f"{short_repr(first)} and {short_repr(image.get('file_name'))}"
            ambiguous[image["id"]] = f"its image_id {short_repr(image['id'])} is that of {names}"
    return found, ambiguous


def _problem(value: Any, *id_fields: str) -> str:
    """Why an image or annotation cannot be used. Empty if it can be used."""
    if not isinstance(value, dict):
        return "not a JSON object"
    for name in id_fields:
        id_value = value.get(name)
        if not isinstance(id_value, int | float | str) or id_value != id_value:
            return f"its {name} is not a number or a text"
    return "" if isinstance(value.get("caption"), str | None) else "its caption is not a text"


def _order(id_value: float | str) -> tuple[bool, float | str]:
    """Sorts numbers before texts, because they cannot be compared with each other."""
    return isinstance(id_value, str), id_value


def _url(image: dict[str, Any]) -> Any:
    return next((image[name] for name in ("coco_url", "flickr_url", "url") if image.get(name)), None)


def _row(image: dict[str, Any], annotation: dict[str, Any]) -> dict[str, Any]:
    image_fields = {k: v for k, v in image.items() if k not in ("id", "file_name", "caption")}
    return {
        **image_fields,
        "annotation_id": annotation["id"],
        "image_id": annotation["image_id"],
        "url": _url(image),
        "key": f"{annotation['image_id']}-{annotation['id']}",
        "caption": annotation.get("caption"),
        "file_name": annotation["file_name"],
    }
