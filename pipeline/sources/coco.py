"""COCO captions: one JSON file with `images` and `annotations`, and a folder of images.

Pairs are sorted by image id, then by annotation id. Annotations without an id, and invalid ones, follow in the order
of the file.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from operator import itemgetter
from typing import Any

from pipeline.faults import CallError, SourceFault, short_repr
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
from transforms.records import FailureStage, Fault, ImageRef, Pair, Reason

_COLUMNS = Columns("caption", "file_name", "url", "image_id", "key")
_URLS = ("coco_url", "flickr_url", "url")


class CocoSource(ImageFileSource):
    """A position contains only `index`."""

    def ranges(self, rows: int) -> list[RangeSpec]:
        """Ranges of about `rows` annotations each."""
        table = _table(self.info, self.settings.encoding)
        usable = [row["caption"] for row in table if isinstance(row, dict)]
        if usable and not any(isinstance(caption, str) for caption in usable):
            raise CallError(f"--input: {self.uri}: none of its annotations has a caption; leave it out")
        images = (row["image_id"] if isinstance(row, dict) else row for row in table)
        return slice_ranges((({"index": i}, 1, image) for i, image in enumerate(images)), rows)

    def first_images(self) -> Iterator[ImageRef | Fault]:
        """Those of the first annotations, which are sorted."""
        for row in _table(self.info, self.settings.encoding):
            if isinstance(row, dict) and not isinstance(row["file_name"], Fault):
                yield image_reference(row["file_name"], self.root)

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
    """One row per annotation, with the fields of its image. An annotation that cannot be used becomes a text with the
    reason. An annotation without an id has its number instead, from 1.

    Positions of runs of older releases are indices in this table. So those without an id, which were refused by 0.1,
    are still among the invalid ones, and an id is that of several files by two rules: `file_name` decides where the
    row is. The table is cached for the next range of the same file.
    """
    try:
        value = json_text.parse(read_text(info.uri, encoding))
    except (ValueError, RecursionError) as error:
        raise SourceFault(f"not a COCO captions file: {json_text.explain(error)}") from error
    for name in ("images", "annotations"):
        if not isinstance(value, dict) or not isinstance(value.get(name), list):
            other = 'other JSON must have a list of records (pandas: orient="records"), or captions by image file'
            raise SourceFault(f"not a COCO captions file: it has no list {name}; {other}")
    usable = [image for image in value["images"] if not _problem(image, "id")]
    images: dict[Any, dict[str, Any]] = {}
    for image in usable:
        images.setdefault(image["id"], image)
    of_two_names = _ambiguous(usable, lambda image: image.get("file_name"))
    ambiguous = _ambiguous(usable, _path) | of_two_names
    by_text = _by_text(images, value["annotations"])
    in_order: list[tuple[Any, dict[str, Any] | str]] = []
    behind: list[dict[str, Any] | str] = []
    for number, annotation in enumerate(value["annotations"], 1):
        has_id = isinstance(annotation, dict) and "id" in annotation
        if problem := _problem(annotation, "image_id", *(["id"] if has_id else [])):
            behind.append(f"annotation {number}: {problem}")
            continue
        named = annotation["image_id"]
        image_id = by_text.get(str(named), named) if by_text else named
        row: dict[str, Any] | str
        if image_id in ambiguous:
            row = f"annotation {number}: its image_id {short_repr(named)} is that of {ambiguous[image_id]}"
        else:
            path = _path(images[image_id]) if image_id in images else _unknown(named, images)
            row = _row(images.get(image_id, {}), {"id": number, **annotation, "file_name": path})
        if has_id and named not in of_two_names:
            in_order.append(((_order(named), _order(annotation["id"])), row))
        else:
            behind.append(row)
    in_order.sort(key=itemgetter(0))
    return [*(row for _, row in in_order), *behind]


def _path(image: dict[str, Any]) -> Any:
    """The path of an image. If it has none: a URL of the web, which is reported, or None. No other URL field is read:
    a path in it would be relative to another folder."""
    urls = (image.get(name) for name in _URLS)
    web = (url for url in urls if isinstance(url, str) and url.lower().startswith(("http://", "https://")))
    return image.get("file_name") or next(web, None)


def _unknown(image_id: Any, images: dict[Any, Any]) -> Fault:
    example = short_repr(next(iter(images), None))
    where = f"among the {len(images)} images, the first of which has the id {example}"
    if len(images) < 2:
        where = f"that of the only image, which is {example}" if images else "listed: the file lists no image"
    return Fault.from_error(FailureStage.READ, Reason.NO_IMAGE, f"its image_id {short_repr(image_id)} is not {where}")


def _ambiguous(images: Iterable[dict[str, Any]], path: Callable[[dict[str, Any]], Any]) -> dict[Any, str]:
    """The ids that images with different paths have, as in two data sets that were joined, with the first two paths."""
    first: dict[Any, Any] = {}
    found: dict[Any, str] = {}
    for image in images:
        image_id, own = image["id"], path(image)
        if own != (other := first.setdefault(image_id, own)):
            found.setdefault(image_id, f"{short_repr(other)} and {short_repr(own)}")
    return found


def _by_text(images: Iterable[Any], annotations: Iterable[Any]) -> dict[str, Any]:
    """The ids of images by their texts, if they all are numbers and the annotations' all texts, or the reverse; else
    empty. In a file that was joined from several, 1 and "1" are different images."""
    used = [annotation.get("image_id") for annotation in annotations if isinstance(annotation, dict)]
    are_texts = {isinstance(image_id, str) for image_id in images}
    named_as_texts = {isinstance(image_id, str) for image_id in used if _is_id(image_id)}
    is_other = len(are_texts) == len(named_as_texts) == 1 and are_texts != named_as_texts
    return {str(image_id): image_id for image_id in images} if is_other else {}


def _is_id(value: Any) -> bool:
    return isinstance(value, int | float | str) and value == value  # no NaN


def _problem(value: Any, *id_fields: str) -> str:
    """Why an image or annotation cannot be used. Empty if it can be used."""
    if not isinstance(value, dict):
        return "not a JSON object"
    for name in id_fields:
        if not _is_id(value.get(name)):
            return f"its {name} is not a number or a text"
    return "" if isinstance(value.get("caption"), str | None) else "its caption is not a text"


def _order(id_value: float | str) -> tuple[bool, float | str]:
    """Sorts numbers before texts, because they cannot be compared with each other."""
    return isinstance(id_value, str), id_value


def _url(image: dict[str, Any]) -> Any:
    return next((image[name] for name in _URLS if image.get(name)), None)


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
