"""JSON that other programs wrote."""

import json
from typing import Any

from pipeline.faults import first_line

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


def explain(error: Exception) -> str:
    """Why a text is not JSON. error: what `parse` raised."""
    cure = f"; {SET_ENCODING}" if isinstance(error, UnicodeDecodeError) else ""
    return f"not JSON: {first_line(error)}{cure}"


def with_grounding(record: dict[str, Any]) -> dict[str, Any]:
    """A record of ODVG with the `caption` and the `regions` of its `grounding` as fields. Others unchanged."""
    grounding = record.get("grounding")
    if "caption" in record or not isinstance(grounding, dict) or "caption" not in grounding:
        return record
    rest = {name: value for name, value in record.items() if name != "grounding"}
    return {**rest, "caption": grounding["caption"], "regions": grounding.get("regions")}


def _integer(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:
        return digits
