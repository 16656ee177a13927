"""VSR's files in each form in which they are published."""

import json

import pytest
from PIL import Image

from gritmill.evaluation.sets import vsr
from pipeline.faults import CallError

VALIDATED = (
    '{"image": "000000239417.jpg", "image_link": "http://images.cocodataset.org/train2017/000000239417.jpg", '
    '"caption": "The bench is at the right side of the train.", "label": 0, "relation": "at the right side of", '
    '"annotator_id": 1, "vote_true_validator_id": "[]", "vote_false_validator_id": "[2, 10, 1]", '
    '"reference_frame": 1.0}\n'
    '{"image": "000000224670.jpg", "image_link": "http://images.cocodataset.org/train2017/000000224670.jpg", '
    '"caption": "The train contains the laptop.", "label": 1, "relation": "contains", "annotator_id": 30, '
    '"vote_true_validator_id": "[2, 67, 21]", "vote_false_validator_id": "[]", "reference_frame": null}\n'
)
RAW = (
    '{"image":"000000406026.jpg","image_link":"http:\\/\\/images.cocodataset.org\\/val2017\\/000000406026.jpg",'
    '"caption":"The hot dog is above the couch.","label":1,"relation":"above","annotator_id":33,'
    '"vote_true_validator_id":[60],"vote_false_validator_id":[2,25]}\n'
)
ZEROSHOT = (
    '{"image": "000000434275.jpg", "image_link": "http://images.cocodataset.org/train2017/000000434275.jpg", '
    '"caption": "The elephant is part of the hot dog.", "label": 1, "relation": "part of", "subj": "lephant", '
    '"obj": "ot dog", "annotator_id": 27, "vote_true_validator_id": "[2]", "vote_false_validator_id": "[]"}\n'
)


@pytest.fixture
def write(tmp_path):
    def text(content, name="dev.jsonl"):
        (tmp_path / name).write_text(content)
        return [str(tmp_path / name)]

    return text


def read(paths, **more):
    return list(vsr.load(paths, more.pop("images", None), more.pop("split", None), **more).captions)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (VALIDATED, ("The bench", "right_side_of", "the train", False, ("adjacency",))),
        (VALIDATED.split("\n")[1], ("The train", "contains", "the laptop", True, ("topological",))),
        (RAW, ("The hot dog", "above", "the couch", True, ("projective",))),
        (ZEROSHOT, ("The elephant", "part_of", "the hot dog", True, ("topological",))),
        ("\ufeff" + ZEROSHOT.replace("is part of", "part of").replace("\n", "\r\n"), None),
    ],
)
def test_a_statement(write, content, expected):
    caption = read(write(content))[0]
    (one,) = caption.statements
    text, claim = caption.pair.caption, one.claim
    found = (text[slice(*claim.subject)], claim.predicate, text[slice(*claim.objects)], one.true, one.kinds)
    assert found == (expected or ("The elephant", "part_of", "the hot dog", True, ("topological",)))
    assert [phrase.text for phrase in caption.phrases] == [found[0], found[2]]


def test_a_relation_that_no_list_has_is_named_as_in_the_file(write):
    (caption,) = read(write(RAW.replace("above", "congruent")))
    assert (caption.statements[0].claim.predicate, caption.statements[0].kinds) == ("congruent", ("other",))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"label":1', '"label":2', "dev.jsonl:1: label: .*less than or equal to 1"),
        (
            '"relation":"above"',
            '"relation":"below"',
            "dev.jsonl:1: the caption 'The hot dog is above the couch.' is not",
        ),
        ('"caption":', '"text":', "dev.jsonl:1: caption: Field required"),
        ("{", "[", "dev.jsonl:1: .*JSON"),
    ],
)
def test_a_broken_row(write, old, new, why):
    with pytest.raises(CallError, match=why):
        read(write(RAW.replace(old, new)))


def test_the_files_of_a_folder(write, tmp_path):
    write(RAW, "train.jsonl")
    write(VALIDATED)
    (tmp_path / "create_random_splits.py").write_text("")
    assert len(read([str(tmp_path)])) == 3
    assert len(read([str(tmp_path)], split="train")) == 1
    with pytest.raises(CallError, match=r"--split: no val.jsonl among dev.jsonl, train.jsonl"):
        read([str(tmp_path)], split="val")


@pytest.mark.parametrize("layout", ["", "val2017"])
def test_the_images_are_in_one_folder_or_in_two(write, tmp_path, layout):
    (tmp_path / layout).mkdir(exist_ok=True)
    Image.new("RGB", (8, 8)).save(tmp_path / layout / "000000406026.jpg")
    (caption,) = read(write(RAW), images=str(tmp_path))
    assert caption.pair.image.uri == str(tmp_path / layout / "000000406026.jpg")


BOXES = {
    "images": [{"id": 406026, "width": 200, "height": 100, "file_name": "COCO_val2014_000000406026.jpg"}],
    "categories": [{"id": 58, "name": "hot dog"}, {"id": 63, "name": "couch"}],
    "annotations": [
        {"id": 1, "image_id": 406026, "category_id": 58, "bbox": [20, 10, 40, 20], "iscrowd": 0},
        {"id": 2, "image_id": 406026, "category_id": 58, "bbox": [100, 10, 40, 20], "iscrowd": 0},
        {"id": 3, "image_id": 406026, "category_id": 63, "bbox": [0, 50, 200, 50], "iscrowd": 0},
        {"id": 4, "image_id": 9, "category_id": 63, "bbox": [0, 50, 200, 50], "iscrowd": 0},
    ],
}


def test_the_boxes_of_coco_by_the_number_of_the_image(write, tmp_path):
    (tmp_path / "instances.json").write_text(json.dumps(BOXES))
    dog, couch = read(write(RAW), boxes=[str(tmp_path / "instances.json")])[0].phrases
    assert dog.boxes == ((0.1, 0.1, 0.3, 0.3), (0.5, 0.1, 0.7, 0.3))
    assert couch.boxes == ((0, 0.5, 1, 1),)
    *_, other = read(write(RAW + ZEROSHOT), boxes=[str(tmp_path / "instances.json")])
    assert [phrase.boxes for phrase in other.phrases] == [(), ()]


def test_a_category_with_a_crowd_has_no_known_boxes(write, tmp_path):
    crowd = {"id": 5, "image_id": 406026, "category_id": 58, "bbox": [0, 0, 90, 90], "iscrowd": 1}
    (tmp_path / "instances.json").write_text(json.dumps({**BOXES, "annotations": [*BOXES["annotations"], crowd]}))
    dog, couch = read(write(RAW), boxes=[str(tmp_path / "instances.json")])[0].phrases
    assert (dog.boxes, len(couch.boxes)) == ((), 1)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (None, "--boxes: .*instances.json: no such file"),
        ({"categories": []}, "--boxes: .*instances.json: image 406026 has a box of the unknown category 58"),
        ({"annotations": [{"bbox": [1, 2]}]}, "--boxes: .*annotations.0.image_id: Field required"),
    ],
)
def test_boxes_that_cannot_be_read(write, tmp_path, change, why):
    if change is not None:
        (tmp_path / "instances.json").write_text(json.dumps({**BOXES, **change}))
    with pytest.raises(CallError, match=why):
        read(write(RAW), boxes=[str(tmp_path / "instances.json")])
