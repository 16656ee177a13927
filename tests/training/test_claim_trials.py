"""Trials of the rules for claims: small sets here, and those of ../shared if it is there."""

import hashlib
import json
from collections import Counter

import pytest

import gritmill
from tests.shared import DATA, needs_shared
from tests.training.scene_fakes import FONT, without_font
from training.claim_trials import __main__ as program
from training.claim_trials.marks import marked_captions, tally
from training.claim_trials.parsed import parsed
from training.claim_trials.photos import captions_on_boxes, read_coco, read_photos
from training.claim_trials.refcoco import expressions
from training.claim_trials.rows import Row, markdown
from training.claim_trials.scene_pairs import scene_pairs
from training.scene_grounder.tars import write_tars
from transforms.claims.verdicts import PhraseBoxes, Verdict
from transforms.records import Claim, ClaimKind

CAPTIONS = DATA / "captions/coco_val2017_captions.tsv"
VSR = DATA / "vsr/random_dev.jsonl"
REFCOCO = DATA / "refcoco"


def verdicts(row):
    every = sum(row.true.values(), Counter())
    return tuple(every[verdict] for verdict in Verdict)


def test_scenes(monkeypatch, tmp_path):
    without_font(monkeypatch)
    write_tars(FONT, tmp_path / "scenes", 3, 12, 12)
    (row,) = scene_pairs([str(tmp_path / "scenes")])
    supported, contradicted, undecided = verdicts(row)
    assert supported > 20
    assert (contradicted, undecided, row.swapped[Verdict.CONTRADICTED]) == (0, 0, supported)
    found = gritmill.evaluate("demo", truth=tmp_path / "scenes", relations=True)
    assert found["verdicts"]["groups"]["true"]["counts"]["contradicted"] == 0
    assert found["reading"]["kinds"]["counts"]["stated"] > 12


def expression(text, x, picture="COCO_train2014_000000000001_0"):
    return {"img_id": picture, "sents": text, "bbox": [x, 40, 20, 20], "height": 100, "width": 100}


def test_expressions(tmp_path):
    rows = [
        expression("left cup", 5),
        expression("the right cup", 10),  # compares with another cup only
        expression("his left hand", 70),  # a part
        expression("far left cup", 5),
        expression("right most cup", 5),
        expression("man right of the cup", 40),
    ]
    (tmp_path / "small.json").write_text(json.dumps(rows))
    places, ranks, relations = expressions([str(tmp_path / "small.json")])
    assert verdicts(places) == (2, 1, 0)  # also "far left cup"
    assert places.examples == ["picture_right : the right cup {'x': 0.2, 'y': 0.5}"]
    assert verdicts(ranks) == (1, 1, 0)
    assert verdicts(relations) == (1, 0, 0)
    assert relations.swapped == {Verdict.CONTRADICTED: 1}


OBJECTS = [
    {"category": "person", "bbox": [10, 10, 20, 80], "iscrowd": 0},
    {"category": "teddy bear", "bbox": [70, 10, 20, 20], "iscrowd": 0},
    {"category": "chair", "bbox": [0, 50, 90, 50], "iscrowd": 1},
]
SAID = ["Two men on a teddy bear.", "A man next to a bear and three chairs.", "A kid."]


def test_captions_of_photos(tmp_path):
    photos = [{"width": 100, "height": 100, "captions": SAID, "objects": OBJECTS}, {"objects": None}]
    (tmp_path / "photos.jsonl").write_text("\n".join(map(json.dumps, photos)))
    relations, counts = captions_on_boxes(list(read_photos(tmp_path / "photos.jsonl")))
    assert relations.true == {"on": {Verdict.CONTRADICTED: 1}}  # no bear has a box: a teddy bear is none
    assert counts.true == {"exactly": {Verdict.CONTRADICTED: 1}, "at_least": {Verdict.SUPPORTED: 3}}


