"""Rows of GRIT, as records and the export `grit` have them."""

from collections.abc import Mapping
from typing import Any

from interop.seen import Level, Thing


def record_things(record: Mapping[str, Any], level: Level = "ref_exps") -> list[Thing]:
    """A row is start and end in the caption, normalised corners, score; the numbers may all be floats."""
    width, height, caption = record["width"], record["height"], record["caption"]
    return [
        Thing((x1 * width, y1 * height, x2 * width, y2 * height), caption[int(start) : int(end)])
        for start, end, x1, y1, x2, y2, _ in record[level]
    ]
