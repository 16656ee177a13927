"""`gritmill audit` on files: planted faults are found exactly, in every format and kind of file."""

import gzip
import io
import json
import os
import random
import tarfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gritmill
from gritmill.auditing.checks import CHECKS
from gritmill.auditing.formats import PICTURES, READERS
from gritmill.auditing.same_image import DistinctNames
from pipeline.faults import CallError
from tests.gritmill.auditing import planted
from transforms.text import dialects
from transforms.text.grounded_caption import Carries, GroundedCaption, Span


def found(result):
    """What was found, by check, without what was not."""
    return {name: check["found"] for name, check in result["checks"].items() if check["found"]}


def faulty_rows(names, seed=0):
    """Clean rows with planted faults in between, each a few times; and what must be found."""
    chosen, expected = [], Counter()
    draw = random.Random(seed)
    for times, name in enumerate(names, 1):
        chosen += [name] * (1 + times % 4)
    chosen += [None] * 40
    draw.shuffle(chosen)
    rows = [planted.clean(number) for number in range(len(chosen))]
    for row, name in zip(rows, chosen, strict=True):
        if name:
            plant, counts = planted.FAULTS[name]
            plant(row)
            expected.update(counts)
    return rows, expected


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "jsonl.gz", "json", "tar"])
def test_planted_faults_are_found_exactly(tmp_path, ending):
    path = tmp_path / f"grit.{ending}"
    rows, expected = faulty_rows(planted.FAULTS)
    if ending == "parquet":
        planted.write_parquet(rows, path)
    elif ending == "json":
        path.write_text(json.dumps(rows))
    elif ending == "tar":
        write_tar(rows, path)
    else:
        planted.write_lines(rows, path)
        if ending == "jsonl.gz":
            path.write_bytes(gzip.compress(path.read_bytes()))
    result = gritmill.audit(path, no_claims=True)
    assert found(result) == expected
    assert [(file["taken"], file["rows"], file["fault"]) for file in result["files"]] == [("grit", len(rows), "")]
    assert result["counts"]["boxes"] == sum(len(row["noun_chunks"]) for row in rows)
    assert set(expected) | {"broken_row", "no_size", "left_markup", "other_text"} == {
        "broken_row",
        *(check.name for check in CHECKS),
    }


