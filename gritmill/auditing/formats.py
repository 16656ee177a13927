"""The formats that can be audited: a row of a file -> a `GroundedRow`.

A reader raises `BadCell` if a row is not in its format; then the row counts as broken.
"""

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from gritmill.auditing.grounded_row import GroundedRow, NearName, WrittenBox, WrittenSpan, numbers_in, whole
from transforms.annotations.cells import as_number, is_crowd, items_of
from transforms.annotations.columns import BadCell
from transforms.annotations.spans import mentions
from transforms.text.grounded_caption import Corners
from transforms.wording import type_of

Row = Mapping[str, Any]
"""The columns of a row, or the fields of a JSON object."""


class AuditFormat(StrEnum):
    """The format of grounded data."""

    GRIT = "grit"
    ODVG = "odvg"
    COCO = "coco"
    HF = "hf"
    TRUTH = "truth"


_KEYS = ("source_key", "key")
PICTURES = ("filename", "file_name", "image_id", "image", "url", *_KEYS)
"""Names of columns that name an image. The first one that a row has is used. Keys are those of pairs."""

CAPTIONS = ("caption", "text", "TEXT", "txt", "alt_text")
_LISTS = ("noun_chunks", "ref_exps")
_PIXEL = 0.001  # ODVG and COCO are rounded to this


def recognised(row: Row) -> AuditFormat | None:
    """The format of a row, from its fields; None if none fits. Texts in a dialect cannot be recognised."""
    if any(name in row for name in _LISTS):
        return AuditFormat.GRIT
    if any(isinstance(row.get(name), Mapping) for name in ("grounding", "detection")):
        return AuditFormat.ODVG
    if isinstance(row.get("groundings"), list):
        return AuditFormat.HF
    if isinstance(row.get("truth"), list):
        return AuditFormat.TRUTH
    annotations = row.get("annotations")
    if not isinstance(annotations, list) or "file_name" not in row:
        return None
    only_captions = any(isinstance(one, Mapping) and "caption" in one and "bbox" not in one for one in annotations)
    return None if only_captions else AuditFormat.COCO


def read_grit(row: Row, place: str) -> GroundedRow:
    """A row of GRIT, or of gritmill's records: `noun_chunks` and `ref_exps` of [start, end, x1, y1, x2, y2, score]. If
    one of the lists is missing, the other one is used alone."""
    present = [name for name in _LISTS if row.get(name) is not None]
    if not present:
        raise BadCell(f"neither {' nor '.join(_LISTS)}")
    name, (rows, *others) = present[0], [_list(row, name) for name in present]
    paired = others[0] if others and len(others[0]) == len(rows) else None
    boxes = []
    for number, item in enumerate(rows):
        span, corners, score = _of_seven(item)
        expression, copy = None, None
        if paired is not None and span:
            expression, other, its_score = _of_seven(paired[number])
            copy = None if corners is None else ((*corners, score), (*other, its_score) if other else ())
        boxes.append(WrittenBox(f"{name}[{number}]", corners, score, span, expression=expression, copy=copy))
    return GroundedRow(
        place,
        picture_in(row, place),
        caption_in(row),
        tuple(boxes),
        size=size_in(row),
        lines=(len(rows), len(others[0])) if others else None,
        meta=_text(row.get("meta")) or "{}",
    )


def read_odvg(row: Row, place: str) -> GroundedRow:
    """A line of ODVG: `grounding` with a caption and regions, or `detection` with instances. Boxes are pixels."""
    grounding, detection = row.get("grounding"), row.get("detection")
    if isinstance(grounding, Mapping):
        caption: str | None = caption_in(grounding)
        name, items = "regions", _objects(grounding, "regions")
    elif isinstance(detection, Mapping):
        caption, name, items = None, "instances", _objects(detection, "instances")
    else:
        raise BadCell("neither grounding nor detection")
    boxes = []
    for number, item in enumerate(items):
        text = _text(item.get("phrase") if caption is not None else item.get("category", item.get("label")))
        spans = _mentions(item.get("tokens_positive"), caption or "")
        words = [(caption or "")[slice(*span)] for span in map(whole, spans) if span]
        if text and len(words) > 1 and " ".join(words).split() == text.split():
            text = words[0]  # mmdetection writes the words of all mentions
        boxes += [
            WrittenBox(f"{name}[{number}]", _corners(numbers_in(box, 4)), span=spans[0], text=text)
            for box in _each(item.get("bbox"))
        ]
    return _in_pixels(row, place, caption, boxes)


