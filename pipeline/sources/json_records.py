"""JSON files with a list of records, at the top or under a key: one record is one row, as a line of JSON lines is.

This covers LLaVA's lists (`conversations`) and Karpathy's splits (`dataset_coco.json`: `images`, with `sentences`).
Records may also be the values of one object, whose keys are image files: `{"a.jpg": "a dog"}`, or
`{"a": {"caption": …, "tags": …}}` as kohya's trainers write it. A data frame that pandas wrote in another orientation
is read, too. The file is read as a whole.
"""

import codecs
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pipeline import files
from pipeline.configuration import ColumnSettings
from pipeline.faults import SourceFault
from pipeline.files import FileInfo
from pipeline.sources import json_text
from pipeline.sources.base import Position
from pipeline.sources.columns import Columns
from pipeline.sources.member_names import is_image_name
from pipeline.sources.table import RecordSource, Row
from pipeline.sources.text_file import open_text, read_text

_HEAD = 1 << 16

_CAPTIONS = {*ColumnSettings().caption, "tags"}
"""Fields that show that the values of an object are records, if its keys are no image files."""


class JsonSource(RecordSource):
    """In a position, `offset` is the number of the record."""

    def place(self, position: Position) -> str:
        """The number says it."""
        return ""

    def check_encoding(self) -> None:
        """Python detects it in JSON."""

    def rows(self, offset: int, number: int) -> Iterator[tuple[int, int, Row]]:
        """One row per record."""
        for position, record in enumerate(self._records()[offset:], offset):
            yield position, number + position - offset, _row(record)

    def _records(self) -> list[Any]:
        return _records(self.info, self.settings.encoding, self.root)


def kind_of_json(uri: str, kind: str, encoding: str) -> str:
    """The kind of a JSON file by its content: "json", "jsonl" or "coco". kind: what its name says."""
    try:
        with open_text(uri, encoding) as text:
            head = text.file.read(_HEAD).removeprefix(codecs.BOM_UTF8).lstrip()
    except Exception:  # of any file system; whoever reads the file says what is wrong
        return kind
    if head.startswith(b"["):
        return "json"
    if kind == "jsonl":
        return kind
    try:
        value = json_text.parse(read_text(uri, encoding))
    except json.JSONDecodeError as error:
        return "jsonl" if error.msg == "Extra data" else "coco"
    except (ValueError, RecursionError, SourceFault):
        return "coco"  # which says what is wrong
    is_coco = isinstance(value, dict) and all(isinstance(value.get(name), list) for name in ("images", "annotations"))
    return "json" if not is_coco and (_lists(value) or _frame(value) or _by_name(value)) else "coco"


def has_records(uri: str) -> bool:
    """Whether a JSON file contains a list of records, at the top or under a key. False if it cannot be read."""
    try:
        value = json_text.parse(read_text(uri, ""))
    except Exception:  # of any file system; whoever reads the file says what is wrong
        return False
    return isinstance(value, list) or bool(_lists(value) or _frame(value))


@lru_cache(maxsize=1)
def _records(info: FileInfo, encoding: str, root: str) -> list[Any]:
    """The records of a file. They are cached for the next range of the same file. root: of image files."""
    try:
        value = json_text.parse(read_text(info.uri, encoding))
    except (ValueError, RecursionError) as error:
        raise SourceFault(json_text.explain(error)) from error
    if isinstance(value, list):
        return value
    if rows := _frame(value):
        return rows
    lists = _lists(value)
    if not lists and (by_name := _by_name(value)):
        return _named_records(by_name, root)
    if len(lists) != 1:
        raise SourceFault(f"not one list of records, but {len(lists)}: {', '.join(lists) or 'none'}")
    [records] = lists.values()
    return records


def _lists(value: Any) -> dict[str, list[Any]]:
    """The lists of objects in an object, by key."""
    items = value.items() if isinstance(value, dict) else ()
    return {key: item for key, item in items if isinstance(item, list) and any(isinstance(one, dict) for one in item)}


def _by_name(value: Any) -> dict[str, Any]:
    """An object whose values are captions or records, by name. Empty if it is another one."""
    if not isinstance(value, dict):
        return {}
    if 2 * sum(map(_is_image_file, value)) > len(value):
        return value
    are_records = all(isinstance(one, dict) for one in value.values())
    return value if are_records and any(not _CAPTIONS.isdisjoint(one) for one in value.values()) else {}


def _named_records(by_name: dict[str, Any], root: str) -> list[dict[str, Any]]:
    """The values as records. Their names are the image files, unless the records have a field for these."""
    fields = {name: None for value in by_name.values() if isinstance(value, dict) for name in value}
    if Columns.has_image(fields, ColumnSettings()):
        return [{"key": name, **value} if isinstance(value, dict) else value for name, value in by_name.items()]
    found = _image_files([name for name in by_name if not _is_image_file(name)], root)
    return [
        {"image": found.get(name, name), **(value if isinstance(value, dict) else {"caption": value})}
        for name, value in by_name.items()
    ]


def _image_files(names: list[str], root: str) -> dict[str, str]:
    """The image file for each name without a suffix, as kohya's trainers write it. Others are left out."""
    uris = {name: uri for name in names if (uri := files.resolve_below(root, name))}
    by_stem: dict[str, str] = {}
    for folder in sorted({files.parent(uri) for uri in uris.values()}):
        for info in files.list_tree(folder, deep=False).get(folder, []):
            if _is_image_file(info.uri):
                by_stem.setdefault(info.uri.rpartition(".")[0], info.uri)
    return {name: by_stem[uri] for name, uri in uris.items() if uri in by_stem}


def _is_image_file(name: str) -> bool:
    return "." in name and is_image_name(name)


def _frame(value: Any) -> list[dict[str, Any]]:
    """The rows of a data frame, as pandas' `to_json` writes it by default, `{"caption": {"0": …}, …}`, or with
    `orient="split"`: `{"columns": […], "index": […], "data": [[…], …]}`. Empty if the value is something else."""
    if not isinstance(value, dict) or not value:
        return []
    if value.keys() == {"columns", "index", "data"} and all(isinstance(item, list) for item in value.values()):
        names, rows = value["columns"], value["data"]
        are_rows = all(isinstance(row, list) and len(row) == len(names) for row in rows)
        return [dict(zip(map(str, names), row, strict=True)) for row in rows] if are_rows else []
    first = next(iter(value.values()))
    if not isinstance(first, dict) or not all(number.isdecimal() for number in first):
        return []
    if not all(isinstance(column, dict) and column.keys() == first.keys() for column in value.values()):
        return []
    return [{name: column[number] for name, column in value.items()} for number in first]


def _row(record: Any) -> Row:
    if not isinstance(record, dict):
        return "not a JSON object"
    record = json_text.with_grounding(record)
    folder, name = record.get("filepath"), record.get("filename")  # Karpathy's splits: the folder and the file in it
    return {**record, "filename": f"{folder}/{name}"} if isinstance(folder, str) and isinstance(name, str) else record
