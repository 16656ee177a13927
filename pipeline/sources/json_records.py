"""JSON files with a list of records, at the top or under a key: one record is one row, as a line of JSON lines is.

This covers LLaVA's lists (`conversations`) and Karpathy's splits (`dataset_coco.json`: `images`, with `sentences`).
Records may also be the values of one object, whose keys are image files: `{"a.jpg": "a dog"}`, or
`{"a": {"caption": …, "tags": …}}` as kohya's trainers write it. A data frame that pandas wrote in another orientation
is read, too. The file is read as a whole.
"""

import codecs
import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

from pipeline import files
from pipeline.configuration import ColumnSettings, SourceSettings
from pipeline.faults import CallError, SourceFault
from pipeline.files import FileInfo
from pipeline.sources import json_text
from pipeline.sources.base import Position, is_url
from pipeline.sources.columns import Columns, how_to_download
from pipeline.sources.member_names import is_image_name, shown
from pipeline.sources.table import RecordSource, Row
from pipeline.sources.text_file import open_text, read_text
from transforms.read_ahead import map_in_threads
from transforms.records import FailureStage, Fault, ImageRef, Reason

_HEAD = 1 << 16
_SHOWN = 5  # names in a message
_SAMPLED = 100  # records of a list whose fields are looked at

_Named = list[tuple[str, Any]]
"""Captions or records by name. A name may be repeated."""


class JsonSource(RecordSource):
    """In a position, `offset` is the number of the record."""

    def place(self, position: Position) -> str:
        """The number says it."""
        return ""

    def check_encoding(self) -> None:
        """Python detects it in JSON."""

    def check_images(self, cells: Iterable[Any]) -> None:
        """Raises CallError if they are URLs alone. img2dataset reads JSON only if it is a list."""
        cells = list(cells)
        are_urls = bool(cells) and all(isinstance(cell, str) and is_url(cell) for cell in cells)
        if are_urls and not _head(self.uri, self.settings.encoding).startswith(b"["):
            cure = f"write them and their captions as CSV, and {how_to_download('urls.csv', 'url', 'caption')}"
            raise CallError(f"source.columns.image: {self.uri} names images by URLs; {cure}")
        super().check_images(cells)

    def image(self, row: dict[str, Any], position: Position) -> tuple[ImageRef | Fault, bytes]:
        """A Fault if the name of a record is that of several files."""
        found = row.get(self.columns.image)
        return (found, b"") if isinstance(found, Fault) else super().image(row, position)

    def records(self, offset: int, number: int) -> Iterator[tuple[int, int, Row]]:
        """One row per record."""
        records = _records(self.info, self.settings.encoding, self.root, self.settings.columns)
        for position, record in enumerate(records[offset:], offset):
            yield position, number + position - offset, record if isinstance(record, dict) else "not a JSON object"


def kind_of_json(uri: str, kind: str, settings: SourceSettings) -> str:
    """The kind of a JSON file by its content: "json", "jsonl" or "coco". kind: what its name says."""
    try:
        head = _head(uri, settings.encoding)
    except Exception:  # of any file system; whoever reads the file says what is wrong
        return kind
    if head.startswith(b"["):
        return "json"
    if kind == "jsonl":
        return kind
    try:
        value = json_text.parse(read_text(uri, settings.encoding))
    except json.JSONDecodeError as error:
        return "jsonl" if error.msg == "Extra data" else "coco"
    except (ValueError, RecursionError, SourceFault):
        return "coco"  # which says what is wrong
    if isinstance(value, dict) and all(isinstance(value.get(name), list) for name in ("images", "annotations")):
        return "coco"
    is_table = _lists(value) or _frame(value, settings.columns) or _is_by_name(value, settings.columns)
    return "json" if is_table else "coco"


def has_records(uri: str) -> bool:
    """Whether a JSON file contains a list of records, at the top or under a key. False if it cannot be read."""
    try:
        value = json_text.parse(read_text(uri, ""))
    except Exception:  # of any file system; whoever reads the file says what is wrong
        return False
    return isinstance(value, list) or bool(_lists(value) or _frame(value, ColumnSettings()))


