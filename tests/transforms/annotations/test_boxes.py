import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations.boxes import annotated_size, read_boxes
from transforms.annotations.columns import AnnotationColumns, BadCell

CAPTION = "A dog and a cat"
PIXELS = AnnotationColumns(boxes=("b",), format="xyxy")
SIZE = (200, 100)


def columns(format, unit="pixels"):
    return replace(PIXELS, format=format, unit=unit)


def corners(cell, columns=PIXELS, size=SIZE):
    return [box.corners for box in read_boxes(cell, columns, CAPTION, size)]


@pytest.mark.parametrize(
    ("written", "format", "unit"),
    [
        ([20, 10, 60, 90], "xyxy", "pixels"),
        ([20, 10, 40, 80], "xywh", "pixels"),
        ([40, 50, 40, 80], "cxcywh", "pixels"),
        ([0.1, 0.1, 0.3, 0.9], "xyxy", "fractions"),
        ([0.2, 0.5, 0.2, 0.8], "cxcywh", "fractions"),
        ([100, 100, 300, 900], "xyxy", "thousandths"),
        ([0, 5, 0.1, 0.1, 0.3, 0.9, 0.8], "grit", "pixels"),
        ({"xmin": 20, "ymin": 10, "xmax": 60, "ymax": 90}, "xyxy", "pixels"),
        ({"x": 20, "y": 10, "width": 40, "height": 80}, "xywh", "pixels"),
        ({"x": 20, "y": 10, "w": 40, "h": 80}, "xywh", "pixels"),
        ({"bbox": [20, 10, 60, 90], "label": "dog"}, "xyxy", "pixels"),
        ({"box": {"xmin": 20, "ymin": 10, "xmax": 60, "ymax": 90}, "score": 1, "label": "dog"}, "xyxy", "pixels"),
        ({"bbox_2d": [20, 10, 60, 90]}, "xyxy", "pixels"),
    ],
)
def test_every_way_to_write_a_box(written, format, unit):
    [box] = corners([written], columns(format, unit))
    assert box == pytest.approx((0.1, 0.1, 0.3, 0.9))


@given(
    st.tuples(st.integers(0, 190), st.integers(0, 90), st.integers(1, 10), st.integers(1, 10)),
    st.sampled_from(["xyxy", "xywh", "cxcywh"]),
    st.sampled_from(["pixels", "fractions", "thousandths"]),
)
def test_formats_and_units_say_the_same_box(box, format, unit):
    x, y, w, h = box
    numbers: Any = {"xyxy": (x, y, x + w, y + h), "xywh": box, "cxcywh": (x + w / 2, y + h / 2, w, h)}[format]
    scale = {"pixels": (1, 1), "fractions": (1 / 200, 1 / 100), "thousandths": (5, 10)}[unit]
    written = [number * scale[place % 2] for place, number in enumerate(numbers)]
    whole = {"xyxy": [0, 0, 200, 100], "xywh": [0, 0, 200, 100], "cxcywh": [100, 50, 200, 100]}[format]
    whole = [number * scale[place % 2] for place, number in enumerate(whole)]  # its numbers are above 1
    _, found = corners([whole, written], columns(format, unit))
    assert found == pytest.approx((x / 200, y / 100, (x + w) / 200, (y + h) / 100))


def test_a_little_outside_is_cut_and_no_area_is_none():
    cell = [[-1, -0.5, 201, 100.9], [5, 5, 5, 9], [200, 0, 201, 50], [100, 50, 100 + 1e-7, 90]]
    assert corners(cell) == [(0, 0, 1, 1), None, None, None]  # the last one has no area in float32
    assert str(corners([[-0.5, -0.0, 20, 30]])[0][:2]) == "(0.0, 0.0)"


