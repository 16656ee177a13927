"""A cell with boxes -> boxes as fractions of the image, each with what the source says about its phrase.

An item of the list is a box, a list of boxes of one phrase, or an object with a box under `bbox` or `box`, or with its
numbers under names (`x`, `y`, `w`, `h`; `x1`, …; `xmin`, …). With the format `grit`, it is a row of GRIT. Four numbers
in place of the list are the box of the whole caption, as in RefCOCO.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from transforms.annotations.cells import items_of
from transforms.annotations.columns import AnnotationColumns, BadCell
from transforms.annotations.spans import TEXTS, Span, span_in, text_in

_BOXES = ("bbox", "box", "bboxes", "boxes")
_LABELS = (*TEXTS, "label", "category", "category_name", "class", "class_name", "caption", "labels", "categories")
_CORNERS = {
    "xyxy": (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax")),
    "xywh": (("x", "y", "w", "h"), ("x", "y", "width", "height")),
    "cxcywh": (("cx", "cy", "w", "h"),),
}
_SLACK = 0.01  # of the image's side: boxes that were scaled, or drawn by hand, can end a little outside
_SAME_ASPECT = 0.02  # relative: rounded sides of a thumbnail of 100 pixels explain 1 %, a crop changes more

Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class GivenBox:
    """A box of the source: its corners as fractions of the image's sides, 0..1, and its score, 0..1.

    corners: None if it has no area. item: its number in the list, from 0. span, label: what it says about its phrase.
    """

    corners: Corners | None
    score: float
    item: int
    span: Span | None
    label: str | None


def read_boxes(cell: Any, columns: AnnotationColumns, caption: str, size: tuple[int, int]) -> list[GivenBox]:
    """The boxes of a cell. size: width and height that pixels refer to, see `annotated_size`.

    Raises:
      BadCell: the cell does not fit, or a box is outside of the image.
    """
    boxes = []
    for number, item in enumerate(box_items(cell)):
        span, label = span_of_box(item, columns, caption), text_in(item, _LABELS)
        for values in _boxes_in(item, columns):
            try:
                corners, score = _read(values, item, columns, size)
            except BadCell as error:
                raise BadCell(f"box {number + 1}: {error}") from None
            boxes.append(GivenBox(corners, score, number, span, label))
        if span is None and label is None and isinstance(item, dict) and (named := _number_as_label(item)):
            raise BadCell(f"box {number + 1}: its {named} is a number; write its name")
    return boxes


def box_items(cell: Any) -> list[Any]:
    """The items of a cell with boxes. Raises BadCell if it is no list."""
    items = items_of(cell)
    return [items] if len(items) == 4 and all(map(_is_number, items)) else items


def span_of_box(item: Any, columns: AnnotationColumns, caption: str) -> Span | None:
    """The offsets that an item contains. Raises BadCell if they are not in the caption."""
    return span_in(item, caption) if isinstance(item, dict) or columns.format == "grit" else None


def annotated_size(row: dict[str, Any], width: int, height: int) -> tuple[int, int]:
    """The width and height in pixels that boxes of a row refer to: those in its columns `original_width` and
    `original_height`, as img2dataset writes them, else in `width` and `height`, else those of the upright image.

    Raises:
      BadCell: the image has another ratio of sides, so it was cropped or turned after the boxes were drawn.
    """
    for names in (("original_width", "original_height"), ("width", "height")):
        sides = [int(side) for name in names if _is_number(side := row.get(name)) and side >= 1]
        if len(sides) < 2:
            continue
        drawn_width, drawn_height = sides
        ratio = (drawn_width * height) / (drawn_height * width)
        if abs(math.log(ratio)) > _SAME_ASPECT:
            raise BadCell(
                f"its boxes are for {drawn_width} x {drawn_height} pixels, but the upright image has {width} x {height}"
            )
        return drawn_width, drawn_height
    return width, height


def _boxes_in(item: Any, columns: AnnotationColumns) -> Iterator[Any]:
    """The boxes in an item, each a list of numbers."""
    value = item
    if isinstance(item, dict):
        value = next((item[name] for name in _BOXES if item.get(name) is not None), None)
        if value is None:
            names = next((names for names in _CORNERS.get(columns.format or "", ()) if item.keys() >= set(names)), ())
            value = [item[name] for name in names] if names else None
    if isinstance(value, list) and value and all(isinstance(part, list) for part in value):
        yield from value
    else:
        yield value


def _read(values: Any, item: Any, columns: AnnotationColumns, size: tuple[int, int]) -> tuple[Corners | None, float]:
    """Corners and score of a box. The corners are None if it has no area."""
    score = item.get("score") if isinstance(item, dict) else None
    numbers = values if isinstance(values, list) and all(map(_is_number, values)) else []
    if columns.format == "grit" and not isinstance(item, dict):
        if len(numbers) not in (6, 7):
            raise BadCell(f"{str(values)[:40]} is not [start, end, x1, y1, x2, y2, score]")
        score = numbers[6] if len(numbers) == 7 else None
        numbers = numbers[2:6]
    if values is None:
        raise BadCell(f"there is no box under {', '.join(_BOXES)}")
    if len(numbers) != 4:
        raise BadCell(f"{str(values)[:40]} is not four numbers")
    return _fractions(numbers, columns, size), _checked_score(score)


def _checked_score(score: Any) -> float:
    if score is None:
        return 1.0
    if not _is_number(score) or not 0 <= score <= 1:
        raise BadCell(f"its score {str(score)[:20]} is not in 0..1")
    return float(score)


def _fractions(numbers: list[float], columns: AnnotationColumns, size: tuple[int, int]) -> Corners | None:
    x, y, right, bottom = numbers
    if columns.format == "xywh":
        right, bottom = x + right, y + bottom
    elif columns.format == "cxcywh":
        x, y, right, bottom = x - right / 2, y - bottom / 2, x + right / 2, y + bottom / 2
    unit = "fractions" if columns.format == "grit" else columns.unit
    width, height = {"fractions": (1, 1), "thousandths": (1000, 1000)}.get(unit, size)
    corners = (x / width, y / height, right / width, bottom / height)
    if right < x or bottom < y or min(corners) < -_SLACK or max(corners) > 1 + _SLACK:
        written = ", ".join(f"{number:g}" for number in numbers)
        image = f"an image of {width:g} x {height:g} pixels" if unit == "pixels" else f"0..{width}"
        raise BadCell(
            f"[{written}] as {columns.format} is not a box in {image}; check source.boxes.format and source.boxes.unit"
        )
    x1, y1, x2, y2 = (min(max(corner, 0.0), 1.0) for corner in corners)
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _number_as_label(item: dict[str, Any]) -> str:
    return next((name for name in (*_LABELS, "category_id") if _is_number(item.get(name))), "")


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
