"""`gritmill eval --relations`, from captions to figures."""

import json

import pytest
from PIL import Image

import gritmill
from gritmill.evaluation.relation_tables import show_relations
from pipeline.faults import CallError
from tests.gritmill.evaluation.sets.test_vsr import BOXES, RAW, VALIDATED, ZEROSHOT
from transforms import bundled
from transforms.claims.verdicts import Verdict

SCENES = bundled.folder("examples") / "scenes"
MIDDLE = {"detector": {"model": "tests.plugin_detectors:everywhere"}, "phrases": {"model": "caption-parser"}}
"""Finds every phrase at 0.25 to 0.75 with a score of 0.9."""

CAPTION = "A cup to the left of two plates."
CUP, PLATES = [0, 5], [21, 31]
LEFT, RIGHT, FAR = [0.1, 0.4, 0.2, 0.6], [0.6, 0.4, 0.7, 0.6], [0.8, 0.4, 0.9, 0.6]


def row(image, cup, *plates, **more):
    phrases = [{"start": s, "end": e, "boxes": boxes} for (s, e), boxes in ((CUP, [cup]), (PLATES, list(plates)))]
    statements = [
        {"subject": CUP, "predicate": "left_of", "object": [PLATES], "true": cup == LEFT},
        {"subject": CUP, "predicate": "at_least", "number": 1, "true": True},
        {"subject": PLATES, "predicate": "exactly", "number": 2, "true": len(plates) == 2},
        {"subject": CUP, "predicate": "near", "object": [PLATES]},
    ]
    return {"image": image, "caption": CAPTION, "truth": phrases, "statements": statements, **more}


@pytest.fixture
def own(tmp_path):
    """Three captions: true, false on the left and on the number, and without any annotation of statements."""
    rows = [row("a.png", LEFT, RIGHT, FAR), row("b.png", FAR, LEFT), row("a.png", FAR, RIGHT, LEFT)]
    del rows[2]["statements"]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for name in ("a.png", "b.png"):
        Image.new("RGB", (80, 40)).save(tmp_path / name)
    return tmp_path / "own.jsonl"


def test_reading_and_verdicts(own, tmp_path):
    found = gritmill.evaluate(MIDDLE, truth=own, relations=True, output=tmp_path / "eval.json")
    assert found == json.loads((tmp_path / "eval.json").read_text())
    assert (found["captions"], found["detected"], found["inside"]) == ({"read": 3, "failed": 0}, None, [])
    relations, counts = found["reading"]["kinds"]["relations"], found["reading"]["kinds"]["counts"]
    assert (relations["stated"], relations["read"], relations["right"]) == (4, 2, 2)  # near is not in the words
    assert (counts["stated"], counts["right"]) == (4, 4)
    groups = found["verdicts"]["groups"]
    left = {name: groups[name]["relations"]["predicates"]["left_of"] for name in ("true", "false", "read")}
    assert left["true"] == {"supported": 1, "contradicted": 0, "undecided": 0}
    assert left["false"] == {"supported": 0, "contradicted": 1, "undecided": 0}
    assert left["read"] == {"supported": 1, "contradicted": 1, "undecided": 0}  # not the one that is known to be false
    assert groups["swapped"]["relations"]["predicates"] == {
        "right_of": {"supported": 0, "contradicted": 1, "undecided": 0}
    }
    assert groups["false"]["counts"]["predicates"]["exactly"]["contradicted"] == 1
    assert found["verdicts"]["contradicted"]["true"] == []
    assert [one["predicate"] for one in found["verdicts"]["contradicted"]["read"]] == ["left_of"]


def test_a_true_statement_that_is_contradicted_is_named(own):
    rows = list(map(json.loads, own.read_text().splitlines()))
    rows[1]["statements"][0]["true"] = True
    own.write_text(json.dumps(rows[1]))
    found = gritmill.evaluate(MIDDLE, truth=own, relations=True)["verdicts"]["contradicted"]["true"]
    assert [(one["caption"], one["subject"], one["predicate"], one["object"]) for one in found] == [
        (CAPTION, "A cup", "left_of", ["two plates"])
    ]
    assert found[0]["measured"]["dx"] < 0


def test_without_boxes_there_is_only_reading(own, call):
    rows = list(map(json.loads, own.read_text().splitlines()))
    own.write_text("\n".join(json.dumps({**one, "truth": []}) for one in rows))
    status, screen, _ = call("eval", "demo", "--relations", "--truth", own, "--quiet")
    assert status == 0
    assert "no verdicts on true boxes" in screen
    assert "verdicts on" not in screen.replace("no verdicts on", "")
    own.write_text("\n".join(json.dumps({"image": one["image"], "caption": CAPTION}) for one in rows))
    status, _, lines = call("eval", "demo", "--relations", "--truth", own, "--quiet")
    assert (status, len(lines)) == (1, 1)
    assert lines[0].startswith("gritmill: nothing was measured: 3 captions, but no statements")


def test_the_boxes_of_a_detector(own):
    """It finds one box for both phrases, which cannot be left of itself, and only one plate."""
    found = gritmill.evaluate(MIDDLE, truth=own, relations=True, detect=True)["detected"]
    assert (found["pictures"]["measured"], found["threshold"] < 0.9) == (2, True)
    true = found["groups"]["true"]
    assert true["relations"]["predicates"]["left_of"] == {"supported": 0, "contradicted": 0, "undecided": 1}
    assert true["counts"]["predicates"]["at_least"]["contradicted"] == 0
    assert found["groups"]["false"].keys() == {"relations", "counts"}


