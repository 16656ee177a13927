"""Samples of one image in formats that list images."""

import io
import json
import re
import time
from itertools import pairwise
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from gritmill import exports, plain_pickle
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
    return sorted(path.name for path in folder.glob("*images/**/*.jpg"))


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


def refer(folder):
    """Each image's refs with their boxes, and the sentences, as refer.py of lichengunc/refer, commit e3bbaa3, indexes
    them (`createIndex`, lines 98 to 156): one ref per annotation, ids are unique, and an image of a ref is a file."""
    refs = plain_pickle.load((folder / "refcoco/refs(gritmill).p").read_bytes())
    instances = json.loads((folder / "refcoco/instances.json").read_text())
    images = {image["id"]: image for image in instances["images"]}
    anns = {ann["id"]: ann for ann in instances["annotations"]}
    names = {one["id"]: one["name"] for one in instances["categories"]}
    assert [len(images), len(anns)] == [len(instances["images"]), len(instances["annotations"])]
    ann_to_ref = {ref["ann_id"]: ref for ref in refs}
    sents = {sent["sent_id"]: sent for ref in refs for sent in ref["sentences"]}
    assert len(ann_to_ref) == len(refs) == len(anns) == len({ref["ref_id"] for ref in refs})
    assert sorted(sents) == sorted(number for ref in refs for number in ref["sent_ids"])
    assert all(sent["tokens"] == sent["sent"].split() for sent in sents.values())
    found = {image: [] for image in images}
    for ref in refs:
        ann = anns[ref["ann_id"]]
        assert (ann["image_id"], ann["category_id"]) == (ref["image_id"], ref["category_id"])
        assert images[ref["image_id"]]["file_name"] == ref["file_name"].rpartition("_")[0] + ".jpg"
        words = [sent["sent"] for sent in ref["sentences"]]
        found[ref["image_id"]].append((names[ann["category_id"]], words, ann["bbox"]))
    return found, sents.values()


SEVERAL = "expressions with several boxes, left out"
TALL = [20.0, 20.0, 80.0, 61.0]


def test_refcoco_has_one_ref_for_a_thing_that_several_captions_name(tmp_path):
    counts = written("refcoco", tmp_path)
    assert counts == {"samples": 5, "images": 3, "refs": 8, "sentences": 9, SEVERAL: 0}
    assert images_of(tmp_path) == ["000000000.jpg", "000000001.jpg", "000010001.jpg"]
    found, sentences = refer(tmp_path)
    dog, cat = [20.0, 20.0, 80.0, 60.0], [120.0, 20.0, 60.0, 60.0]
    assert found == {
        1: [("dog", ["a dog"], dog), ("dog", ["the dog"], TALL)],
        0: [
            ("hot dog", ["a hot dog"], dog),
            ("dog", ["two dogs", "a brown dog"], TALL),  # the box with the higher score
            ("cat", ["a cat"], cat),
            ("animal", ["an animal"], dog),
            ("dog", ["a dog"], cat),
        ],
        10001: [("cat", ["cats"], cat)],
    }
    origins = {one["raw"]: (one["uid"], one["source_key"], one["url"], one["meta"]) for one in sentences}
    assert origins["two dogs"] == (SHARDS[0][0].record["uid"], "000000000", "", "{}")
    assert origins["a brown dog"] == (SHARDS[0][2].record["uid"], "000000002", "", "{}")