def read_coco(row: Row, place: str) -> GroundedRow:
    """An image of COCO's format with its `annotations`: `bbox` is x, y, width and height in pixels. Also of MDETR and
    GLIP, whose images have a caption, and whose annotations have `tokens_positive`. `category`: a name, from
    `categories`."""
    caption = caption_in(row) if any(row.get(name) is not None for name in CAPTIONS) else None
    boxes = []
    for number, item in enumerate(_objects(row, "annotations")):
        four = numbers_in(item.get("bbox"), 4)
        corners = None if four is None else (four[0], four[1], four[0] + four[2], four[1] + four[3])
        score = as_number(item.get("score"))
        text = _text(item.get("phrase") or item.get("category"))
        # One annotation may be the box of several phrases.
        spans = _mentions(item.get("tokens_positive") if caption is not None else None, caption or "")
        crowd = is_crowd(item)
        boxes += [
            WrittenBox(f"annotations[{number}]", corners, score, at, None if at else text, crowd=crowd) for at in spans
        ]
    return _in_pixels(row, place, caption, boxes)


def read_hf(row: Row, place: str) -> GroundedRow:
    """A row of gritmill's export `hf`: `groundings` with `start`, `end`, `box` as fractions, `score`."""
    boxes = []
    for number, item in enumerate(_objects(row, "groundings")):
        score = as_number(item.get("score"))
        boxes.append(
            WrittenBox(
                f"groundings[{number}]",
                _corners(numbers_in(item.get("box"), 4)),
                math.nan if score is None else score,
                _offsets(item, "start", "end"),
                _text(item.get("phrase")),
                _offsets(item, "expression_start", "expression_end"),
            )
        )
    return GroundedRow(place, picture_in(row, place), caption_in(row), tuple(boxes), size=size_in(row))


def read_truth(row: Row, place: str) -> GroundedRow:
    """A row of a custom set of `gritmill eval`: `truth` with `start`, `end`, `text`, and `boxes` as fractions or as
    `pixels`: if some phrases have these, all boxes are pixels here. Without offsets, `text` is looked for in the
    caption."""
    items = _objects(row, "truth")
    in_pixels = any(item.get("pixels") for item in items)
    sides = size_in(row) * 2
    boxes = []
    for number, item in enumerate(items):
        span = _offsets(item, "start", "end")
        unit = "pixels" if item.get("pixels") else "boxes"
        written = item.get(unit) or []
        if not isinstance(written, list):
            raise BadCell(f"truth[{number}].{unit}: {type_of(written)}, not a list")
        for box in written:
            corners = numbers_in(box, 4)
            if corners and in_pixels and unit == "boxes":
                corners = tuple(corner * side for corner, side in zip(corners, sides, strict=True))
            boxes.append(WrittenBox(f"truth[{number}]", _corners(corners), None, span, _text(item.get("text"))))
    if in_pixels:
        return _in_pixels(row, place, caption_in(row), boxes)
    return GroundedRow(place, picture_in(row, place), caption_in(row), tuple(boxes), size=size_in(row))


READERS: dict[AuditFormat, Callable[[Row, str], GroundedRow]] = {
    AuditFormat.GRIT: read_grit,
    AuditFormat.ODVG: read_odvg,
    AuditFormat.COCO: read_coco,
    AuditFormat.HF: read_hf,
    AuditFormat.TRUTH: read_truth,
}


