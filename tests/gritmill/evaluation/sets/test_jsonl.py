"""Custom sets: JSON Lines, and tars like those of the bundled scenes."""

import json
from pathlib import Path

import pytest

from gritmill.evaluation.sets.jsonl import ONE, SEVERAL, load
from pipeline.configuration import ColumnSettings
from pipeline.faults import CallError
from transforms import bundled

ROW = {
    "image": "a.jpg",
    "caption": "Two dogs near a cat, a car",
    "width": 200,
    "height": 100,
    "truth": [
        {"start": 0, "end": 8, "text": "Two dogs", "boxes": [[0, 0, 0.5, 0.5], [0.5, 0, 1, 1]]},
        {"start": 14, "end": 19, "pixels": [[20, 10, 100, 100]], "type": "animals"},
        {"text": "the street", "boxes": []},
    ],
    "absent": ["a car", "a tree"],
}


@pytest.fixture
def write(tmp_path):
    def rows(*rows):
        path = tmp_path / "truth.jsonl"
        path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
        return [str(path)]

    return rows


def test_a_row(write, tmp_path):
    truth = load(write(ROW, "", ROW), None, None)
    first, second = truth.captions
    assert truth.pictures == 2
    assert first.pair.image.uri == str(tmp_path / "a.jpg")
    dogs, cat, street, car, tree = first.phrases
    assert (dogs.kinds, cat.kinds, street.kinds) == ((SEVERAL,), ("animals",), ())
    assert (cat.text, cat.boxes) == ("a cat", ((0.1, 0.1, 0.5, 1.0),))
    assert (car.absent, car.start, car.end) == (True, 21, 26)
    assert (tree.absent, tree.start) == (True, -1)
    assert (street.boxes, street.absent) == ((), False)
    assert second.pair.index == 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"image": ""}, r"truth.jsonl:2: the row has no image in a field image, jpg, .* \(source.columns.image\)"),
        ({"truth": [{"text": "x", "boxes": [[0.5, 0, 0.1, 1]]}]}, "truth.jsonl:2: truth.0: box .* x1 < x2"),
        ({"truth": [{"text": "x", "boxes": [[0, 0, 30, 40]]}]}, "truth.0.boxes.0.2: .*less than or equal to 1"),
        ({"truth": [{"start": 0, "end": 8, "text": "two dogs"}]}, "'two dogs', but the caption has 'Two dogs' there"),
        ({"truth": [{"boxes": []}]}, "truth 0 has neither a text nor a span"),
        ({"truth": [{"text": " ", "boxes": []}]}, "truth 0 has no word: ' '"),
        ({"absent": ["a car", ""]}, "absent phrase without a word: ''"),
        (
            {"truth": [{"text": "x", "pixels": [[210, 1, 220, 2]]}]},
            r"truth 0: 210.0, 1.0, .* is outside the image of 200 x 100",
        ),
        ({"width": None, "truth": [{"text": "x", "pixels": [[1, 1, 2, 2]]}]}, "has pixels, but the row has no width"),
        ({"truth": [{"text": "x", "pixels": [[10, 10, 900, 90]]}]}, "is outside the image of 200 x 100 pixels"),
        ({"truth": [{"text": "x", "box": [[0, 0, 1, 1]]}]}, "truth.0: box: no such field; did you mean boxes"),
        ({"trutth": []}, "trutth: no such field; did you mean truth"),
        ({"truth": [{"start": 0, "end": 99}]}, "truth 0 has the span 0 to 99, but the caption has 26 characters"),
        ({"truth": [{"text": "x", "boxes": [[0, 0, 1, 1]], "pixels": [[1, 1, 2, 2]]}]}, "boxes and pixels: both"),
    ],
)
def test_a_bad_row_is_named(write, change, why):
    with pytest.raises(CallError, match=why):
        list(load(write(ROW, {**ROW, **change}), None, None).captions)


def test_rows_of_a_picture_come_together_wherever_they_stand(write):
    rows = [{**ROW, "image": f"{picture}.jpg"} for picture in "abcab"]
    captions = list(load(write(*rows), None, None).captions)
    assert [(one.picture[-5:], one.pair.index) for one in captions] == [
        ("a.jpg", 0),
        ("a.jpg", 3),
        ("b.jpg", 1),
        ("b.jpg", 4),
        ("c.jpg", 2),
    ]


def test_a_line_that_is_no_json_a_split_and_other_files(write, tmp_path):
    with pytest.raises(CallError, match=r"truth.jsonl:1: Invalid JSON"):
        list(load(write("{"), None, None).captions)
    with pytest.raises(CallError, match="--split"):
        load(write(ROW), None, "val")
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(CallError, match="neither JSON lines nor a tar"):
        load([str(tmp_path / "a.csv")], None, None)
    with pytest.raises(CallError, match=r"--truth: .*no such file"):
        load([str(tmp_path / "b.jsonl")], None, None)


def test_a_picture_outside_of_its_folder_is_not_read(write):
    caption = next(load(write({**ROW, "image": "../secret.jpg"}), None, None).captions)
    assert caption.pair.error.reason == "outside_root"
    caption = next(load(write({**ROW, "image": "/photos/1.jpg"}), None, None).captions)
    assert caption.pair.error.detail == "/photos/1.jpg; use --images /photos"


def test_the_row_of_the_documentation(write):
    page = (Path(__file__).parents[4] / "docs" / "evaluation.md").read_text("utf-8")
    example = page.split("```json\n")[1].split("```")[0]
    (caption,) = load(write(" ".join(example.split())), None, None).captions
    assert [len(phrase.boxes) for phrase in caption.phrases] == [2, 1, 0]


def test_the_bundled_scenes():
    truth = load([str(bundled.folder("examples") / "scenes")], None, None)
    captions = list(truth.captions)
    assert (truth.pictures, len(captions), len({one.picture for one in captions})) == (100, 100, 100)
    assert all(one.pair.data and one.width for one in captions)
    phrases = [phrase for one in captions for phrase in one.phrases]
    assert {phrase.kinds for phrase in phrases if phrase.boxes} == {(ONE,), (SEVERAL,)}
    assert all(one.pair.caption[p.start : p.end] == p.text for one in captions for p in one.phrases if p.boxes)
    assert sum(phrase.absent for phrase in phrases) == 200


def test_image_and_caption_are_in_the_fields_that_a_run_takes(write, tmp_path):
    row = {name: value for name, value in ROW.items() if name not in ("image", "caption")}
    (first,) = load(write({**row, "file_name": "b.jpg", "text": ROW["caption"]}), None, None).captions
    assert (first.pair.image.uri, first.pair.caption) == (str(tmp_path / "b.jpg"), ROW["caption"])
    columns = ColumnSettings(image="photo", caption="words")
    paths = write({**row, "photo": "c.jpg", "words": ROW["caption"], "image": "not this"})
    (first,) = load(paths, None, None, columns).captions
    assert first.pair.image.uri == str(tmp_path / "c.jpg")
    with pytest.raises(CallError, match=r"the row has no image in a field photo, image \(source\.columns\.image\)"):
        list(load(write({**row, "picture": "a.jpg", "words": ROW["caption"]}), None, None, columns).captions)


def test_the_format_of_the_documentation_is_read_whatever_fields_a_run_takes(write, tmp_path):
    (only,) = load(write(ROW), None, None, ColumnSettings(image="photo", caption="title")).captions
    assert (only.pair.image.uri, only.pair.caption) == (str(tmp_path / "a.jpg"), ROW["caption"])