def write_tar(rows, path):
    with tarfile.open(path, "w") as tar:
        for row in rows:
            for ending, data in (("jpg", b"no image"), ("json", json.dumps(row).encode())):
                member = tarfile.TarInfo(f"{row['key']}.{ending}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def test_each_example_names_the_file_and_the_row(tmp_path):
    rows = [planted.clean(number) for number in range(30)]
    for number in (4, 9, 22, 23):
        planted.both(rows[number], 0, x1=-0.5)
    planted.write_lines(rows, tmp_path / "a.jsonl")
    result = gritmill.audit(tmp_path / "a.jsonl", no_claims=True, examples=2)
    examples = result["checks"]["outside"]["examples"]
    noun = rows[4]["caption"].split(" and ")[0]
    assert examples[0] == f"{tmp_path}/a.jsonl:5: noun_chunks[0] [-0.5, 0.2, 0.3, 0.6] {noun!r}"
    assert [line.split(": ")[0].rpartition(":")[2] for line in examples] == ["5", "10"]


ODVG_FAULTS = ("swapped_corners", "no_area", "outside", "duplicate_box", "shared_box", "group_box", "cut_word")
ODVG_FAULTS += ("measure_word", "place_word", "abstract_word", "whole_image", "no_boxes")


def test_odvg_has_the_same_faults(tmp_path):
    rows, expected = faulty_rows(ODVG_FAULTS, seed=1)
    lines = [planted.as_odvg(row) for row in rows]
    fractions, nameless, other = (planted.as_odvg(planted.clean(number)) for number in range(3))
    for region in fractions["grounding"]["regions"]:
        region["bbox"] = [0.1, 0.2, 0.5, 0.75]
    del nameless["width"]
    other["grounding"]["regions"][0]["phrase"] = "a zebra"
    other["grounding"]["regions"][1].update(phrase="a zebra", tokens_positive=None)
    planted.write_lines([*lines, fractions, nameless, other], tmp_path / "odvg.json")  # as mmdetection calls it
    result = gritmill.audit(tmp_path / "odvg.json", no_claims=True)
    assert found(result) == expected + Counter({"other_unit": 3, "no_size": 1, "other_text": 2})
    lines = result["checks"]["other_text"]["examples"]
    assert "regions[0] 'a zebra', in the caption 'a " in lines[0]
    assert lines[1].endswith("regions[1] 'a zebra', in the caption nowhere")
    assert result["files"][0]["taken"] == "odvg"


def test_detection_has_no_captions(tmp_path):
    instances = [
        {"bbox": [10, 10, 50, 60], "label": 3, "category": "dog"},
        {"bbox": [10, 10, 50, 60], "label": 3, "category": "dog"},
        {"bbox": [11, 10, 50, 60], "label": 4, "category": "cat"},
        {"bbox": [500, 10, 800, 60], "label": 4, "category": "cat"},
        {"bbox": "none", "label": 4, "category": "cat"},
    ]
    row = {"filename": "a.jpg", "width": 640, "height": 480, "detection": {"instances": instances}}
    planted.write_lines([row], tmp_path / "a.jsonl")
    result = gritmill.audit(tmp_path / "a.jsonl")
    assert found(result) == {"duplicate_box": 1, "shared_box": 1, "outside": 1, "malformed_box": 1}
    assert result["counts"]["captions"] == result["claims"]["count"]["number"] == 0


def test_mdetr_and_coco_are_read_by_image(tmp_path):
    image = {"id": 7, "file_name": "a.jpg", "width": 100, "height": 50, "caption": "a dog and a cat"}
    boxes = [
        {"image_id": 7, "bbox": [10, 10, 20, 20], "tokens_positive": [[0, 5]], "category_id": 1},
        {"image_id": 7, "bbox": [50, 10, 0, 20], "tokens_positive": [[10, 15]], "category_id": 1},
        {"image_id": 7, "bbox": [60, 10, 20, 20], "tokens_positive": [[10, 14]], "category_id": 1},
    ]
    lost = [{"image_id": 8, "bbox": [1, 1, 5, 5]}, "none", {"image_id": 8, "bbox": [1, 1, 5, 5]}]
    (tmp_path / "mdetr.json").write_text(json.dumps({"images": [image, 5], "annotations": boxes + lost}))
    result = gritmill.audit(tmp_path / "mdetr.json", no_claims=True)
    assert found(result) == {"no_area": 1, "cut_word": 1, "broken_row": 3}
    assert [line.partition("mdetr.json:")[2] for line in result["checks"]["broken_row"]["examples"]] == [
        "2: not a JSON object",
        "3: 2 annotations of image 8, which is not there",
        "4: 1 annotation of image None, which is not there",
    ]
    assert (result["files"][0]["taken"], result["counts"]["phrases"]) == ("coco", 3)


@pytest.mark.parametrize("strange", [None, 5, [1], {"a": 1}, "x"])
def test_coco_with_strange_values_is_read(tmp_path, strange):
    image = {"id": strange, "file_name": "a.jpg", "width": 100, "height": 100}
    box = {"image_id": strange, "bbox": [1, 1, 5, 5], "category_id": strange}
    for categories in (strange, [strange], [{"id": strange, "name": "dog"}]):
        content = {"images": [image, {**image, "id": 1}], "annotations": [box, strange], "categories": categories}
        (tmp_path / "a.json").write_text(json.dumps(content))
        result = gritmill.audit(tmp_path / "a.json", no_claims=True)
        assert result["counts"]["pairs"] == 2
        assert result["counts"]["boxes"] == isinstance(strange, int | str)
        assert result["checks"]["broken_row"]["found"] == 1


def test_parts_of_one_mention_are_one_phrase_and_an_annotation_may_name_a_thing_twice(tmp_path):
    caption = "a red dog barks; it and a cat play"
    mentions = [[0, 1], [2, 5], [6, 9], [17, 19]]  # "a", "red", "dog", and "it"
    line = {"file_name": "a.jpg", "width": 100, "height": 100, "caption": caption}
    boxes = [
        {"image_id": 7, "bbox": [10, 10, 20, 20], "tokens_positive": mentions},
        {"image_id": 7, "bbox": [60, 10, 20, 20], "tokens_positive": [[24, 25], [26, 29]]},
    ]
    (tmp_path / "mdetr.json").write_text(json.dumps({"images": [{"id": 7, **line}], "annotations": boxes}))
    regions = [
        {"bbox": [10, 10, 30, 30], "phrase": ["a", "red", "dog", "it"], "tokens_positive": mentions},
        {"bbox": [60, 10, 80, 30], "phrase": "a cat", "tokens_positive": [[24, 29]]},
        {"bbox": [60, 50, 80, 90], "phrase": ["a", "cow"], "tokens_positive": [[24, 25], [26, 29]]},
    ]
    planted.write_lines([{**line, "grounding": {"caption": caption, "regions": regions}}], tmp_path / "odvg.jsonl")
    mdetr, odvg = (gritmill.audit(tmp_path / name, no_claims=True) for name in ("mdetr.json", "odvg.jsonl"))
    assert found(mdetr) == {"abstract_word": 1}  # it
    assert mdetr["counts"]["phrases"] == 3
    assert found(odvg) == {"other_text": 1}
    assert "regions[2] 'a cow', in the caption 'a cat'" in odvg["checks"]["other_text"]["examples"][0]
    assert odvg["counts"]["phrases"] == 2


def test_a_custom_set_may_have_fractions_and_pixels_in_one_row(tmp_path):
    truth = [
        {"start": 0, "end": 8, "boxes": [[0.1, 0.2, 0.4, 0.9], [0.5, 0.2, 1.2, 0.9]]},
        {"start": 14, "end": 19, "pixels": [[12, 30, 320, 460], [0, 0, 640, 480]]},
    ]
    row = {"image": "a.jpg", "caption": "Two dogs near a cat", "width": 640, "height": 480, "truth": truth}
    other = {**row, "image": "b.jpg", "truth": [{"text": "a cat", "boxes": 5}]}
    planted.write_lines([row, other], tmp_path / "a.jsonl")
    result = gritmill.audit(tmp_path / "a.jsonl", no_claims=True)
    assert found(result) == {"outside": 1, "whole_image": 1, "broken_row": 1}
    assert result["checks"]["broken_row"]["examples"] == [f"{tmp_path}/a.jsonl:2: truth[0].boxes: an int, not a list"]


@pytest.mark.parametrize("unit", ["boxes", "pixels"])
def test_custom_sets_of_an_evaluation_are_read(tmp_path, unit):
    side = 1 if unit == "boxes" else 100
    corners = [[0.1 * side, 0.1 * side, 0.4 * side, 0.4 * side], [0.5 * side, 0.1 * side, 1.4 * side, 0.4 * side]]
    truth = [{"start": 0, "end": 8, "text": "two dogs", unit: corners}, {"text": "a cat", unit: corners[:1]}]
    row = {"image": "a.jpg", "caption": "two dogs and a cat", "width": 100, "height": 100, "truth": truth}
    planted.write_lines([row], tmp_path / "a.jsonl")
    result = gritmill.audit(tmp_path / "a.jsonl")
    assert found(result) == {"outside": 1, "shared_box": 1}
    assert result["claims"]["count"]["predicates"]["exactly"] == {"supported": 1}


CAPTION = "a dog and a cat near a tree"
DRAWN = ((0.1, 0.1, 0.3, 0.4), (0.5, 0.5, 0.8, 0.9))


def grounded(boxes):
    """Two phrases, with a box each."""
    spans = ((0, 5), (10, 15))
    return GroundedCaption(CAPTION, tuple(Span(*s, (b,)) for s, b in zip(spans, boxes, strict=True)), 640, 480)


@pytest.mark.parametrize("name", sorted(dialects.names()))
def test_texts_of_each_dialect_are_read(tmp_path, name):
    text = dialects.find(name).encode(grounded(DRAWN))
    same = dialects.find(name).encode(grounded(DRAWN[:1] * 2))
    rows = [{"text": text, "width": 640, "height": 480, "url": str(number)} for number in range(3)]
    rows += [{"text": same, "width": 640, "height": 480, "url": "4"}]
    planted.write_lines(rows, tmp_path / "a.jsonl")
    result = gritmill.audit(tmp_path / "a.jsonl", dialect=name)
    assert result["files"][0]["taken"] == f"texts in the dialect {name}, column text"
    assert result["counts"]["boxes"] == result["counts"]["sound_boxes"] == 8
    # Boxes that have no words are all of one phrase.
    of_boxes = dialects.find(name).carries is Carries.BOXES
    assert found(result) == {"duplicate_box" if of_boxes else "shared_box": 1}
    has_caption = dialects.find(name).carries in (Carries.SPANS, Carries.ENDS)
    assert result["claims"]["count"]["number"] == (12 if has_caption else 0)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("markdown", "[a dog](0.100,0.200,1.500,0.300) runs", {"outside": 1}),
        ("markdown", "[a dog](0.500,0.200,0.100,0.300) runs", {"swapped_corners": 1}),
        ("markdown", "[a dog](-0.100,0.200,0.500,0.300) runs", {"left_markup": 1, "no_boxes": 1}),
        ("qwen-vl", "<ref>a dog</ref><box>(100,200),(1500,300)</box>", {"outside": 1}),
        ("qwen-vl", "<ref>a dog</ref><box>(100,200),(100,300)</box>", {"no_area": 1}),
        ("qwen-vl", "<ref>a dog</ref><box>(100,200)</box>", {"left_markup": 1, "no_boxes": 1}),
        ("qwen2-vl", "<|object_ref_start|>a dog<|object_ref_end|> runs", {"left_markup": 1, "no_boxes": 1}),
        ("shikra", "a dog[0.500,0.200,0.100,0.300]", {"swapped_corners": 1}),
        ("pixels", "a dog [10, 20, 900, 40]", {"outside": 1}),
        (
            "kosmos2",
            "<grounding><phrase>a dog</phrase><object><patch_index_0751><patch_index_0195></object>",
            {"swapped_corners": 1},
        ),
        (
            "kosmos2",
            "<grounding><phrase>a dog</phrase><object><patch_index_0000><patch_index_1100></object>",
            {"outside": 1},
        ),
        ("kosmos2", "<phrase>a dog</phrase> runs", {"broken_row": 1}),
        ("qwen3-vl", '```json\n[{"bbox_2d": [10, 20, 1200, 40], "label": "a dog"}]\n```', {"outside": 1}),
        ("qwen3-vl", '[{"bbox_2d": [10, 20, 30, 40], "label": "a dog"}]', {"broken_row": 1}),
        ("qwen3-vl", '```json\n[{"bbox_2d": [10, 20, 30], "label": "a dog"}]\n```', {"broken_row": 1}),
        ("paligemma", "<loc0500><loc0500><loc0100><loc0600> a dog", {"swapped_corners": 1}),
        ("florence2", "a dog<loc_900><loc_200><loc_100><loc_300>", {"swapped_corners": 1}),
        ("minigpt-v2", "<p>a couple</p> {<29><37><60><75>} of dogs", {"measure_word": 1}),
    ],
)
def test_faults_in_texts_are_found(tmp_path, name, text, expected):
    good = dialects.find(name).encode(grounded(DRAWN))
    rows = [{"text": one, "width": 640, "height": 480} for one in (good, text)]
    planted.write_lines(rows, tmp_path / "a.jsonl")
    assert found(gritmill.audit(tmp_path / "a.jsonl", dialect=name, no_claims=True)) == expected


