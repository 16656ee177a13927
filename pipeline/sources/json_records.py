"""JSON files with a list of records, at the top or under a key: one record is one row, as a line of JSON lines is.

This covers LLaVA's lists (`conversations`) and Karpathy's splits (`dataset_coco.json`: `images`, with `sentences`). A
data frame that pandas wrote in another orientation is read, too. The file is read as a whole.
"""

import codecs
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pipeline.faults import SourceFault, first_line
from pipeline.files import FileInfo
from pipeline.sources import json_text
from pipeline.sources.base import Position
from pipeline.sources.table import RecordSource, Row
from pipeline.sources.text_file import open_text, read_text

_HEAD = 1 << 16


class JsonSource(RecordSource):
    """In a position, `offset` is the number of the record."""

    def place(self, position: Position) -> str:
        """The number says it."""
        return ""

    def rows(self, offset: int, number: int) -> Iterator[tuple[int, int, Row]]:
        """One row per record."""
        for position, record in enumerate(_records(self.info, self.settings.encoding)[offset:], offset):
            yield position, number + position - offset, _row(record)


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
    return "json" if not is_coco and (_lists(value) or _frame(value)) else "coco"


def has_records(uri: str) -> bool:
    """Whether a JSON file contains a list of records, at the top or under a key. False if it cannot be read."""
    try:
        value = json_text.parse(read_text(uri, ""))
    except Exception:  # of any file system; whoever reads the file says what is wrong
        return False
    return isinstance(value, list) or bool(_lists(value) or _frame(value))


@lru_cache(maxsize=1)
def _records(info: FileInfo, encoding: str) -> list[Any]:
    """The records of a file. They are cached for the next range of the same file."""
    try:
        value = json_text.parse(read_text(info.uri, encoding))
    except (ValueError, RecursionError) as error:
        raise SourceFault(f"not JSON: {first_line(error)}") from error
    if isinstance(value, list):
        return value
    if rows := _frame(value):
        return rows
    lists = _lists(value)
    if len(lists) != 1:
        raise SourceFault(f"not one list of records, but {len(lists)}: {', '.join(lists) or 'none'}")
    [records] = lists.values()
    return records


def _lists(value: Any) -> dict[str, list[Any]]:
    """The lists of objects in an object, by key."""
    items = value.items() if isinstance(value, dict) else ()
    return {key: item for key, item in items if isinstance(item, list) and any(isinstance(one, dict) for one in item)}


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
    folder, name = record.get("filepath"), record.get("filename")  # Karpathy's splits: the folder and the file in it
    return {**record, "filename": f"{folder}/{name}"} if isinstance(folder, str) and isinstance(name, str) else record