@pytest.mark.parametrize(
    ("captions", "refs"),
    [
        # The words name one thing in each caption, and two in the image.
        ([("a dog", ("a dog", *DOG, 0.5)), ("A  dog.", ("A  dog", *CAT, 0.5))], []),
        ([("a dog", ("a dog", *DOG, 0.5)), ("A dog.", ("A dog", *NEARLY_DOG, 0.4))], [["a dog", "a dog"]]),
        # Two boxes in one caption, one of them in the other one.
        ([("a dog", ("a dog", *DOG, 0.5), ("a dog", *CAT, 0.5)), ("a dog", ("a dog", *DOG, 0.4))], []),
        # Two boxes of other words: the expression of the other caption is still clear.
        ([("dogs", ("dogs", *DOG, 0.5), ("dogs", *CAT, 0.5)), ("a dog", ("a dog", *DOG, 0.4))], [["a dog"]]),
        # Two places of the same words in one caption, with a box each, as a source may give them.
        ([("a dog and a cat, A dog", ("a dog", *DOG, 0.5), ("A dog", *CAT, 0.4), ("a cat", *CAT, 0.5))], [["a cat"]]),
        ([("dogs", ("dogs", *DOG, 0.5)), ("no dog", ("no dog", *DOG, 0.6)), ("x",)], [["dogs", "no dog"]]),
    ],
)
def test_an_expression_of_refcoco_names_one_thing_of_the_image(tmp_path, captions, refs):
    samples = [sample(f"{n:09}", RED, caption, *boxes) for n, (caption, *boxes) in enumerate(captions)]
    made, folder = exports.find_format("refcoco", ExportOptions()), ExportFolder(str(tmp_path))
    counts = made.shard(0, iter(samples), folder) + made.finish((0,), folder)
    found, _ = refer(tmp_path)
    assert [[words for _, words, _ in found[image]] for image in found] == ([refs] if refs else [])
    assert len(images_of(tmp_path)) == counts["images"] == (1 if refs else 0)
    assert counts["images without a ref, left out"] == (0 if refs else 1)
    expressions = {(n, box[0]) for n, (_, *boxes) in enumerate(captions) for box in boxes}
    assert (counts["sentences"], counts[SEVERAL]) == (written := sum(map(len, refs)), len(expressions) - written)


def entities(folder, key):
    """The phrases of each sentence of an image with their chains, and the boxes of each chain, as `get_sentence_data`
    and `get_annotations` of flickr30k_entities_utils.py of BryanPlummer/flickr30k_entities, commit 68b3d6f, read them:
    an object may have several names, and corners count from 1."""
    lines = (folder / f"Sentences/{key}.txt").read_text().split("\n")
    sentences = [re.findall(r"\[/EN#(\d+)/other (.+?)\]", line) for line in lines if line]
    boxes = {}
    for thing in ElementTree.parse(folder / f"Annotations/{key}.xml").getroot().findall("object"):
        for name in thing.findall("name"):
            corners = [int(thing.find("bndbox").findtext(side)) - 1 for side in ("xmin", "ymin", "xmax", "ymax")]
            boxes.setdefault(name.text, []).append(corners)
    return sentences, boxes


def test_flickr30k_entities_has_the_captions_of_an_image_as_its_sentences(tmp_path):
    counts = written("flickr30k-entities", tmp_path)
    assert counts == {"samples": 5, "images": 3, "boxes": 8, LEFT_OUT: 1}
    names = (tmp_path / "train.txt").read_text().split()
    assert names == ["000000001", "000000000", "000010001"]
    for folder, ending in (("Sentences", ".txt"), ("Annotations", ".xml"), ("flickr30k-images", ".jpg")):
        assert sorted(path.name for path in (tmp_path / folder).iterdir()) == sorted(name + ending for name in names)
    dog, tall, cat = [20, 20, 100, 80], [20, 20, 100, 81], [120, 20, 180, 80]
    assert entities(tmp_path, "000000000") == (
        [
            [("1", "two dogs"), ("2", "a hot dog")],
            [("1", "a brown dog"), ("3", "a cat")],
            [("4", "an animal"), ("5", "a dog")],
        ],
        {"1": [tall], "2": [dog], "3": [cat], "4": [dog], "5": [cat]},
    )
    root = ElementTree.parse(tmp_path / "Annotations/000000000.xml").getroot()
    wanted = [line.record["uid"] for line in (SHARDS[0][0], SHARDS[0][2], SHARDS[1][0])]
    assert [one.text for one in root.findall("source/uid")] == wanted
    assert entities(tmp_path, "000000001") == ([[("1", "a dog"), ("2", "the dog")]], {"1": [dog], "2": [tall]})


def test_a_box_of_flickr30k_entities_has_the_names_of_all_its_chains(tmp_path):
    samples = [
        sample("000000000", RED, "two dogs", ("two dogs", *DOG, 0.7), ("two dogs", *CAT, 0.6)),
        sample("000000001", RED, "a [dog]", ("dog", *DOG, 0.7)),
        sample("000000002", RED, "one dog near another dog", ("one dog", *NEARLY_DOG, 0.5), ("another dog", *CAT, 0.9)),
        sample("000000003", RED, "dogs", ("dogs", *CAT, 0.7), ("dogs", *DOG, 0.1)),
        sample("000000004", RED, "nothing to see"),
    ]
    made, folder = exports.find_format("flickr30k-entities", ExportOptions()), ExportFolder(str(tmp_path))
    counts = made.shard(0, iter(samples), folder) + made.finish((0,), folder)
    assert counts == {"samples": 4, "images": 1, "boxes": 2, LEFT_OUT: 4, "captions with a bracket, left out": 1}
    dog, cat = [20, 20, 100, 80], [120, 20, 180, 80]
    assert entities(tmp_path, "000000000") == (
        [[("1", "two dogs")], [("2", "one dog"), ("3", "another dog")], [("1", "dogs")], []],
        {"1": [dog, cat], "2": [dog], "3": [cat]},
    )
    assert len(ElementTree.parse(tmp_path / "Annotations/000000000.xml").getroot().findall("object")) == 2


