"""JSON that other programs wrote."""

import json
from typing import Any

from pipeline.configuration import ColumnSettings
from pipeline.faults import first_line
from pipeline.sources.columns import Columns

SET_ENCODING = "set source.encoding to its encoding, for example latin-1"


def parse(data: bytes | str) -> Any:
    """Returns the value. An integer of more than 4300 digits, which Python refuses to parse, becomes a text.

    Raises:
      ValueError: it is not JSON. RecursionError: it is nested too deep.
    """
    try:
        return json.loads(data)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return json.loads(data, parse_int=_integer)  # slower, as it calls Python for each integer


def members(data: bytes | str) -> list[tuple[str, Any]]:
    """The names and values of the object that a text is, also those whose name is repeated. Raises as `parse`."""
    last: list[tuple[str, Any]] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal last
        last = pairs  # the outermost object ends last
        return dict(pairs)

    json.loads(data, object_pairs_hook=keep, parse_int=_integer)
    return last


def explain(error: Exception) -> str:
    """Why a text is not JSON. error: what `parse` raised."""
    text = (
        error.object if isinstance(error, UnicodeDecodeError) else getattr(error, "doc", "").encode("utf-8", "replace")
    )
    if nul := nul_in(text):
        return f"not JSON: {nul}"
    cure = f"; {SET_ENCODING}" if isinstance(error, UnicodeDecodeError) else ""
    return f"not JSON: {first_line(error)}{cure}"


def nul_in(text: bytes) -> str:
    """What is wrong if a text contains a NUL; "" if it contains none. UTF-16 contains them, too."""
    if b"\0" not in text:
        return ""
    cure = "if it is UTF-16, set source.encoding=utf-16-le or utf-16-be"
    return f"its byte {text.index(0) + 1:,} is a NUL, so the file is damaged or binary; {cure}"


def with_grounding(record: dict[str, Any], columns: ColumnSettings) -> dict[str, Any]:
    """A record of ODVG with the `caption` and the `regions` of its `grounding` as fields. Others unchanged, also those
    that have a caption, and all if `caption` is not among the columns."""
    grounding = record.get("grounding")
    if not isinstance(grounding, dict) or "caption" not in grounding or "caption" not in columns.caption:
        return record
    if Columns.name_of("caption", record, columns):
        return record
    rest = {name: value for name, value in record.items() if name != "grounding"}
    return {**rest, "caption": grounding["caption"], "regions": grounding.get("regions")}


def _integer(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:
        return digits
