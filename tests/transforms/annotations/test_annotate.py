import json
from dataclasses import replace

import pytest

from transforms.annotations.annotate import (
    BOXES_LEFT_OUT,
    PHRASES_LEFT_OUT,
    given_kinds,
    left_out,
    with_given,
    with_given_boxes,
    with_given_phrases,
)
from transforms.annotations.columns import NOTHING_GIVEN, AnnotationColumns
from transforms.records import Box, FailureStage, Pair, Phrase, Reason

COLUMNS = AnnotationColumns(("phrases",), ("expressions",), ("heads",), ("boxes",), "xyxy", "fractions")
CAPTION = "A dog and two cats on a sofa"
DOG, CATS, SOFA = [0.0, 0.0, 0.25, 0.5], [0.5, 0.0, 0.75, 0.5], [0.0, 0.5, 1.0, 1.0]


def pair(caption=CAPTION, **row):
    return Pair("7", "s.jsonl", 7, caption, data=b"x", width=100, height=50, meta=json.dumps(row))


def shown(pair):
    """The texts of each phrase with the corners of its boxes."""
    found = []
    for number, phrase in enumerate(pair.phrases):
        boxes = [list(box.corners) for box in pair.boxes if box.phrase == number]
        found.append((pair.text(phrase), boxes))
    return found


def test_a_row_without_phrases_is_left_to_the_parser():
    assert with_given_phrases(pair(), COLUMNS) is None
    assert with_given_phrases(pair(phrases=None, boxes=None), COLUMNS) is None
    assert with_given_phrases(pair(phrases=" ", boxes="nan"), COLUMNS) is None  # as in CSV
    assert with_given_phrases(pair(phrases=["A dog"]), NOTHING_GIVEN) is None
    assert with_given_phrases(pair(boxes=[{"bbox": DOG, "label": "dog"}]), COLUMNS) is None
    assert with_given_phrases(replace(pair(), meta="no JSON"), COLUMNS) is None
    assert list(given_kinds(pair(), COLUMNS)) == []


def test_phrases_come_in_the_order_of_the_caption_each_once_with_expression_and_head():
    given = pair(
        phrases=["two cats", "A dog", "two cats", "a zebra"],
        expressions=["two cats on a sofa", [0, 5], "two cats on a sofa", [0, 5]],
        heads=[[14, 18], [2, 5], [14, 18], [0, 1]],
    )
    found = with_given_phrases(given, COLUMNS)
    assert found.phrases == (Phrase(0, 5, 2, 5, 0, 5), Phrase(10, 18, 14, 18, 10, 28))
    assert list(left_out(found, COLUMNS)) == [(PHRASES_LEFT_OUT, 1)]
    assert list(given_kinds(given, COLUMNS)) == ["phrases"]


def test_an_empty_list_says_that_there_is_no_phrase():
    assert with_given_phrases(pair(phrases=[]), COLUMNS).phrases == ()


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        (
            {"phrases": [[0, 99]]},
            "column phrases: item 1: offsets 0 to 99 are not in the caption, which has 28 characters",
        ),
        ({"phrases": 3}, "column phrases: an int, not a list"),
        ({"phrases": ["A dog"], "heads": []}, "column heads: 0 items for 1 phrase"),
        ({"boxes": [DOG, CATS]}, "column boxes: 2 boxes without labels for 0 phrases; give each a label"),
        ({"boxes": 7}, "column boxes: an int, not a list"),
        ({"boxes": [DOG]}, "column boxes: 1 box without labels for 0 phrases"),
        ({"phrases": ["A dog"], "heads": ["cats"]}, "column heads: item 1 is not in its phrase: cats"),
        ({"phrases": ["A dog"], "expressions": [[10, 18]]}, "column expressions: item 1 is not around its phrase"),
        ({"phrases": [[10**400, 1]]}, "column phrases: item 1: neither a text nor offsets"),
        ({"boxes": DOG, "width": 50, "height": 100}, "column boxes: its boxes are for 50 x 100 pixels, but"),
        ({"phrases": ["A dog"], "boxes": [DOG, CATS]}, "column boxes: 2 boxes without labels for 1 phrase"),
        ({"boxes": [{"bbox": [0, 0, 2, 2], "label": "dog"}]}, "column boxes: box 1: [0, 0, 2, 2] as xyxy is not a box"),
    ],
)
def test_a_cell_that_does_not_fit_fails_its_pair_alone(row, detail):
    failed = with_given(pair(**row), COLUMNS)
    assert (failed.error.stage, failed.error.reason) == (FailureStage.READ, Reason.BROKEN_ROW)
    assert failed.error.detail.startswith(detail)
    assert failed.boxes == ()


def test_boxes_belong_to_the_phrase_that_their_label_names():
    boxes = [
        {"bbox": SOFA, "label": "sofa"},
        {"bbox": CATS, "label": "cat", "score": 0.5},
        {"bbox": DOG, "label": "cat", "score": 0.75},
        {"bbox": DOG, "label": "zebra"},
        {"bbox": [0, 0, 0, 0], "label": "cat"},
    ]
    parsed = replace(pair(boxes=boxes), phrases=(Phrase(0, 5, 2, 5, 0, 5), Phrase(10, 18, 14, 18, 10, 28)))
    found = with_given_boxes(parsed, COLUMNS)
    assert shown(found) == [("A dog", []), ("two cats", [DOG, CATS]), ("sofa", [SOFA])]
    assert found.data == b""
    assert list(left_out(found, COLUMNS)) == [(BOXES_LEFT_OUT, 2)]


def test_boxes_at_the_places_of_phrases():
    found = with_given(pair(phrases=["two cats", "zebra", "A dog"], boxes=[[CATS, SOFA], DOG, DOG]), COLUMNS)
    assert shown(found) == [("A dog", [DOG]), ("two cats", [CATS, SOFA])]
    assert found.boxes_cut == 1


def test_one_box_is_that_of_the_whole_caption():
    found = with_given(pair(caption=f" {CAPTION}\n", boxes=DOG), COLUMNS)
    assert shown(found) == [(CAPTION, [DOG])]
    assert found.caption[found.phrases[0].head_start : found.phrases[0].head_end] == "cats"


def test_rows_of_grit_and_their_expressions():
    rows = [[10, 18, *CATS, 0.5], [0, 5, *DOG, 0.75], [0, 5, *CATS, 0.25]]
    wide = [[10, 28, *CATS, 0.5], [0, 28, *DOG, 0.75], [0, 28, *CATS, 0.25]]
    found = with_given(pair(boxes=rows, expressions=wide), replace(COLUMNS, format="grit", unit="pixels"))
    assert found.phrases == (Phrase(0, 5, 2, 5, 0, 28), Phrase(10, 18, 14, 18, 10, 28))
    assert found.boxes == (Box(0, *DOG, 0.75), Box(0, *CATS, 0.25), Box(1, *CATS, 0.5))
    assert list(given_kinds(pair(boxes=rows), replace(COLUMNS, format="grit"))) == ["phrases", "boxes"]


def test_regions_of_odvg_have_their_phrases():
    grounding = {"caption": CAPTION, "regions": [{"bbox": DOG, "phrase": "A dog", "tokens_positive": [[0, 5]]}]}
    assert shown(with_given(pair(boxes=grounding), COLUMNS)) == [("A dog", [DOG])]


def test_a_list_without_boxes_is_a_pair_without_boxes():
    found = with_given_boxes(replace(pair(boxes=[]), phrases=(Phrase(0, 5, 2, 5, 0, 5),)), COLUMNS)
    assert (found.error, found.boxes, len(found.phrases)) == (None, (), 1)