def _head(uri: str, encoding: str) -> bytes:
    with open_text(uri, encoding) as text:
        return text.file.read(_HEAD).removeprefix(codecs.BOM_UTF8).lstrip()


@lru_cache(maxsize=1)
def _records(info: FileInfo, encoding: str, root: str, columns: ColumnSettings) -> list[Any]:
    """The records of a file. They are cached for the next range of the same file. root: of image files."""
    data = read_text(info.uri, encoding)
    try:
        value = json_text.parse(data)
        lists = _lists(value)
        is_table = len(lists) == 1 and _fit(next(iter(lists.values())), columns)
        by_name = json_text.members(data) if not is_table and _is_by_name(value, columns) else []
    except (ValueError, RecursionError) as error:
        raise SourceFault(json_text.explain(error)) from error
    if isinstance(value, list):
        return _with_folders(value)
    if frame := _frame(value, columns):
        return _rows_of_frame(frame, root, columns)
    if by_name:
        return _named_records(by_name, root, columns)
    if len(lists) != 1:
        raise SourceFault(f"not one list of records, but {len(lists)}: {_listed(lists) or 'none'}")
    [records] = lists.values()
    return _with_folders(records)


def _lists(value: Any) -> dict[str, list[Any]]:
    """The lists of objects in an object, by key."""
    items = value.items() if isinstance(value, dict) else ()
    return {key: item for key, item in items if isinstance(item, list) and any(isinstance(one, dict) for one in item)}


def _fit(records: list[Any], columns: ColumnSettings) -> bool:
    """Whether the first records have a caption and an image, so that they are a table, and no captions of one image."""
    objects = [one for one in records[:_SAMPLED] if isinstance(one, dict)]
    return Columns.fit(_fields(objects), columns)


def _fields(objects: Iterable[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for one in objects for name in one))


def _is_by_name(value: Any, columns: ColumnSettings) -> bool:
    """Whether the values of an object are captions or records by name: most names are image files, or most values are
    objects with a caption. A configuration may have a `title` somewhere."""
    if not isinstance(value, dict):
        return False
    if _mostly_images(value):
        return True
    names = (*columns.caption, "tags")
    captioned = sum(
        isinstance(one, dict) and any(one.get(name) and isinstance(one[name], str | list) for name in names)
        for one in value.values()
    )
    return not _lists(value) and 2 * captioned > len(value)


def _mostly_images(names: Iterable[str]) -> bool:
    are_images = [_is_image_file(name) for name in names]
    return 2 * sum(are_images) > len(are_images)


def _is_image_file(name: str) -> bool:
    return "." in name and is_image_name(name)


def _named_records(named: _Named, root: str, columns: ColumnSettings) -> list[dict[str, Any]]:
    """The values as records. The name of each one is its image file, unless it has a field for this. A list of objects
    with captions is as many records."""
    objects = [one for _, value in named for one in (value if isinstance(value, list) else [value])]
    fields = _fields(one for one in objects if isinstance(one, dict))
    caption = Columns.name_of("caption", fields, columns) or next(iter(columns.caption), "caption")
    values = [(name, one) for name, value in named for one in _split(value, columns)]
    fields = _fields(one for _, one in values if isinstance(one, dict))
    caption = Columns.name_of("caption", fields, columns) or next(iter(columns.caption), "caption")
    image = Columns.name_of("image", fields, columns) or next(iter(columns.image), "image")
    rows = [(name, _with_folder(one) if isinstance(one, dict) else {caption: one}) for name, one in values]
    own = [Columns.name_of("image", [field for field, cell in row.items() if cell], columns) for _, row in rows]
    unnamed = {name for (name, _), field in zip(rows, own, strict=True) if not field and not _is_image_file(name)}
    found = _image_files(sorted(unnamed), root)
    added = ["key", image] if any(own) else [image]
    records = []
    for (name, row), field in zip(rows, own, strict=True):
        record = {**dict.fromkeys(added, name), **row, image: row[field] if field else found.get(name, name)}
        if caption not in row and (other := Columns.name_of("caption", row, columns)):
            record[caption] = row[other]
        records.append(record)
    return records


