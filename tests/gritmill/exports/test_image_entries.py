"""Samples of one image in formats that list images."""

import io
import json
import time
from itertools import pairwise
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from gritmill import exports
from gritmill.exports import image_entries
from gritmill.exports.format import ExportFolder
from gritmill.exports.options import ExportOptions, Level
from gritmill.reading import Sample
from pipeline.faults import CallError
from transforms.grit_record import compose
from transforms.records import Box, Grounding, Pair, Phrase

SIZE = 200, 100


def picture(colour):
    file = io.BytesIO()
    Image.new("RGB", SIZE, colour).save(file, "JPEG")
    return file.getvalue()


def sample(key, image, caption, *boxes):
    """boxes: words of the caption, the last of which is the head, then the corners and the score."""
    groundings = []
    for number, (words, *corners, score) in enumerate(boxes):
        start = caption.index(words)
        end = start + len(words)
        phrase = Phrase(start, end, end - len(words.split()[-1]), end, start, end)
        groundings.append(Grounding(phrase, Box(number, *corners, score)))
    pair = Pair(key, "s", int(key), caption, width=SIZE[0], height=SIZE[1])
    return Sample(key, image, compose(key, pair, groundings), caption, "", {})


RED, BLUE, GREEN = picture("red"), picture("blue"), picture("green")
DOG, NEARLY_DOG, CAT = (0.1, 0.2, 0.5, 0.8), (0.1, 0.2, 0.5, 0.81), (0.6, 0.2, 0.9, 0.8)
SHARDS = (
    (
        sample("000000000", RED, "two dogs and a hot dog", ("two dogs", *DOG, 0.7), ("a hot dog", *DOG, 0.6)),
        sample("000000001", BLUE, "a dog and the dog", ("a dog", *DOG, 0.5), ("the dog", *NEARLY_DOG, 0.4)),
        sample("000000002", RED, "a brown dog near a cat", ("a brown dog", *NEARLY_DOG, 0.9), ("a cat", *CAT, 0.5)),
    ),
    (
        sample("000010000", RED, "an animal and a dog", ("an animal", *DOG, 0.8), ("a dog", *CAT, 0.3)),
        sample("000010001", GREEN, "cats", ("cats", *CAT, 0.5)),
    ),
)


def written(to, folder, **options):
    """Exports the shards, and returns the sum of the counts."""
    made, target = exports.find_format(to, ExportOptions(**options)), ExportFolder(str(folder))
    counts = sum((made.shard(n, iter(samples), target) for n, samples in enumerate(SHARDS)), start=exports_counts())
    counts.update(made.finish(range(len(SHARDS)), target))
    return counts


def exports_counts():
    from gritmill.exports.format import ExportCounts

    return ExportCounts()


def images_of(folder):
    return sorted(path.name for path in folder.glob("images/**/*.jpg"))


LEFT_OUT = "boxes that another caption of the image has too, left out"


def test_coco_has_one_image_with_the_boxes_of_all_captions(tmp_path):
    counts = written("coco", tmp_path)
    assert counts == {"samples": 5, "images": 3, "boxes": 8, LEFT_OUT: 1}
    assert images_of(tmp_path) == ["000000000.jpg", "000000001.jpg", "000010001.jpg"]
    boxes, captions = COCO(tmp_path / "instances.json"), COCO(tmp_path / "captions.json")
    assert sorted(boxes.imgs) == sorted(captions.imgs) == [0, 1, 10001]
    texts = {one["id"]: one["caption"] for one in captions.imgToAnns[0]}
    assert list(texts.values()) == ["two dogs and a hot dog", "a brown dog near a cat", "an animal and a dog"]
    assert len({one["uid"] for image in captions.imgs for one in captions.imgToAnns[image]}) == 5
    origins = [(one["uid"], one["source_key"], one["url"], one["meta"]) for one in captions.imgToAnns[0]]
    assert origins == [(line.record["uid"], line.key, "", "{}") for line in (SHARDS[0][0], SHARDS[0][2], SHARDS[1][0])]
    found = []
    for one in boxes.imgToAnns[0]:
        ((start, end),) = one["tokens_positive"]
        assert texts[one["caption_id"]][start:end] == one["phrase"]
        found.append((one["phrase"], boxes.cats[one["category_id"]]["name"], one["score"], one["bbox"]))
    dog, cat = [20.0, 20.0, 80.0, 60.0], [120.0, 20.0, 60.0, 60.0]
    assert found == [
        ("a hot dog", "hot dog", 0.6, dog),  # another class
        ("a brown dog", "dog", 0.9, [20.0, 20.0, 80.0, 61.0]),  # not "two dogs", which has a lower score
        ("a cat", "cat", 0.5, cat),
        ("an animal", "animal", 0.8, dog),
        ("a dog", "dog", 0.3, cat),  # elsewhere
    ]
    assert len(boxes.imgToAnns[1]) == 2  # of one caption: the record has both