@pytest.mark.parametrize("name", sorted(dialects.names()))
def test_texts_of_another_dialect_do_not_look_like_captions_without_boxes(tmp_path, name):
    others = [one for one in dialects.built_in() if one.name.partition(":")[0] != name]
    rows = [{"text": one.encode(grounded(DRAWN)), "width": 640, "height": 480, "url": one.name} for one in others]
    for row in rows:
        planted.write_lines([row], tmp_path / "a.jsonl")
        result = gritmill.audit(tmp_path / "a.jsonl", dialect=name, no_claims=True)
        assert result["counts"]["boxes"] or {"left_markup", "broken_row"} & set(found(result)), row


@pytest.mark.parametrize("name", ["qwen2-vl", "shikra", "markdown", "minigpt-v2"])
def test_left_markup_is_counted_and_plain_captions_are_none(tmp_path, name):
    left = (
        "<ref>a dog</ref><box>(100,200),(300,400)</box>",
        "a dog(100,200),(300,400) runs",  # its tags removed as special tokens
        "<grounding><phrase>a dog</phrase> runs",
        "a dog<loc_1><loc_2><loc_3><loc_4>",
        "<loc0001><loc0002><loc0003><loc0004> dog",
        '[{"bbox_2d": [1, 2, 3], "label": "dog"}]',
        "1200 1102 1750 1512 30",
    )
    plain = (
        *("I <3 dogs, and 3 > 2", "a <big> dog", "points (1, 2), (3, 4)", "a dog (1, 2, 3)", "1998 1999 2000 dogs"),
        *('the "label" of a 12" pizza', "{a dog}", "5 < 6 and 7 > 4", "a <10> euro sign", "[12] a dog [13]"),
    )
    planted.write_lines([{"text": text} for text in (*left, *plain)], tmp_path / "a.jsonl")
    result = gritmill.audit(tmp_path / "a.jsonl", dialect=name, no_claims=True, examples=20)
    lines = result["checks"]["left_markup"]["examples"]
    assert [int(line.partition("a.jsonl:")[2].partition(":")[0]) for line in lines] == [1, 2, 3, 4, 5, 6, 7]