def test_flickr30k_entities_counts_boxes_of_phrases_that_overlap(tmp_path):
    caption = "a dog near a cat"
    boxes = (caption, *DOG, 0.7), ("a cat", *CAT, 0.6)  # the expression of the dog has the cat
    made, folder = exports.find_format("flickr30k-entities", ExportOptions()), ExportFolder(str(tmp_path))
    counts = made.shard(0, iter([sample("000000000", RED, caption, *boxes)]), folder) + made.finish((0,), folder)
    told = "boxes of phrases that overlap others, left out"
    assert counts == {"samples": 1, "images": 1, "boxes": 1, told: 1}
    assert entities(tmp_path, "000000000") == ([[("1", caption)]], {"1": [[20, 20, 100, 80]]})


@pytest.mark.parametrize("to", ["coco", "refcoco", "flickr30k-entities", "yolo"])
def test_entries_per_caption(tmp_path, to):
    counts = written(to, tmp_path, per_caption=True)
    boxes = {"refs": 9, "sentences": 9, SEVERAL: 0} if to == "refcoco" else {"boxes": 9}
    assert counts == {"samples": 5, "images": 5, **boxes}
    assert images_of(tmp_path) == [f"{one.key}.jpg" for shard in SHARDS for one in shard]
    if to == "coco":
        value = json.loads((tmp_path / "instances.json").read_text())
        assert [one["id"] for one in value["images"]] == [int(one.key) for shard in SHARDS for one in shard]
        assert [one["phrase"] for one in value["annotations"]][:2] == ["two dogs", "a hot dog"]


@pytest.mark.parametrize("to", ["coco", "refcoco", "flickr30k-entities", "yolo"])
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


@pytest.mark.parametrize("to", ["coco", "refcoco"])
def test_files_are_written_as_the_module_json_writes_them(tmp_path, to):
    """Annotations are put together from texts."""
    written(to, tmp_path)
    for path in [*tmp_path.glob("*.json"), *tmp_path.glob("refcoco/*.json")]:
        text = path.read_text()
        assert text.replace(",\n", ", ") == json.dumps(json.loads(text), ensure_ascii=False) + "\n"
        assert '"annotations": [{"id": 1, ' in text


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
    firsts, remaining = [], []
    for index, (caption, *_) in enumerate(boxes):
        others = [other for other in remaining if boxes[other][0] != caption]
        overlaps = image_entries.ious([corners[index]], [corners[other] for other in others])[0] if others else ()
        firsts.append(next((other for other, iou in zip(others, overlaps, strict=True) if iou >= 0.9), index))
        if firsts[-1] == index:
            remaining.append(index)
    captions = np.array([caption for caption, *_ in boxes])
    with mock.patch.object(image_entries, "_BLOCK", block):
        assert image_entries._first_of_each(captions, corners) == firsts


def test_an_image_with_thousands_of_captions_takes_seconds():
    lines = [
        {"boxes": [{"class": "dog", "corners": (0.0, 0.0, 0.1 + 0.8 * n / 4000, 0.5), "score": 0.5}]}
        for n in range(4000)
    ]
    started = time.monotonic()
    remaining = image_entries.remaining_boxes(lines)
    assert time.monotonic() - started < 10  # it was a minute
    assert remaining[0, 0] == (0, 0)
    # 0.1 repeats up to 0.1 / 0.9, and so on: each box that remains is wider by a ninth than the one before.
    wide = [lines[number]["boxes"][0]["corners"][2] for (number, _), place in remaining.items() if place[0] == number]
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


@pytest.mark.parametrize("to", ["coco", "refcoco", "flickr30k-entities", "yolo"])
def test_parts_has_only_the_lines_of_shards(tmp_path, to):
    written(to, tmp_path)
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["00000.jsonl", "00001.jsonl"]