def test_yolo_has_one_file_with_the_boxes_of_all_captions(tmp_path):
    counts = written("yolo", tmp_path)
    assert counts == {"samples": 5, "images": 3, "boxes": 8, LEFT_OUT: 1}
    names = yaml.safe_load((tmp_path / "data.yaml").read_text())["names"]
    assert list(names.values()) == ["dog", "hot dog", "cat", "animal"]
    assert images_of(tmp_path) == ["000000000.jpg", "000000001.jpg", "000010001.jpg"]
    labels = sorted(tmp_path.glob("labels/**/*.txt"))
    assert [path.stem for path in labels] == [Path(name).stem for name in images_of(tmp_path)]
    rows = [line.split() for line in labels[0].read_text().splitlines()]
    assert [names[int(row[0])] for row in rows] == ["hot dog", "dog", "cat", "animal", "dog"]
    assert [float(cell) for cell in rows[0][1:]] == [0.3, 0.5, 0.4, 0.6]


@pytest.mark.parametrize("to", ["coco", "yolo"])
def test_entries_per_caption(tmp_path, to):
    counts = written(to, tmp_path, per_caption=True)
    assert counts == {"samples": 5, "images": 5, "boxes": 9}
    assert images_of(tmp_path) == [f"{one.key}.jpg" for shard in SHARDS for one in shard]
    if to == "coco":
        value = json.loads((tmp_path / "instances.json").read_text())
        assert [one["id"] for one in value["images"]] == [int(one.key) for shard in SHARDS for one in shard]
        assert [one["phrase"] for one in value["annotations"]][:2] == ["two dogs", "a hot dog"]


@pytest.mark.parametrize("to", ["coco", "yolo"])
def test_without_images_the_entries_are_the_same(tmp_path, to):
    assert written(to, tmp_path / "with") == written(to, tmp_path / "without", images=False)
    assert images_of(tmp_path / "without") == []
    files = [path.relative_to(tmp_path / "without") for path in (tmp_path / "without").rglob("*") if path.is_file()]
    assert files
    for file in files:
        assert (tmp_path / "with" / file).read_bytes() == (tmp_path / "without" / file).read_bytes()


def test_a_damaged_export_of_shards_is_finished_to_the_same_files(tmp_path):
    """As after an interruption in `finish`, if a shard is written again: its images come back and go again."""
    written("yolo", tmp_path)
    again = written("yolo", tmp_path)
    assert again["images"] == 3
    assert images_of(tmp_path) == ["000000000.jpg", "000000001.jpg", "000010001.jpg"]


def test_measure_words_and_compounds_are_the_same_classes_at_both_levels(tmp_path):
    caption = "a couple of hot dogs on a plate"
    phrase = Phrase(0, 8, 2, 8, 0, len(caption))
    pair = Pair("000000000", "s", 0, caption, width=SIZE[0], height=SIZE[1])
    record = compose("000000000", pair, [Grounding(phrase, Box(0, *DOG, 0.5))])
    one = Sample("000000000", RED, record, caption, "", {})
    for level in Level:
        for to in ("yolo", "coco", "refcoco"):
            made, folder = exports.find_format(to, ExportOptions(level=level)), tmp_path / level / to
            made.shard(0, iter([one]), ExportFolder(str(folder)))
            made.finish((0,), ExportFolder(str(folder)))
        assert yaml.safe_load((tmp_path / level / "yolo/data.yaml").read_text())["names"] == {0: "hot dog"}
        for name in ("coco/instances.json", "refcoco/refcoco/instances.json"):
            (category,) = json.loads((tmp_path / level / name).read_text())["categories"]
            assert category["name"] == "hot dog"