def _split(value: Any, columns: ColumnSettings) -> list[Any]:
    """The records or captions of a name. Other lists than those of objects with captions are one: of texts, of a
    conversation."""
    items = value if isinstance(value, list) else []
    are_records = any(isinstance(one, dict) and Columns.name_of("caption", one, columns) for one in items)
    return items if are_records else [value]


def _image_files(names: list[str], root: str) -> dict[str, str | Fault]:
    """The image file for each name without a suffix, as kohya's trainers write it; a Fault if there are several. Others
    are left out."""
    paths = {name: name.replace("\\", "/") for name in names if "\0" not in name}
    uris = {name: uri for name, path in paths.items() if (uri := files.resolve_below(root, path))}
    by_stem: dict[str, list[str]] = {}
    for infos in map_in_threads(_list, sorted({files.parent(uri) for uri in uris.values()})):
        for info in infos:
            if _is_image_file(info.uri):
                by_stem.setdefault(info.uri.rpartition(".")[0], []).append(info.uri)
    return {name: _one_of(name, by_stem[uri]) for name, uri in uris.items() if uri in by_stem}


def _list(folder: str) -> list[FileInfo]:
    return files.list_tree(folder, deep=False).get(folder, [])


def _one_of(name: str, uris: list[str]) -> str | Fault:
    if len(uris) == 1:
        return uris[0]
    problem = f"{shown(name)} names {_listed(map(files.name, uris))}; remove all but one, or name it with its suffix"
    return Fault.from_error(FailureStage.READ, Reason.NO_IMAGE, problem)


def _listed(names: Iterable[str]) -> str:
    """The first names, for a message."""
    first = [shown(name) for name in islice(names, _SHOWN + 1)]
    return ", ".join(first[:_SHOWN]) + (", …" if len(first) > _SHOWN else "")


def _frame(value: Any, columns: ColumnSettings) -> _Named:
    """The rows of a data frame by index, as pandas' `to_json` writes it by default, `{"caption": {"0": …}, …}`, or with
    `orient="split"`: `{"columns": […], "index": […], "data": [[…], …]}`. Empty if the value is something else. An index
    of other texts than numbers is one if there are captions and images."""
    if not isinstance(value, dict) or not value:
        return []
    if value.keys() == {"columns", "index", "data"} and all(isinstance(item, list) for item in value.values()):
        names, index, rows = value["columns"], value["index"], value["data"]
        are_rows = len(index) == len(rows) and all(isinstance(row, list) and len(row) == len(names) for row in rows)
        if not are_rows:
            return []
        cells = (dict(zip(map(str, names), row, strict=True)) for row in rows)
        return list(zip(map(str, index), cells, strict=True))
    first = next(iter(value.values()))
    if not isinstance(first, dict):
        return []
    if not all(isinstance(column, dict) and column.keys() == first.keys() for column in value.values()):
        return []
    if not all(map(str.isdecimal, first)) and not (
        Columns.name_of("caption", value, columns) and (Columns.has_image(value, columns) or _mostly_images(first))
    ):
        return []
    return [(name, {field: column[name] for field, column in value.items()}) for name in first]


def _rows_of_frame(frame: _Named, root: str, columns: ColumnSettings) -> list[dict[str, Any]]:
    """The rows. Their index is that of the images if it names some, or if it has texts beside images."""
    index = [name for name, _ in frame]
    has_image = Columns.has_image(_fields(row for _, row in frame[:1]), columns)
    if _mostly_images(index) or (has_image and not all(map(str.isdecimal, index))):
        return _named_records(frame, root, columns)
    return _with_folders([row for _, row in frame])


def _with_folders(records: list[Any]) -> list[Any]:
    return [_with_folder(record) if isinstance(record, dict) else record for record in records]


def _with_folder(record: dict[str, Any]) -> dict[str, Any]:
    """A record of Karpathy's splits with the file and its folder as one path. Others unchanged."""
    folder, name = record.get("filepath"), record.get("filename")
    return {**record, "filename": f"{folder}/{name}"} if isinstance(folder, str) and isinstance(name, str) else record