@pytest.mark.parametrize(
    ("cell", "columns", "told"),
    [
        ([[20, 10, 300, 90]], PIXELS, r"box 1: \[20, 10, 300, 90\] as xyxy is not a box in an image of 200 x 100 pix"),
        ([[1, 1, 2, 2], [60, 10, 20, 90]], PIXELS, "box 2: .*check source.boxes.format and source.boxes.unit"),
        ([[20, 10, 60, 90]], columns("xyxy", "fractions"), r"is not a box in 0..1;"),
        ([[20, 10, 60, 1090]], columns("xyxy", "thousandths"), r"is not a box in 0..1000;"),
        ([[1, 2, 3]], PIXELS, r"box 1: \[1, 2, 3\] is not four numbers"),
        ([[1, 2, 3, "4"]], PIXELS, "is not four numbers"),
        ([[1, 2, 3, float("nan")]], PIXELS, "is not four numbers"),
        ([{"label": "dog"}], PIXELS, "box 1: there is no xyxy box under bbox, .*; it has label"),
        ([{"x": 1, "y": 2, "w": 3, "h": 4}], PIXELS, "there is no xyxy box .*; it has x, y, w, h"),
        ([7], PIXELS, "box 1: 7 is not four numbers"),
        ([[1, 2, 3, 10**400]], PIXELS, "is not four numbers"),
        ([[0.1, 0.1, 0.5, 0.5]], PIXELS, "no number is above 1; set source.boxes.unit=fractions"),
        ([{"bbox": [1, 2, 3, 4], "score": 7}], PIXELS, "box 1: its score 7 is not in 0..1"),
        ([{"bbox": [1, 2, 3, 4], "category_id": 7}], PIXELS, "box 1: its category_id is a number; write its name"),
        ([[0, 5, 0.1, 0.1, 0.3]], columns("grit"), r"is not \[start, end, x1, y1, x2, y2, score\]"),
        ([[0, 99, 0.1, 0.1, 0.3, 0.9, 1]], columns("grit"), "offsets 0 to 99 are not in the caption"),
        ("a", PIXELS, "'a' is neither JSON"),
    ],
)
def test_a_cell_that_does_not_fit_is_told(cell, columns, told):
    with pytest.raises(BadCell, match=told):
        read_boxes(cell, columns, CAPTION, SIZE)


def test_scores_labels_spans_and_places():
    cell = [
        {"bbox": [1, 2, 3, 4], "label": "dog", "score": 0.5},
        {"bbox": [[1, 2, 3, 4], [5, 6, 7, 8]], "start": 10, "end": 15},
        [[1, 2, 3, 4], [5, 6, 7, 8]],
    ]
    found = [(box.item, box.label, box.span, box.score) for box in read_boxes(cell, PIXELS, CAPTION, SIZE)]
    assert found == [
        (0, "dog", None, 0.5),
        (1, None, (10, 15), 1),
        (1, None, (10, 15), 1),
        (2, None, None, 1),
        (2, None, None, 1),
    ]
    cell = {"boxes": [[1, 2, 3, 4], [5, 6, 7, 8]], "labels": ["dog", "cat"], "scores": [0.5, 1.0000001]}
    assert [(box.label, box.score) for box in read_boxes(cell, PIXELS, CAPTION, SIZE)] == [("dog", 0.5), ("cat", 1)]
    assert [box.item for box in read_boxes([[], [1, 2, 3, 4], None], PIXELS, CAPTION, SIZE)] == [1]
    [row] = read_boxes([[0, 5, 0.1, 0.1, 0.3, 0.9, 0.25]], columns("grit"), CAPTION, SIZE)
    assert (row.span, row.score) == ((0, 5), 0.25)


@pytest.mark.parametrize(
    ("row", "size"),
    [
        ({}, (256, 128)),
        ({"width": 1024, "height": 512}, (1024, 512)),
        ({"original_width": 2000, "original_height": 1000, "width": 256, "height": 128}, (2000, 1000)),
        ({"width": "1024", "height": "512.0"}, (1024, 512)),  # CSV
        ({"width": 0, "height": None}, (256, 128)),
        ({"width": 1000, "height": 503}, (1000, 503)),  # rounded
    ],
)
def test_the_size_that_pixels_refer_to(row, size):
    assert annotated_size(json.loads(json.dumps(row)), 256, 128) == size


def test_a_cropped_or_turned_image_is_refused():
    with pytest.raises(BadCell, match="boxes are for 640 x 480 pixels, but the upright image has 256 x 256"):
        annotated_size({"width": 640, "height": 480}, 256, 256)
    with pytest.raises(BadCell, match="for 640 x 480 pixels, but the upright image has 480 x 640"):
        annotated_size({"width": 640, "height": 480}, 480, 640)
