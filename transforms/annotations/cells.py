"""The value of a cell. In CSV it is a text: JSON, or a Python literal as pandas writes it."""

import ast
import json
from typing import Any

from transforms.annotations.columns import BadCell
from transforms.wording import type_of

_LISTS = ("regions", "objects", "annotations")
_MAX_TEXT = 1 << 20


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
        value = inner if inner is not None else _transposed(value)
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
            return _as_lists(ast.literal_eval(text.strip()))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    raise BadCell(f"{text[:40]!r} is not JSON")


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, list | tuple) else value


def _transposed(columns: dict[str, Any]) -> Any:
    """An object of lists as a list of objects; any other object as a list with this object."""
    lists = {name: values for name, values in columns.items() if isinstance(values, list)}
    boxes = [values for values in lists.values() if values and isinstance(values[0], list | dict)]
    if not boxes:
        empty = len(lists) > 1 and len(lists) == len(columns) and not any(lists.values())
        return [] if empty else [columns]
    length = len(boxes[0])
    fitting = {name: values for name, values in lists.items() if len(values) == length}
    return [{name: values[number] for name, values in fitting.items()} for number in range(length)]
