import json
from dataclasses import replace

import pytest

from transforms.annotations.annotate import GivenLinks, given_links
from transforms.annotations.columns import NOTHING_GIVEN, AnnotationColumns
from transforms.records import Pair, Phrase

COLUMNS = AnnotationColumns(boxes=("objects",), format="xywh")
DOGS, PEOPLE = Phrase(0, 8, 4, 8, 0, 8), Phrase(13, 19, 13, 19, 13, 19)


def crowds(cell, columns=COLUMNS):
    """The texts of the phrases with a box around a crowd."""
    meta = json.dumps({"objects": cell})
    pair = Pair("k", "s", 0, "two dogs and people", width=64, height=48, phrases=(DOGS, PEOPLE), meta=meta)
    return [pair.caption[start:end] for start, end in sorted(given_links(pair, columns).crowds)]


def item(label, **marks):
    return {"bbox": [1, 2, 30, 40], "label": label, **marks}


@pytest.mark.parametrize("mark", [{"iscrowd": 1}, {"iscrowd": True}, {"is_crowd": "1"}, {"IsGroupOf": "True"}])
def test_a_marked_box_is_of_a_crowd(mark):
    assert crowds([item("dog"), item("people", **mark)]) == ["people"]


@pytest.mark.parametrize(
    "mark", [{}, {"iscrowd": 0}, {"iscrowd": None}, {"iscrowd": "0"}, {"iscrowd": []}, {"crowd": 1}]
)
def test_any_other_box_is_not(mark):
    assert crowds([item("people", **mark)]) == []


def test_lists_of_values_as_hugging_face_writes_objects():
    boxes = {"bbox": [[1, 2, 30, 40]] * 2, "category": ["dog", "people"]}
    assert crowds(boxes | {"iscrowd": [0, 1]}) == ["people"]
    assert crowds(boxes | {"iscrowd": [1]}) == []  # of which of them is unknown
    assert crowds(json.dumps(boxes | {"iscrowd": [1, 0]})) == ["two dogs"]


def test_a_crowd_without_a_phrase_or_an_area_is_of_none():
    assert crowds([item("zebra", iscrowd=1)]) == []
    assert crowds([item("dog", iscrowd=1) | {"bbox": [1, 2, 0, 0]}, item("people", iscrowd=1)]) == ["people"]


def test_of_a_cell_that_does_not_fit_nothing_is_known():
    assert crowds([item("dog", iscrowd=1) | {"bbox": [1, 2, 300, 400]}]) == []
    assert crowds("no JSON") == crowds(7) == []
    assert crowds(None) == crowds([item("dog", iscrowd=1)], NOTHING_GIVEN) == []


def test_whether_labels_say_whose_boxes_they_are():
    def links(cell, columns=COLUMNS):
        return given_links(
            Pair("k", "s", 0, "two dogs", width=64, height=48, meta=json.dumps({"objects": cell})), columns
        )

    for cell in (None, " ", "nan"):
        assert links(cell) == GivenLinks()
    for cell in ([], [[1, 2, 3, 4]], [{"bbox": [1, 2, 3, 4], "start": 0, "end": 8, "label": "dog"}], 7):
        assert links(cell) == GivenLinks(given=True)
    assert links([[1, 2, 3, 4], item("dog")]) == GivenLinks(given=True, labels=True)
    assert links([[0, 8, 0, 0, 1, 1, 1]], replace(COLUMNS, format="grit")) == GivenLinks(given=True)