def _in_pixels(row: Row, place: str, caption: str | None, boxes: list[WrittenBox]) -> GroundedRow:
    width, height = size_in(row)
    known = width > 0 and height > 0
    return GroundedRow(
        place,
        picture_in(row, place),
        caption,
        tuple(boxes),
        sides=(width, height) if known else None,
        size=(width, height),
        tolerance=(_PIXEL / width, _PIXEL / height) if known else (0.0, 0.0),
    )


def _corners(numbers: tuple[float, ...] | None) -> Corners | None:
    return None if numbers is None else (numbers[0], numbers[1], numbers[2], numbers[3])


def _list(row: Row, name: str) -> list[Any]:
    """The list under a name. Raises BadCell if it is something else."""
    try:
        return items_of(row.get(name))
    except BadCell as error:
        raise BadCell(f"{name}: {error}" if name in row else f"no {name}") from error


def _objects(row: Row, name: str) -> list[Mapping[str, Any]]:
    """The list of objects under a name. Raises BadCell if it is something else."""
    items = _list(row, name)
    wrong = next((number for number, item in enumerate(items) if not isinstance(item, Mapping)), None)
    if wrong is not None:
        raise BadCell(f"{name}[{wrong}]: {type_of(items[wrong])}, not an object")
    return items


def _of_seven(item: Any) -> tuple[WrittenSpan | None, Corners | None, float | None]:
    """Span, box and score of a row of GRIT. None for a box of other values than numbers; NaN for such offsets and
    scores. All None if the row has not seven values, so that only its box has a fault."""
    if not isinstance(item, list | tuple) or len(item) != 7:
        return None, None, None
    score = numbers_in(item[6:], 1)
    return _span(item[:2]), _corners(numbers_in(item[2:6], 4)), math.nan if score is None else score[0]


def _span(values: Any) -> WrittenSpan:
    """Two offsets, each NaN if they are not two numbers. Each NaN is an object of its own, so that a dictionary takes
    no two phrases with it for one."""
    start, end = (value if value == value else float("nan") for value in numbers_in(values, 2) or (math.nan, math.nan))
    return start, end


def _offsets(item: Mapping[str, Any], *names: str) -> WrittenSpan | None:
    """The offsets under two names; None if there are none."""
    values = [item.get(name) for name in names]
    return None if values == [None, None] else _span(values)


def _each(value: Any) -> list[Any]:
    """The lists in a list of lists; any other value as one item."""
    return value if isinstance(value, list) and value and all(isinstance(one, list) for one in value) else [value]


def _mentions(value: Any, caption: str) -> list[WrittenSpan | None]:
    """The mentions in `tokens_positive`: [[start, end], …], or one span alone; None if there are none."""
    if value is None or value == []:
        return [None]
    written = [_span(part) for part in _each(value)]
    return [_span(part) for part in mentions(written, caption)] if all(map(whole, written)) else [*written]


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        value = " ".join(map(str, value))
    return None if value is None else str(value)


def caption_in(row: Row) -> str:
    """The caption of a row; "" if it has none. Raises BadCell if it is no text."""
    value = next((row[name] for name in CAPTIONS if row.get(name) is not None), "")
    if not isinstance(value, str):
        raise BadCell(f"caption: {type_of(value)}, not a text")
    return value


def picture_in(row: Row, place: str) -> str:
    """What names the image of a row; its place if nothing does."""
    values = ((name, row.get(name)) for name in PICTURES)
    named = ((name, str(value)) for name, value in values if isinstance(value, str | int) and value != "")
    column, value = next(named, ("", place))
    return NearName(value) if column in ("", *_KEYS) else value


def size_in(row: Row) -> tuple[int, int]:
    """Width and height in pixels; (0, 0) if the row does not have both."""
    sides = [as_number(row.get(name)) for name in ("width", "height")]
    width, height = (int(side) if side is not None and side >= 1 else 0 for side in sides)
    return (width, height) if width and height else (0, 0)