def test_lines_of_a_text_file_and_replies_of_a_conversation(tmp_path):
    text = dialects.find("markdown").encode(grounded(DRAWN))
    (tmp_path / "a.txt").write_text(f"{text}\n\n{text}\n")
    result = gritmill.audit(tmp_path / "a.txt", dialect="markdown", no_claims=True)
    assert (result["counts"]["rows"], result["counts"]["boxes"]) == (2, 4)
    turns = [{"from": who, "value": text} for who in ("human", "gpt", "human", "gpt")]
    planted.write_lines([{"conversations": turns}], tmp_path / "b.jsonl")
    result = gritmill.audit(tmp_path / "b.jsonl", dialect="markdown", no_claims=True)
    assert [result["counts"][name] for name in ("rows", "pairs", "boxes", "pictures")] == [1, 2, 4, 1]


@pytest.mark.parametrize("column", ["grounded", "answer"])
def test_texts_in_a_column_of_a_table(tmp_path, column):
    text = dialects.find("markdown").encode(grounded(DRAWN))
    image = {"bytes": b"no image", "path": "a.jpg"}
    rows = [{"image": image, "caption": CAPTION, column: text, "url": str(number)} for number in range(5)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    named = None if column == "grounded" else column
    result = gritmill.audit(tmp_path / "a.parquet", dialect="markdown", column=named, no_claims=True)
    assert result["files"][0]["taken"] == f"texts in the dialect markdown, column {column}"
    assert (result["counts"]["boxes"], result["counts"]["pictures"], found(result)) == (10, 5, {})


def test_a_dialect_that_counts_pixels_needs_the_size(tmp_path):
    text = dialects.find("pixels").encode(grounded(DRAWN))
    planted.write_lines([{"text": text}], tmp_path / "a.jsonl")
    assert found(gritmill.audit(tmp_path / "a.jsonl", dialect="pixels", no_claims=True)) == {"no_size": 1}


def test_broken_rows_are_counted_and_named(tmp_path):
    rows = [planted.clean(number) for number in range(3)]
    rows[1]["noun_chunks"] = rows[1]["ref_exps"] = 5
    planted.write_lines(rows, tmp_path / "a.jsonl")
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write('not JSON\n{"caption": 7, "noun_chunks": []}\n[1, 2]\n')
    result = gritmill.audit(tmp_path / "a.jsonl", no_claims=True, examples=9)
    (file,) = result["files"]
    assert (file["rows"], file["broken"], file["fault"]) == (6, 4, "")
    broken = result["checks"]["broken_row"]
    assert (broken["found"], broken["of"]) == (4, 6)
    assert [line.partition(": ")[0].rpartition(":")[2] for line in broken["examples"]] == ["2", "4", "5", "6"]
    assert result["counts"]["pairs"] == 2


def test_what_has_no_known_format_is_left_out_with_its_columns(tmp_path):
    planted.write_lines([planted.clean(0)], tmp_path / "a.jsonl")
    planted.write_lines([{"name": "a", "value": 1}], tmp_path / "b.jsonl")
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "nothing.jsonl").write_text("{}\n")
    (tmp_path / "utf-16.jsonl").write_text("[]", "utf-16")
    result = gritmill.audit(tmp_path, no_claims=True)
    assert [file["uri"] for file in result["files"]] == [f"{tmp_path}/a.jsonl"]
    first, second, third, fourth = result["left_out"]
    assert third.startswith(f"{tmp_path}/nothing.jsonl: it has no columns: none of")
    assert fourth.startswith(f"{tmp_path}/utf-16.jsonl: no row that can be read; row 1: ")
    assert first.startswith(f"{tmp_path}/b.jsonl: its columns are name, value: none of {', '.join(READERS)}")
    assert second == f"{tmp_path}/empty.jsonl: no row that can be read"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"name": "a", "value": 1}, "no annotations; its columns are name, value"),
        ({"annotations": 5}, "annotations: an int, not a list; its columns are annotations"),
        ({"caption": "a", "annotations": [1]}, "annotations[0]: an int, not an object; its columns are caption, "),
    ],
)
def test_a_format_that_does_not_fit_is_named_with_the_field(tmp_path, row, why):
    planted.write_lines([row, row], tmp_path / "a.jsonl")
    (line,) = gritmill.audit(tmp_path / "a.jsonl", format="coco", no_claims=True)["left_out"]
    assert line.startswith(f"{tmp_path}/a.jsonl: not coco: {why}")
    assert line.endswith("; leave out --format")


