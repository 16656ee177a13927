"""JSON files with a list of records, at the top or under a key: one record is one row, as a line of JSON lines is.

This covers LLaVA's lists (`conversations`) and Karpathy's splits (`dataset_coco.json`: `images`, with `sentences`). The
file is read as a whole.
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
    return "coco" if is_coco or not _lists(value) else "json"


@lru_cache(maxsize=1)
def _records(info: FileInfo, encoding: str) -> list[Any]:
    """The records of a file. They are cached for the next range of the same file."""
    try:
        value = json_text.parse(read_text(info.uri, encoding))
    except (ValueError, RecursionError) as error:
        raise SourceFault(f"not JSON: {first_line(error)}") from error
    if isinstance(value, list):
        return value
    lists = _lists(value)
    if len(lists) != 1:
        raise SourceFault(f"not one list of records, but {len(lists)}: {', '.join(lists) or 'none'}")
    [records] = lists.values()
    return records


def _lists(value: Any) -> dict[str, list[Any]]:
    """The lists of objects in an object, by key."""
    items = value.items() if isinstance(value, dict) else ()
    return {key: item for key, item in items if isinstance(item, list) and any(isinstance(one, dict) for one in item)}


def _row(record: Any) -> Row:
    if not isinstance(record, dict):
        return "not a JSON object"
    folder, name = record.get("filepath"), record.get("filename")  # Karpathy's splits: the folder and the file in it
    return {**record, "filename": f"{folder}/{name}"} if isinstance(folder, str) and isinstance(name, str) else record