def test_the_same_photo_in_the_files_of_coco(tmp_path):
    names = {one["category"]: number for number, one in enumerate(OBJECTS)}
    boxes = [{**one, "image_id": 7, "category_id": names[one["category"]]} for one in OBJECTS]
    instances = {
        "images": [{"id": 7, "width": 100, "height": 100}],
        "categories": [{"id": number, "name": name} for name, number in names.items()],
        "annotations": boxes,
    }
    captions = {"annotations": [{"image_id": image, "caption": text} for image in (7, 8) for text in SAID]}
    for name, content in (("instances", instances), ("captions", captions)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    photos = [{"width": 100, "height": 100, "captions": SAID, "objects": OBJECTS}]
    (tmp_path / "photos.jsonl").write_text(json.dumps(photos[0]))
    assert list(read_coco(tmp_path / "captions.json", tmp_path / "instances.json")) == list(
        read_photos(tmp_path / "photos.jsonl")
    )


def test_marks(tmp_path):
    caption = "Two dogs on a bed"
    mark = {
        "row": 1,
        "sha256": hashlib.sha256(caption.encode()).hexdigest(),
        "set": 1,
        "counts": [[8, "exactly", 2, False, False], [17, "at_least", 1, False, True]],
        "relations": [[8, "on", 17, False], [8, "picture_left", 0, False]],
    }
    (tmp_path / "marks.jsonl").write_text(json.dumps(mark))
    (tmp_path / "captions.tsv").write_text(f"id\tn\tcaption\n1\t1\tanother\n1\t2\t{caption}\n")
    ((number, text, stated),) = marked_captions(tmp_path / "marks.jsonl", tmp_path / "captions.tsv")
    assert (number, text) == (1, caption)
    found = tally([stated], [pair.claims for pair in parsed([text])])
    assert [found[kind]["recall"] for kind in ("relations", "counts")] == [0.5, 1]
    (tmp_path / "captions.tsv").write_text("id\tn\tcaption\n1\t1\tanother\n1\t2\tanother\n")
    with pytest.raises(ValueError, match="row 1 is not the caption that was marked"):
        list(marked_captions(tmp_path / "marks.jsonl", tmp_path / "captions.tsv"))


def test_the_table():
    row, boxes = Row("one set"), {(0, 1): PhraseBoxes(((0, 0.4, 0.2, 0.6),), 1)}
    for predicate in ("picture_left", "picture_right", "picture_middle"):
        row.add(Claim(ClaimKind.RELATION, 0, 0, 0, 1, predicate), boxes, (9, 9), "a cup")
    assert markdown([row]).splitlines()[2] == "| one set | 3 | 33.3% | 2 (66.7%) | 50.0% of 2 |"
    assert markdown([row], by_predicate=True).splitlines()[-1] == "| - picture_right | 1 | 0.0% | 1 (100.0%) | |"
    assert markdown([Row("nothing")]).splitlines()[2] == "| nothing | 0 | | |  |"


needs_captions = pytest.mark.skipif(not CAPTIONS.exists(), reason="../shared has no captions of COCO")


@needs_shared
@needs_captions
def test_marked_captions_of_coco():
    _, texts, stated = zip(*marked_captions(program.MARKS, CAPTIONS), strict=True)
    found = tally(stated, [pair.claims for pair in parsed(texts)])
    for kind, precision, recall in (("counts", 0.98, 0.96), ("relations", 0.96, 0.88)):
        assert found[kind]["precision"] >= precision
        assert found[kind]["recall"] >= recall


def check_vsr(found):
    """At least .97 alone, and at most two points less inside longer sentences."""
    alone = found["reading"]["kinds"]["relations"]
    assert alone["precision"] >= 0.97
    assert alone["recall"] >= 0.97
    for inside in found["inside"]:
        assert inside["kinds"]["relations"]["precision"] >= alone["precision"] - 0.02
        assert inside["kinds"]["relations"]["recall"] >= alone["recall"] - 0.02


needs_vsr = pytest.mark.skipif(not VSR.exists(), reason="../shared has no data/vsr")


@needs_shared
@needs_vsr
def test_statements_of_vsr():
    check_vsr(gritmill.evaluate("demo", truth=VSR, on="vsr", relations=True, limit=150))


@needs_shared
@needs_vsr
@pytest.mark.slow
def test_all_statements_of_vsr():
    check_vsr(gritmill.evaluate("demo", truth=VSR, on="vsr", relations=True))


@needs_shared
@pytest.mark.slow
@pytest.mark.skipif(not REFCOCO.exists(), reason="../shared has no data/refcoco")
def test_all_expressions():
    places, ranks, _ = expressions([str(REFCOCO / "refcoco_val.json")])
    for row, number, contradicted, swapped in ((places, 4000, 0.02, 0.9), (ranks, 300, 0.03, 0.97)):
        found = verdicts(row)
        assert sum(found) > number
        assert found[1] <= contradicted * sum(found)
        assert row.swapped[Verdict.CONTRADICTED] >= swapped * sum(found)