def test_a_format_is_used_where_only_some_rows_fit(tmp_path):
    box = {"bbox": [1, 1, 5, 5]}
    planted.write_lines([{"width": 9, "height": 9, "annotations": [box]}, {"annotations": 5}], tmp_path / "a.jsonl")
    result = gritmill.audit(tmp_path / "a.jsonl", format="coco", no_claims=True)
    assert (result["counts"]["boxes"], found(result)) == (1, {"broken_row": 1})
    planted.write_lines([{"file_name": "", "annotations": [5]}], tmp_path / "a.jsonl")  # malformed, but COCO's
    assert found(gritmill.audit(tmp_path / "a.jsonl", format="coco", no_claims=True)) == {"broken_row": 1}


def test_a_phrase_of_an_empty_caption_has_no_other_fault(tmp_path):
    regions = [{"bbox": [1, 1, 5, 5], "phrase": "a dog", "tokens_positive": [[0, 5]]}]
    line = {"filename": "a.jpg", "width": 9, "height": 9, "grounding": {"caption": " ", "regions": regions}}
    planted.write_lines([line], tmp_path / "a.jsonl")
    assert found(gritmill.audit(tmp_path / "a.jsonl")) == {"empty_caption": 1}


_BOX, _WRONG = [0.1, 0.1, 0.5, 0.5], ["0", "5"]
_PIXELS = {"file_name": "a.jpg", "width": 9, "height": 9}


