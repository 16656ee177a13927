"""A cell with boxes -> boxes as fractions of the image, each with what the source says about its phrase.

An item of the list is a box, a list of boxes of one phrase, or an object with a box under `bbox` or `box`, or with its
numbers under names (`x`, `y`, `w`, `h`; `x1`, …; `xmin`, …). With the format `grit`, it is a row of GRIT. Four numbers
in place of the list are the box of the whole caption, as in RefCOCO.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from transforms.annotations.cells import BOXES, LABELS, SCORES, as_number, is_crowd, is_number, items_of, text_in
from transforms.annotations.columns import AnnotationColumns, BadCell
from transforms.annotations.spans import span_in
from transforms.records import CharSpan

_CORNERS = {
    "xyxy": (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax")),
    "xywh": (("x", "y", "w", "h"), ("x", "y", "width", "height")),
    "cxcywh": (("cx", "cy", "w", "h"), ("x", "y", "w", "h"), ("x", "y", "width", "height")),
}
_SLACK = 0.01  # of the image's side, or above a score of 1: scaled, rounded, or drawn by hand
_SAME_ASPECT = 0.02  # relative: rounded sides of a thumbnail of 100 pixels explain 1 %, a crop changes more

Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class GivenBox:
    """A box of the source: its corners as fractions of the image's sides, 0..1, and its score, 0..1.

    corners: rounded to float32; None if it has no area. item: its number in the list, from 0. span, label: what it says
    about its phrase; None if it does not. crowd: whether it is around several things.
    """

    corners: Corners | None
    score: float
    item: int
    span: CharSpan | None
    label: str | None
    crowd: bool = False


def read_boxes(cell: Any, columns: AnnotationColumns, caption: str, size: tuple[int, int]) -> list[GivenBox]:
    """The boxes of a cell. size: width and height that pixels refer to, see `annotated_size`.

    Raises:
      BadCell: the cell does not fit, or a box is outside of the image.
    """
    boxes, numbers = [], []
    for number, item in enumerate(box_items(cell)):
        try:
            span, label = span_of_box(item, columns, caption), text_in(item, LABELS)
            for written in _boxes_in(item, columns):
                corners = _read(written, columns)
                numbers += corners
                fractions, crowd = _fractions(corners, columns, size), is_crowd(item)
                boxes.append(GivenBox(fractions, _score(item, columns), number, span, label, crowd))
            if span is None and label is None and (name := _number_as_label(item)):
                raise BadCell(f"its {name} is a number; write its name")
        except BadCell as error:
            raise BadCell(f"box {number + 1}: {error}") from None
    if columns.format != "grit" and columns.unit != "fractions" and numbers and max(numbers) <= 1:
        raise BadCell("no number is above 1; set source.boxes.unit=fractions")
    return boxes


def box_items(cell: Any) -> list[Any]:
    """The items of a cell with boxes. Raises BadCell if it is no list."""
    items = items_of(cell)
    return [items] if is_one_box(items) else items


def is_one_box(items: list[Any]) -> bool:
    """Whether the items are the numbers of one box."""
    return len(items) == 4 and all(map(is_number, items))


def span_of_box(item: Any, columns: AnnotationColumns, caption: str) -> CharSpan | None:
    """The offsets that an item contains. Raises BadCell if they are not those of words in the caption."""
    return span_in(item, caption) if isinstance(item, dict) or columns.format == "grit" else None


def annotated_size(row: dict[str, Any], width: int, height: int) -> tuple[int, int]:
    """The width and height in pixels that boxes of a row refer to: those in its columns `original_width` and
    `original_height`, as img2dataset writes them, else in `width` and `height`, else those of the upright image.

    Raises:
      BadCell: the image has another ratio of sides, so it was cropped or turned after the boxes were drawn.
    """
    for names in (("original_width", "original_height"), ("width", "height")):
        sides = [side for name in names if (side := as_number(row.get(name))) is not None and side >= 1]
        if len(sides) < 2 or width < 1 or height < 1:
            continue
        drawn_width, drawn_height = map(int, sides)
        if abs(math.log(drawn_width * height / (drawn_height * width))) > _SAME_ASPECT:
            raise BadCell(
                f"its boxes are for {drawn_width} x {drawn_height} pixels, but the upright image has {width} x "
                f"{height}, so it was cropped or turned"
            )
        return drawn_width, drawn_height
    return width, height


def _boxes_in(item: Any, columns: AnnotationColumns) -> Iterator[Any]:
    """The boxes in an item: each a list of numbers, or something else that is no box."""
    value = item
    if isinstance(item, dict):
        value = next((item[name] for name in BOXES if item.get(name) is not None), item)
    if isinstance(value, dict):
        names = next((names for names in _CORNERS.get(columns.format or "", ()) if value.keys() >= set(names)), None)
        if names is None:
            raise BadCell(f"there is no {columns.format} box under {', '.join(BOXES)}; it has {', '.join(value)[:60]}")
        value = [value[name] for name in names]
    if value is None or value == []:  # a phrase without a box
        return
    if isinstance(value, list) and all(isinstance(part, list) for part in value):
        yield from value
    else:
        yield value


def _read(written: Any, columns: AnnotationColumns) -> list[float]:
    """The four numbers of a box."""
    numbers = written if isinstance(written, list) and all(map(is_number, written)) else []
    if columns.format == "grit":
        if len(numbers) not in (6, 7):
            raise BadCell(f"{str(written)[:40]} is not [start, end, x1, y1, x2, y2, score]")
        return numbers[2:6]
    if len(numbers) != 4:
        raise BadCell(f"{str(written)[:40]} is not four numbers")
    return numbers


def _score(item: Any, columns: AnnotationColumns) -> float:
    score = next((item[name] for name in SCORES if item.get(name) is not None), 1.0) if isinstance(item, dict) else 1.0
    if columns.format == "grit" and isinstance(item, list) and len(item) == 7:
        score = item[6]
    if not is_number(score) or not 0 <= score <= 1 + _SLACK:
        raise BadCell(f"its score {str(score)[:20]} is not in 0..1")
    return min(float(score), 1.0)


def _fractions(numbers: list[float], columns: AnnotationColumns, size: tuple[int, int]) -> Corners | None:
    x, y, right, bottom = numbers
    if columns.format == "xywh":
        right, bottom = x + right, y + bottom
    elif columns.format == "cxcywh":
        x, y, right, bottom = x - right / 2, y - bottom / 2, x + right / 2, y + bottom / 2
    unit = "fractions" if columns.format == "grit" else columns.unit
    width, height = {"fractions": (1, 1), "thousandths": (1000, 1000)}.get(unit, size)
    corners = (x / max(width, 1), y / max(height, 1), right / max(width, 1), bottom / max(height, 1))
    if right < x or bottom < y or min(corners) < -_SLACK or max(corners) > 1 + _SLACK:
        written = ", ".join(f"{number:g}" for number in numbers)
        image = f"an image of {width:g} x {height:g} pixels" if unit == "pixels" else f"0..{width}"
        raise BadCell(
            f"[{written}] as {columns.format} is not a box in {image}; check source.boxes.format and source.boxes.unit"
        )
    x1, y1, x2, y2 = np.clip(corners, 0.0, 1.0).astype(np.float32).tolist()  # as the table stores them
    return (x1 + 0.0, y1 + 0.0, x2, y2) if x1 < x2 and y1 < y2 else None


def _number_as_label(item: Any) -> str:
    names = (*LABELS, "category_id") if isinstance(item, dict) else ()
    return next((name for name in names if is_number(item.get(name))), "")
