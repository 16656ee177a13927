"""The value of a cell. In CSV it is a text: JSON, or a Python literal as pandas writes it."""

import ast
import json
from collections.abc import Iterable
from typing import Any, TypeGuard

from transforms.annotations.columns import BadCell
from transforms.wording import type_of

BOXES = ("bbox", "box", "bboxes", "boxes", "bbox_2d")
LABELS = (
    *("phrase", "label", "category", "category_name", "class", "class_name", "name", "text", "caption"),
    *("phrases", "labels", "categories", "classes", "names", "texts"),
)
SCORES = ("score", "confidence", "scores", "confidences")
_CROWDS = ("iscrowd", "is_crowd", "isgroupof", "is_group_of")
"""Names, in any case, under which COCO, Objects365 and Open Images mark a box around several things."""
_OFFSETS = ("start", "end")
_LISTS = ("regions", "objects", "annotations")
_OF_EACH = (*BOXES, *LABELS, *SCORES, *_OFFSETS)

_MAX_TEXT = 1 << 20
_MAX_NUMBER = 1e15  # of a coordinate or an offset


def items_of(cell: Any, texts: bool = False) -> list[Any]:
    """The items of a cell: of a list, of a list under a key (`{"regions": […]}`), or of an object of lists of equal
    length, as Hugging Face's `datasets` writes objects (`{"bbox": […], "category": […]}`).

    texts: whether a text that is not JSON is an item.

    Raises:
      BadCell: it is nothing of these.
    """
    value = cell
    if isinstance(cell, str):
        try:
            value = _parsed(cell)
        except BadCell:
            if not texts:
                raise
        if texts and not isinstance(value, list | dict):  # also a number, true or null, which are words
            return [cell]
    if isinstance(value, dict):
        inner = next((value[name] for name in _LISTS if isinstance(value.get(name), list)), None)
        value = inner if inner is not None else _objects(value)
    if not isinstance(value, list):
        raise BadCell(f"{type_of(value)}, not a list")
    return value


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        if len(text) <= _MAX_TEXT:
            return _with_lists(ast.literal_eval(text.strip()))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    raise BadCell(f"{text[:40]!r} is neither JSON nor a list as Python writes it; write JSON")


def _with_lists(value: Any) -> Any:
    """The value with lists in place of tuples."""
    if isinstance(value, dict):
        return {key: _with_lists(item) for key, item in value.items()}
    return [_with_lists(item) for item in value] if isinstance(value, list | tuple) else value


def _objects(value: dict[str, Any]) -> list[dict[str, Any]]:
    """An object of lists as a list of objects; any other object as a list with this object."""
    lists = {name: item for name, item in value.items() if isinstance(item, list)}
    boxes = [item for name, item in lists.items() if name in BOXES]
    if boxes:
        of_many = all(not item or isinstance(item[0], list | dict) for item in boxes)
        of_many &= not any(isinstance(value.get(name), str) for name in LABELS)
    else:
        of_many = any(name in lists for name in (*_OFFSETS, *LABELS))
    if not of_many:
        return [value]
    columns = {name: item for name, item in lists.items() if name in _OF_EACH}
    lengths = {name: len(item) for name, item in columns.items()}
    if len(set(lengths.values())) > 1:
        raise BadCell(f"lists of different lengths: {', '.join(f'{n} {name}' for name, n in lengths.items())}")
    columns |= {name: item for name, item in lists.items() if _marks_crowds(name) and len(item) in lengths.values()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def text_in(item: Any, names: Iterable[str]) -> str | None:
    """The first text under one of the names in an object, alone or in a list of one; None if there is none."""
    for name in names if isinstance(item, dict) else ():
        value = item.get(name)
        if isinstance(value, list) and len(value) == 1:
            [value] = value
        if isinstance(value, str) and value.strip():
            return value
    return None


def is_crowd(item: Any) -> bool:
    """Whether an object is marked as a box around several things: 1 or true, also as a text."""
    marks = (value for name, value in item.items() if _marks_crowds(name)) if isinstance(item, dict) else ()
    return any(str(value).strip().lower() in ("1", "true", "1.0") for value in marks)


def _marks_crowds(name: Any) -> bool:
    return isinstance(name, str) and name.lower() in _CROWDS


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value is a finite number of a size that coordinates and offsets can have."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MAX_NUMBER


def as_number(value: Any) -> float | None:
    """A number, also from a text, as in CSV; None if it is none."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return value if is_number(value) else None