@pytest.mark.parametrize(
    "row",
    [
        {"caption": "a dog", "noun_chunks": [[*_WRONG, *_BOX, 0.5]] * 2},
        {"caption": "a dog", "groundings": [{"start": 0, "box": _BOX, "score": 0.5, "phrase": "a dog"}] * 2},
        {"caption": "a dog", "truth": [{"start": 0.5, "end": 5, "text": "dog", "boxes": [_BOX]}] * 2},
        {**_PIXELS, "caption": "a dog", "annotations": [{"bbox": [1, 1, 5, 5], "tokens_positive": [_WRONG]}] * 2},
        {
            **_PIXELS,
            "grounding": {
                "caption": "a dog",
                "regions": [{"bbox": [1, 1, 5, 5], "tokens_positive": [None], "phrase": "a cat"}] * 2,
            },
        },
    ],
    ids=str,
)
def test_offsets_that_are_no_numbers_are_in_one_check(tmp_path, row):
    """Also in claims: nobody knows which noun phrase they are. Fractions are equal, so they are one phrase."""
    planted.write_lines([row], tmp_path / "a.jsonl")
    assert found(gritmill.audit(tmp_path / "a.jsonl")) == {"malformed_span": 1 if "truth" in row else 2}


@pytest.mark.parametrize("score", [None, "0.5", True, []])
def test_a_score_that_is_no_number_is_no_fault_of_the_box(tmp_path, score):
    planted.write_lines([{"caption": "a dog", "noun_chunks": [[0, 5, *_BOX, score]]}], tmp_path / "a.jsonl")
    result = gritmill.audit(tmp_path / "a.jsonl", no_claims=True)
    assert (found(result), result["counts"]["sound_boxes"]) == ({"score_range": 1}, 1)


def test_offsets_without_words_are_no_other_words_and_no_other_thing(tmp_path):
    groundings = [
        {"start": start, "end": end, "box": _BOX, "score": 0.5, "phrase": phrase}
        for start, end, phrase in ((0, 5, "a dog"), (3, 3, "a cat"), (50, 60, "a bird"))
    ]
    planted.write_lines([{"caption": "a dog", "groundings": groundings}], tmp_path / "a.jsonl")
    assert found(gritmill.audit(tmp_path / "a.jsonl", no_claims=True)) == {"empty_span": 1, "outside_caption": 1}


def test_the_export_json_of_another_program_hides_nothing(tmp_path):
    planted.write_lines([planted.clean(0)], tmp_path / "grit_coyo.jsonl")
    (tmp_path / "parts").mkdir()
    planted.write_lines([planted.clean(1)], tmp_path / "parts" / "a.jsonl")
    (tmp_path / "export.json").write_text(json.dumps([planted.clean(2)]))
    assert gritmill.audit(tmp_path, no_claims=True)["counts"]["pairs"] == 3


def test_damaged_files_do_not_end_the_audit(tmp_path):
    rows = [planted.clean(number) for number in range(40)]
    planted.write_lines(rows, tmp_path / "a.jsonl")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 nothing else")
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes())[:-40])
    (tmp_path / "d.xlsx").write_bytes(b"PK")
    write_tar(rows, tmp_path / "e.tar")
    (tmp_path / "e.tar").write_bytes((tmp_path / "e.tar").read_bytes()[:30_000])
    inputs = sorted(tmp_path.iterdir())
    result = gritmill.audit(inputs, no_claims=True)
    faults = {file["uri"].rpartition("/")[2]: file["fault"] for file in result["files"]}
    assert [name for name, fault in faults.items() if not fault] == ["a.jsonl"]
    assert len(faults) == 5
    assert found(result) == {}
    assert result["counts"]["rows"] > 40  # of a.jsonl and of those before the damage


def test_a_sample_is_spread_over_the_files(tmp_path):
    rows = [planted.clean(number) for number in range(90)]
    planted.write_lines(rows[:30], tmp_path / "a.jsonl")
    planted.write_parquet(rows[30:], tmp_path / "b.parquet")
    result = gritmill.audit([tmp_path / "a.jsonl", tmp_path / "b.parquet"], no_claims=True, limit=9)
    assert [file["rows"] for file in result["files"]] == [3, 6]
    assert gritmill.audit(tmp_path, no_claims=True, limit=1000)["counts"]["rows"] == 90


def test_captions_of_one_picture_are_one_picture(tmp_path):
    rows = [{**planted.clean(number), "url": f"https://example.com/{number // 5}.jpg"} for number in range(20)]
    planted.write_lines([{key: row[key] for key in row if key != "key"} for row in rows], tmp_path / "a.jsonl")
    assert gritmill.audit(tmp_path / "a.jsonl", no_claims=True)["counts"]["pictures"] == 4


def written_in(folder, names, column, **more):
    rows = [{**planted.clean(number), column: name, **more} for number, name in enumerate(names)]
    folder.mkdir(exist_ok=True)
    return [{key: row[key] for key in row if key not in PICTURES or key == column} for row in rows]


