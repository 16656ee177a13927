"""RefCOCO in its published layout, in a folder written by hand, and the real validation expressions if available."""

import json
import pickle

import pytest

from gritmill.evaluation.sets.refcoco import load
from pipeline.faults import CallError
from tests.shared import DATA, needs_shared

NAME = "COCO_train2014_000000000007"


def ref(number, split, *sentences):
    return {
        "ref_id": number,
        "ann_id": 70 + number,
        "category_id": 1,
        "image_id": 7,
        "file_name": f"{NAME}_{70 + number}.jpg",
        "split": split,
        "sent_ids": list(range(len(sentences))),
        "sentences": [{"sent_id": i, "sent": s, "raw": s, "tokens": s.split()} for i, s in enumerate(sentences)],
    }


@pytest.fixture(params=[0, 2, 4])
def folder(request, tmp_path):
    place = tmp_path / "refcoco"
    place.mkdir()
    refs = [ref(1, "val", "left man", "man in red"), ref(2, "testA", "the dog")]
    (place / "refs(unc).p").write_bytes(pickle.dumps(refs, request.param))
    boxes = {71: [10.0, 20.0, 50.0, 40.0], 72: [0, 0, 100, 100]}
    instances = {
        "images": [{"id": 7, "file_name": f"{NAME}.jpg", "width": 100, "height": 100, "license": 1}],
        "annotations": [
            {"id": i, "image_id": 7, "bbox": box, "category_id": 1, "segmentation": [[1.0, 2.0]]}
            for i, box in boxes.items()
        ],
    }
    (place / "instances.json").write_text(json.dumps(instances))
    return place


def test_a_folder_as_published(folder):
    truth = load([str(folder)], None, "val")
    captions = list(truth.captions)
    assert truth.pictures == 1
    assert [caption.phrases[0].text for caption in captions] == ["left man", "man in red"]
    assert captions[0].phrases[0].boxes == ((0.1, 0.2, 0.6, 0.6),)
    assert captions[0].phrases[0].kinds == ("val",)
    assert (captions[0].picture, captions[0].width) == (f"{NAME}.jpg", 100)


def test_without_a_split_all_of_them_and_one_that_is_not_there(folder):
    assert [one.phrases[0].kinds[0] for one in load([str(folder)], None, None).captions] == ["val", "val", "testA"]
    with pytest.raises(CallError, match="has no testB; it has testA, val"):
        load([str(folder)], None, "testB")


def test_pictures_where_the_refer_toolkit_has_them(folder):
    images = folder.parent / "images" / "mscoco" / "images" / "train2014"
    images.mkdir(parents=True)
    assert next(load([str(folder)], None, "val").captions).pair.image.uri == str(images / f"{NAME}.jpg")
    assert next(load([str(folder)], str(folder), "val").captions).pair.image.uri == str(folder / f"{NAME}.jpg")


def test_two_pickles_are_told_apart_by_their_file(folder):
    other = folder / "refs(google).p"
    other.write_bytes((folder / "refs(unc).p").read_bytes())
    with pytest.raises(CallError, match=r"contains refs\(google\).p, refs\(unc\).p; name one of them"):
        load([str(folder)], None, "val")
    assert load([str(other)], None, "val").pictures == 1


def test_faults_name_their_file(folder):
    (folder / "refs(unc).p").write_bytes(pickle.dumps([ref(9, "val", "nobody")]))
    with pytest.raises(CallError, match=r"instances.json: no image 7 or no annotation 79"):
        load([str(folder)], None, "val")
    (folder / "refs(unc).p").write_bytes(pickle.dumps([{"ann_id": 1}]))
    with pytest.raises(CallError, match=r"refs\(unc\).p: 0.image_id: Field required"):
        load([str(folder)], None, "val")
    (folder / "refs(unc).p").write_bytes(pickle.dumps(print))
    with pytest.raises(CallError, match="not a plain pickle"):
        load([str(folder)], None, "val")
    (folder / "refs(unc).p").unlink()
    with pytest.raises(CallError, match="no refs"):
        load([str(folder)], None, "val")


def test_the_json_form(tmp_path):
    row = {"img_id": f"{NAME}_4", "sents": "left man", "bbox": [10, 20, 50, 40], "height": 100, "width": 100}
    path = tmp_path / "refcoco_val.json"
    path.write_text(json.dumps([row, {**row, "img_id": f"{NAME}_5", "sents": "dog"}]))
    truth = load([str(path)], str(tmp_path), None)
    captions = list(truth.captions)
    assert (truth.pictures, len(captions)) == (1, 2)
    assert captions[1].pair.image.uri == str(tmp_path / f"{NAME}.jpg")
    assert captions[0].phrases[0].boxes == ((0.1, 0.2, 0.6, 0.6),)
    assert captions[0].phrases[0].kinds == ("refcoco_val",)
    with pytest.raises(CallError, match="is a single split"):
        load([str(path)], None, "val")
    path.write_text(json.dumps([{**row, "bbox": [1, 2, 3]}]))
    with pytest.raises(CallError, match=r"refcoco_val.json: 0.bbox.3: Field required"):
        load([str(path)], None, None)


@needs_shared
@pytest.mark.parametrize(("name", "expressions"), [("refcoco", 10834), ("refcoco+", 10758), ("refcocog", 4896)])
def test_the_validation_sets_are_as_large_as_published(name, expressions):
    truth = load([str(DATA / "refcoco" / f"{name}_val.json")], None, None)
    captions = list(truth.captions)
    assert len(captions) == expressions
    assert len({caption.picture for caption in captions}) == truth.pictures
    assert all(x1 < x2 and y1 < y2 for one in captions for x1, y1, x2, y2 in one.phrases[0].boxes)