def test_images_that_are_not_there(own, call):
    for name in ("a.png", "b.png"):
        own.with_name(name).unlink()
    status, _, lines = call("eval", "demo", "--relations", "--detect", "--truth", own, "--quiet")
    assert (status, len(lines)) == (1, 1)
    assert "no image of 2 can be used: 2 missing_file" in lines[0]


def test_vsr(tmp_path, call):
    (tmp_path / "dev.jsonl").write_text(VALIDATED + RAW + ZEROSHOT)
    (tmp_path / "instances.json").write_text(json.dumps(BOXES))
    words = ("eval", "demo", "--relations", "--on", "vsr", "--truth", "dev.jsonl", "--quiet")
    status, screen, _ = call(*words, "--boxes", "instances.json", "--output", "eval.json")
    assert status == 0
    with open("eval.json") as file:
        found = json.load(file)
    assert found["reading"]["kinds"]["relations"]["recall"] == 1
    assert [one["kinds"]["relations"]["stated"] for one in found["inside"]] == [4, 4, 4]
    assert found["verdicts"]["groups"]["true"]["relations"]["predicates"]["above"]["supported"] == 1
    assert found["verdicts"]["groups"]["swapped"]["relations"]["predicates"]["below"]["contradicted"] == 1
    assert found["verdicts"]["unknown"] == {"true": 2, "false": 1, "read": 2}
    assert "while a man watches" in " ".join(screen.split())


def test_the_parts_of_the_table_add_up(own, capsys):
    """Also with those that are always undecided, such as near."""
    rows = list(map(json.loads, own.read_text().splitlines()))
    rows[0]["statements"][3]["true"] = True
    own.write_text(json.dumps(rows[0]))
    show_relations(gritmill.evaluate(MIDDLE, truth=own, relations=True))
    shown = capsys.readouterr().out.partition("verdicts on the annotated boxes")[2].splitlines()
    start = next(number for number, line in enumerate(shown) if line.startswith("true: relations"))
    cells = [line.split()[-4:] for line in shown[start : start + 3]]
    assert [line.split()[0] for line in shown[start + 1 : start + 3]] == ["left_of", "near"]
    assert [one[0] for one in cells] == ["2", "1", "1"]
    assert cells[2] == ["1", "0.0%", "0.0%", "100.0%"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"relations": True, "phrases_only": True}, "--phrases and --relations"),
        ({"detect": True}, "--detect: only with --relations"),
        ({"relations": True, "images": "photos"}, "--images: .*only with --detect"),
        ({"relations": True, "on": "refcoco"}, "--relations: refcoco has expressions"),
        ({"on": "vsr"}, "--on vsr: .*add --relations"),
        ({"relations": True, "boxes": "instances.json"}, "--boxes: jsonl has its own boxes"),
        ({"relations": True, "alone": True}, "--alone: eval --relations does not use it; leave it out"),
        ({"phrases_only": True, "nms": "caption"}, "--nms: eval --phrases does not use it; leave it out"),
        ({"phrases_only": True, "images": "photos"}, "--images: eval --phrases does not use it; leave it out"),
    ],
)
def test_options_that_do_not_fit(own, options, why):
    with pytest.raises(CallError, match=why):
        gritmill.evaluate(MIDDLE, truth=own, **options)


def test_statements_are_no_set_for_a_threshold(own, tmp_path):
    with pytest.raises(CallError, match=r"--on vsr: .*only gritmill eval --relations"):
        gritmill.calibrate(MIDDLE, truth=own, on="vsr", output=tmp_path / "out")


def test_the_bundled_scenes_have_statements():
    found = gritmill.evaluate("demo", truth=SCENES, relations=True)
    for kind, recall in (("relations", 0.9), ("counts", 0.97)):
        assert found["reading"]["kinds"][kind]["precision"] >= 0.97
        assert found["reading"]["kinds"][kind]["recall"] >= recall
    groups = found["verdicts"]["groups"]
    assert [one["contradicted"] for one in groups["true"].values()] == [0, 0]
    swapped = groups["swapped"]["relations"]
    assert swapped["contradicted"] >= 0.95 * sum(swapped[verdict] for verdict in Verdict)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (
            "000000000009.jpg",
            "000000000009.jpg is COCO's image 9; name instances_train2017.json and instances_val2017.json",
        ),
        ("9x.png", "their names, such as 9x.png, do not end with COCO's number of the image"),
    ],
)
def test_boxes_of_other_images_are_refused(tmp_path, call, name, why):
    row = {"caption": "The cup is left of the plate.", "label": 1, "relation": "left of"}
    (tmp_path / "own.jsonl").write_text(json.dumps(row | {"image": name}))
    (tmp_path / "instances.json").write_text(
        json.dumps({"images": [{"id": 8, "width": 2, "height": 2}], "categories": [], "annotations": []})
    )
    words = ("eval", "demo", "--relations", "--on", "vsr", "--truth", "own.jsonl", "--quiet")
    status, screen, lines = call(*words, "--boxes", "instances.json")
    assert (status, screen, lines) == (2, "", [f"gritmill: --boxes: 0 of 1 image of the set are in these files: {why}"])
    status, _, lines = call(*words, "--boxes", tmp_path)
    assert (status, lines) == (2, [f"gritmill: --boxes: {tmp_path}: a folder, not a file; name its file"])


@pytest.mark.parametrize("words", [("--phrases",), ("--relations",), ("--relations", "--on", "vsr"), ()])
def test_an_empty_set_measures_nothing(tmp_path, call, words):
    (tmp_path / "empty.jsonl").write_text("\n")
    status, _, lines = call("eval", "demo", "--truth", "empty.jsonl", "--quiet", *words)
    assert (status, len(lines)) == (1, 1)
    assert lines[0].startswith("gritmill: nothing was measured: ")