@pytest.mark.parametrize("column", ["url", "filename", "image", "image_id", "source_key"])
def test_an_image_whose_captions_are_in_several_files_is_one(tmp_path, column):
    """Also if the files have another order than their numbers, and if its rows are far apart."""
    prefix = "https://example.com/" if column == "url" else ""
    names = [number // 5 if column == "image_id" else f"{prefix}{number // 5}.jpg" for number in range(60)]
    rows = written_in(tmp_path / "in", names, column)
    for number in range(12):  # each image is in two files
        planted.write_lines([*rows[5 * number + 2 :], *rows][:5], tmp_path / "in" / f"coyo_{number}.jsonl")
    ways = [tmp_path / "in", tmp_path / "in" / "*.jsonl", sorted((tmp_path / "in").iterdir(), reverse=True)]
    # Equal keys must follow each other, and the rows of the first image are at both ends.
    for inputs in ways[:2] if column == "source_key" else ways:
        assert gritmill.audit(inputs, no_claims=True)["counts"]["pictures"] == 12 + (column == "source_key")
    names = [Path(file["uri"]).name for file in gritmill.audit(tmp_path / "in", no_claims=True)["files"]]
    assert names == [f"coyo_{number}.jsonl" for number in range(12)]


def test_files_of_one_name_in_two_folders_are_two_images(tmp_path):
    """A URL is the same image everywhere, a path is one below its folder, and keys are numbers of rows."""
    for column, count in (("url", 1), ("filename", 2), ("key", 2)):
        for folder in ("a", "b"):
            name = "https://example.com/0.jpg" if column == "url" else "0"
            planted.write_lines(written_in(tmp_path / folder, [name] * 3, column), tmp_path / folder / "x.jsonl")
        assert gritmill.audit(tmp_path, no_claims=True)["counts"]["pictures"] == count


def test_equal_keys_far_apart_are_two_images(tmp_path):
    """Each of two tables has a row 0."""
    planted.write_lines(written_in(tmp_path / "a", ["0", "0", "1", "0"], "source_key"), tmp_path / "a" / "x.jsonl")
    assert gritmill.audit(tmp_path / "a", no_claims=True)["counts"]["pictures"] == 3


def test_names_are_counted_once_however_many_there_are():
    names = DistinctNames()
    for number in range(200_000):
        names.add(str(number % 150_000))
    assert len(names) == 150_000
    names.add("0")
    names.add("\ud800")
    assert len(names) == 150_001


def test_equal_images_of_other_names_are_one_picture(tmp_path):
    """As exports write them: an image file per caption."""
    contents = [b"one", b"one", b"two", b"three", b"three", b"", b"", None, None]
    names = [f"images/{number}.jpg" for number in range(len(contents))]
    (tmp_path / "images").mkdir()
    for name, content in zip(names, contents, strict=True):
        if content is not None:
            (tmp_path / name).write_bytes(content)
    names += ["../outside.jpg", "../outside2.jpg", "a\0b.jpg", "images"]
    for name in ("outside.jpg", "outside2.jpg"):
        (tmp_path.parent / name).write_bytes(b"the same, but not below the folder of the rows")
    os.mkfifo(tmp_path / "pipe.jpg")
    names += ["pipe.jpg"]
    rows = [{**planted.clean(number), "filename": name} for number, name in enumerate(names)]
    planted.write_lines(rows, tmp_path / "a.jsonl")
    assert gritmill.audit(tmp_path / "a.jsonl", no_claims=True)["counts"]["pictures"] == 3 + 4 + 5


def test_a_broken_row_is_no_picture(tmp_path):
    planted.write_lines([planted.clean(0), {"noun_chunks": 5, "caption": "a"}, planted.clean(1)], tmp_path / "a.jsonl")
    counts = gritmill.audit(tmp_path / "a.jsonl", no_claims=True)["counts"]
    assert (counts["pictures"], counts["pairs"], counts["rows"]) == (2, 2, 3)


@pytest.mark.parametrize("dialect", [one.name for one in dialects.built_in()])
def test_a_plain_answer_is_not_broken_and_cut_off_markup_is(tmp_path, dialect):
    plain = ["A dog.", "It is 2 m high (or so).", "Which lies at (0.512, 0.25): the dog?", "Yes", "a dog, 12"]
    (tmp_path / "a.txt").write_text("\n".join(plain))
    result = gritmill.audit(tmp_path / "a.txt", dialect=dialect, no_claims=True)
    assert (result["checks"]["broken_row"]["found"], result["checks"]["no_boxes"]["found"]) == (0, len(plain))
    whole = dialects.find(dialect).encode(grounded(DRAWN))
    if dialect in ("kosmos2", "qwen2.5-vl", "florence2", "paligemma", "pix2seq"):
        (tmp_path / "a.txt").write_text(whole.replace("\n", " ")[len(whole) // 2 : -1])
        assert gritmill.audit(tmp_path / "a.txt", dialect=dialect, no_claims=True)["checks"]["broken_row"]["found"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"format": "grid"}, "--format: grid: no such format; did you mean grit?"),
        ({"dialect": "cosmos2"}, "--dialect: cosmos2: no such dialect; did you mean kosmos2?"),
        ({"column": "text"}, "--column: it is the column of texts in a dialect; name that with --dialect"),
        ({"format": "grit", "dialect": "kosmos2"}, "--format: leave it out; --dialect says what the files have"),
        ({"limit": 0}, "--limit: 0: must be at least 1"),
        ({"examples": -1}, "--examples: -1: must be at least 0"),
    ],
)
def test_wrong_options_are_refused(tmp_path, options, line):
    planted.write_lines([planted.clean(0)], tmp_path / "a.jsonl")
    with pytest.raises(CallError) as error:
        gritmill.audit(tmp_path / "a.jsonl", **options)
    assert str(error.value) == line