def datumaro_items(folder):
    """The items as datumaro 1.13.12 finds them (plugins/data_formats/coco/importer.py, `CocoImporter.find_sources`;
    base.py, `DirPathExtracter` and `_parse_item`): the task and the split are in the name of the file, and images are
    in the folder of the split, below `images` beside `annotations`."""
    for path in sorted(folder.glob("**/*_*.json")):
        task, _, split = path.stem.partition("_")
        assert (task in ("instances", "captions"), path.parent.name) == (True, "annotations")
        images = path.parent.parent / "images" / split
        assert images.is_dir()
        value = json.loads(path.read_text())
        for image in value["images"]:
            own = [one for one in value["annotations"] if one["image_id"] == image["id"]]
            with Image.open(images / image["file_name"]) as opened:
                assert opened.size == (image["width"], image["height"])
            yield task, split, image["file_name"].removesuffix(".jpg"), len(own)


def test_with_a_split_coco_is_what_datumaro_reads(tmp_path):
    counts = written("coco", tmp_path, split="train2017")
    assert counts["images"] == 3
    assert list(datumaro_items(tmp_path)) == [
        *(("captions", "train2017", name, n) for name, n in (("00000/000000001", 1), ("00000/000000000", 3))),
        ("captions", "train2017", "00001/000010001", 1),
        *(("instances", "train2017", name, n) for name, n in (("00000/000000001", 2), ("00000/000000000", 5))),
        ("instances", "train2017", "00001/000010001", 1),
    ]
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"annotations", "images", "parts"}


@pytest.mark.parametrize("split", ["../train", "a b", "träin", "a/b"])
def test_a_split_is_a_plain_name(split):
    with pytest.raises(CallError, match=f"--split: {split}: use letters"):
        exports.find_format("coco", ExportOptions(split=split))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 1)), max_size=400), st.integers(1, 7))
def test_blocks_of_boxes_give_what_box_by_box_gives(boxes, block):
    """boxes: caption, place and shift, in the order of their scores."""
    corners = [(0.1 * place, 0.1, 0.1 * place + 0.4, 0.9 - 0.01 * shift) for _, place, shift in boxes]
    remaining = []
    for index, (caption, *_) in enumerate(boxes):
        others = [corners[other] for other in remaining if boxes[other][0] != caption]
        if not others or image_entries.ious([corners[index]], others).max() < 0.9:
            remaining.append(index)
    captions = np.array([caption for caption, *_ in boxes])
    with mock.patch.object(image_entries, "_BLOCK", block):
        assert image_entries._first_of_each(captions, corners) == remaining


def test_an_image_with_thousands_of_captions_takes_seconds():
    lines = [
        {"boxes": [{"class": "dog", "corners": (0.0, 0.0, 0.1 + 0.8 * n / 4000, 0.5), "score": 0.5}]}
        for n in range(4000)
    ]
    started = time.monotonic()
    found = image_entries._without_duplicates(lines)
    assert time.monotonic() - started < 10  # it was a minute
    assert found[0] == lines[0]
    # 0.1 repeats up to 0.1 / 0.9, and so on: each box that remains is wider by a ninth than the one before.
    wide = [line["boxes"][0]["corners"][2] for line in found if line["boxes"]]
    assert len(wide) == 21
    assert all(b / a > 1 / 0.9 - 1e-9 for a, b in pairwise(wide))


@pytest.mark.parametrize("open_parts", [1, 64])
def test_lines_are_grouped_by_image_in_the_order_of_the_last_ones(tmp_path, monkeypatch, open_parts):
    monkeypatch.setattr(image_entries, "_OPEN_PARTS", open_parts)
    parts = [["ab", "00", "ab"], [], ["0c", "00", "é"], ["ab"]]
    paths = []
    for number, names in enumerate(parts):
        rows = [{"same_image": "ff" if name == "é" else name, "key": f"{number} {name}"} for name in names]
        paths.append(str(tmp_path / str(number)))
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        Path(paths[-1]).write_text(text, encoding="utf8")
    found = [[line["key"] for line in lines] for lines in image_entries._lines_by_image(paths)]
    assert found == [["2 0c"], ["0 00", "2 00"], ["2 é"], ["0 ab", "0 ab", "3 ab"]]


def test_the_card_of_yolo_says_where_images_belong_that_were_not_written():
    texts = [exports.find_format("yolo", ExportOptions(images=images)).description for images in (True, False)]
    assert ["--no-images" in text for text in texts] == [False, True]


@pytest.mark.parametrize("to", ["coco", "yolo"])
def test_merged_entries_are_removed(tmp_path, to):
    written(to, tmp_path)
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["00000.jsonl", "00001.jsonl"]