def test_inputs_that_match_nothing_are_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    for path, why in (("no.jsonl", "no such file"), ("folder", "no file in it ends with")):
        with pytest.raises(CallError, match=why):
            gritmill.audit(tmp_path / path)


YOLO = "of YOLO, which audit does not read; convert the data to COCO's format, or audit the run that was exported"
DETECTIONS = "detections of gritmill, which have no records; name the folder of their run, after gritmill pack"
KINDS = "no file in it ends with .parquet, .jsonl, .ndjson, .json, .tar, .tgz, .tsv"


@pytest.mark.parametrize(
    ("names", "below", "line"),
    [
        (["data.yaml", "images/0.jpg", "labels/0.txt", "labels/train/1.txt"], "", f"2 label files {YOLO}"),
        (["data.yaml", "images/0.jpg", "labels/0.txt"], "labels", f"1 label file {YOLO}"),
        (["a/labels/train/0.txt", "a/images/train/0.jpg"], "a/labels/train", f"1 label file {YOLO}"),
        (["images/0.jpg", "labels/0.txt"], "images", "only pictures; name the file or the folder with their boxes"),
        (["Annotations/0.xml", "Sentences/0.txt", "train.txt"], "", "sentences of Flickr30k Entities, which audit"),
        (["Annotations/0.xml", "Sentences/0.txt"], "Annotations", "1 XML file with boxes, as of Pascal VOC or"),
        (["Annotations/0.xml", "Sentences/0.txt"], "Sentences", "sentences of Flickr30k Entities, which audit"),
        (["VOC2012/Annotations/0.xml", "VOC2012/JPEGImages/0.jpg"], "", "1 XML file with boxes, as of Pascal VOC or"),
        (["detections/plan.csv"], "", KINDS),
        (["labels/sets/a/notes.txt", "Annotations/sets/a/b.xml"], "", KINDS),
        (["empty/notes.md"], "", KINDS),
    ],
)
def test_a_folder_that_is_not_read_is_one_line_with_the_cure(tmp_path, names, below, line):
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text("0 0.5 0.5 0.2 0.2\n")
    folder = tmp_path / "in" / below
    with pytest.raises(CallError) as refused:
        gritmill.audit(folder)
    assert str(refused.value).startswith(f"FILE: {folder}: {line}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (["labels/0.txt", "notes.json"], f"1 label file {YOLO}"),
        (["Sentences/0.txt", "captions.jsonl"], "sentences of Flickr30k Entities, which"),
        (["detections/plan.json", "detections/00000/00000-00000.json"], DETECTIONS),
    ],
)
def test_a_stray_file_does_not_hide_what_a_folder_is(tmp_path, names, line):
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text('{"a": 1}')
    left_out = gritmill.audit(tmp_path / "in", no_claims=True)["left_out"]
    assert left_out[0].startswith(f"{tmp_path}/in: {line}")
    assert "its columns are a" in left_out[1]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("0 0.44874 0.569778 0.361852 0.587528\n1 0.8 0.3 0.2 0.5\n", f"a label file {YOLO}"),
        ("3 0.1 0.1 0.2 0.2 0.3 0.1 1e-05 0\n", f"a label file {YOLO}"),
        ("[/EN#1/people Two men] on [/EN#2/scene a street] .\n", "sentences of Flickr30k Entities, which audit"),
        ("a dog\n", "lines of text; name their dialect with --dialect"),
        ("3 dogs 1 cat and 2 birds\n", "lines of text; name their dialect with --dialect"),
    ],
)
def test_a_text_that_is_not_read_says_what_it_is(tmp_path, text, line):
    (tmp_path / "0.txt").write_text(text)
    [left_out] = gritmill.audit(tmp_path / "0.txt", no_claims=True)["left_out"]
    assert left_out.startswith(f"{tmp_path}/0.txt: {line}")
