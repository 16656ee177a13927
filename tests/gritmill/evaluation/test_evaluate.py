"""`gritmill eval` and `gritmill calibrate` from pictures to figures."""

import json
import os
import shutil

import pytest
from PIL import Image

import gritmill
from gritmill.evaluation import quality
from gritmill.evaluation.query_detector import QueryCounts, progress_state
from gritmill.evaluation.sets import flickr30k_entities, refcoco
from gritmill.evaluation.sets.truth import Truth
from pipeline.engines.progress import State
from pipeline.pack.driver import find_detections
from pipeline.tables.detections import read_all
from tests import sample_pairs
from transforms import bundled
from transforms.grit_record import uid

SCENES = bundled.folder("examples") / "scenes"
MIDDLE = {"detector": {"model": "tests.plugin_detectors:everywhere"}, "phrases": {"model": "caption-parser"}}
"""Finds every phrase at 0.25 to 0.75 with a score of 0.9."""


def row(image, *truth, absent=(), **more):
    marks = [{"text": text, "boxes": boxes, **extra} for text, boxes, extra in truth]
    return {"image": image, "caption": "", "truth": marks, "absent": list(absent), **more}


@pytest.fixture
def own(tmp_path):
    """A set of five rows: two valid pictures, one missing, one broken, one rotated by EXIF."""
    for name in ("a.png", "b.png", "side.png"):
        Image.new("RGB", (80, 40)).save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes((tmp_path / "a.png").read_bytes()[:20])
    right, half, wrong = [0.25, 0.25, 0.75, 0.75], [0.25, 0.25, 0.75, 0.5], [0.0, 0.0, 0.2, 0.2]
    dog = ("a dog", [right], {"type": "animals"})
    rows = [
        row("a.png", dog, ("two cats", [wrong, right], {"type": "animals"}), ("a sky", [], {})),
        row("b.png", ("a car", [half], {}), ("a bus", [wrong], {}), absent=["a tree", "a ship"]),
        row("gone.png", dog),
        row("broken.png", dog),
        row("side.png", dog, width=40, height=80),
    ]
    path = tmp_path / "own.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in rows))
    return path


def test_boxes_of_a_known_detector(own, tmp_path):
    found = gritmill.evaluate(MIDDLE, truth=own, output=tmp_path / "eval.json")
    assert found == json.loads((tmp_path / "eval.json").read_text())
    every, animals = found["figures"]["all"], found["figures"]["kinds"]["animals"]
    assert every["phrases"] == 4
    assert (every["acc@0.5"], every["acc@0.75"]) == (3 / 4, 2 / 4)
    assert every["mean_iou"] == pytest.approx((1 + 1 + 0.5 + 0) / 4)
    assert animals["any_box"]["recall@1"] == 1.0
    assert animals["merged_box"]["recall@1"] == 0.5  # the box around both cats is larger
    assert found["pictures"]["unusable"] == {"missing_file": 1, "other_shape": 1, "undecodable": 1}
    assert (found["pictures"]["pictures"], found["pictures"]["measured"]) == (5, 2)
    assert found["phrases"] == {"measured": 4, "without_picture": 3, "without_boxes": 1, "absent": 2}


@pytest.mark.parametrize(("nms", "right"), [("none", 3 / 4), ("phrase", 3 / 4), ("caption", 2 / 4)])
def test_suppression_before_ranking(own, nms, right):
    """With suppression across phrases, only the box of the first phrase is kept in each place."""
    found = gritmill.evaluate(MIDDLE, truth=own, nms=nms)
    assert found["figures"]["all"]["any_box"]["recall@10"] == right


def test_alone_and_together_ask_the_same_phrases(own, monkeypatch):
    together = gritmill.evaluate(MIDDLE, truth=own)
    alone = gritmill.evaluate(MIDDLE, truth=own, alone=True)
    for part in ("figures", "pictures", "phrases"):
        assert alone[part] == together[part]


def test_a_detector_that_fails_finds_nothing(tmp_path):
    for name, size in (("wide.png", (80, 40)), ("high.png", (40, 80))):
        Image.new("RGB", size).save(tmp_path / name)
    thing = ("a dog", [[0.25, 0.25, 0.75, 0.75]], {})
    (tmp_path / "own.jsonl").write_text("\n".join(json.dumps(row(name, thing)) for name in ("wide.png", "high.png")))
    fragile = {"detector": {"model": "tests.plugin_detectors:fragile"}}
    found = gritmill.evaluate(fragile, truth=tmp_path / "own.jsonl")
    assert found["figures"]["all"]["acc@0.5"] == 0.5
    assert (found["pictures"]["measured"], found["pictures"]["failed"]) == (2, 1)


def test_no_picture_at_hand(call, own):
    shutil.copy(own, "elsewhere.jsonl")
    own.with_name("empty").mkdir()
    words = ("demo", "--truth", "elsewhere.jsonl", "--images", "empty", "--quiet")
    status, _, lines = call("eval", *words, "--output", "eval.json")
    assert status == 1
    assert lines[0].startswith(
        "gritmill: nothing was measured: no image of 5 can be used: 5 missing_file, for example a.png: "
    )
    assert len(lines) == 1
    counts = json.loads(own.with_name("eval.json").read_text())
    assert (counts["figures"], counts["phrases"]["without_picture"]) == (None, 7)
    status, _, lines = call("calibrate", *words, "--output", "out")
    assert status == 1
    assert "No image could be used." in (own.parent / "out" / "calibration.html").read_text()


def test_the_bundled_scenes_and_their_table(call):
    status, screen, _ = call("eval", "demo", "--truth", SCENES, "--limit", 6, "--output", "eval.json", "--quiet")
    assert status == 0
    assert "any R@1" in " ".join(screen.split())
    assert "6 of 6 images measured" in screen
    with open("eval.json") as file:
        found = json.load(file)
    assert found["figures"]["all"]["any_box"]["recall@1"] > 0.9
    assert found["configuration"]["detector"]["floor"] == 0


def test_calibration_agrees_with_the_quality_of_a_run(tmp_path):
    """For the phrases that a run has extracted, the counts are the run's right boxes at the run's threshold."""
    gritmill.run("demo", inputs=SCENES, output=tmp_path / "run", limit=6)
    samples = {sample.record["uid"]: sample for sample in gritmill.read(tmp_path / "run")}
    rows = []
    for pair in read_all(find_detections(str(tmp_path / "run"))):
        truth = {quality.find_phrase(pair, true): true["boxes"] for true in json.loads(pair.meta)["truth"]}
        phrases = [(pair.text(one), truth.get(number, []), {}) for number, one in enumerate(pair.phrases)]
        rows.append(row(f"{pair.index}.jpg", *phrases))
        (tmp_path / f"{pair.index}.jpg").write_bytes(samples[uid(pair.source, pair.index)].jpeg)
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    counted = gritmill.calibrate("demo", truth=tmp_path / "own.jsonl", output=tmp_path / "out")["in_force"]["figures"]
    run = quality.run_quality(tmp_path / "run")
    assert run.boxes_right > 10
    assert (counted["right"], counted["phrases_with_right_box"]) == (run.boxes_right, run.located / run.extracted)


def test_calibrate_writes_the_line_to_paste(call, own):
    status, screen, _ = call("calibrate", "demo", "--truth", SCENES, "--limit", 6, "--output", "out", "--quiet")
    assert status == 0
    result = json.loads((own.parent / "out" / "calibration.json").read_text())
    assert result["paste"]["set"] in screen
    assert float(result["paste"]["yaml"].split()[-1]) == result["threshold"]
    assert result["at_threshold"]["all"]["precision"] >= 0.9
    assert {"present", "absent", "singular", "noun chunk", "one thing"} <= set(result["curves"])
    shown = (own.parent / "out" / "calibration.html").read_text()
    assert result["paste"]["set"] in shown
    low, high = result["interval"]["precision"]
    assert f"precision {low:.1%} to {high:.1%}".replace("%", " %") in shown
    assert shown.count("<svg") == 3
    before = shown
    assert call("calibrate", "demo", "--truth", SCENES, "--limit", 6, "--output", "out", "--quiet")[0] == 0
    assert (own.parent / "out" / "calibration.html").read_text() == before


def test_a_precision_that_no_threshold_gives(own, tmp_path, call):
    (tmp_path / "middle.yaml").write_text(json.dumps(MIDDLE))
    rows = [row("a.png", ("a dog", [[0.25, 0.25, 0.75, 0.75]], {})), row("b.png", absent=["a bus"])]
    own.write_text("\n".join(map(json.dumps, rows)))
    status, screen, lines = call("calibrate", "middle.yaml", "--truth", own, "--output", "out", "--precision", 0.99)
    assert status == 1
    assert lines == ["gritmill: no threshold gives a precision of 0.99: the highest is 0.500, at 0.05"]
    assert "active threshold: 0.25" in screen
    result = json.loads((tmp_path / "out" / "calibration.json").read_text())
    assert (result["threshold"], result["paste"]) == (None, None)
    assert result["reliability"]["bins"] == [
        {"from": 0.85, "to": 0.9, "boxes": 2, "mean_score": pytest.approx(0.9), "precision": 0.5}
    ]


def test_what_comes_from_data_is_escaped_in_the_page(own, tmp_path):
    rows = own.read_text().replace('"animals"', '"<script>x</script>"')
    own.write_text(rows)
    gritmill.calibrate(MIDDLE, truth=own, output=tmp_path / "out", precision=0.4)
    shown = (tmp_path / "out" / "calibration.html").read_text()
    assert "&lt;script&gt;x" in shown
    assert "<script" not in shown


def test_flickr30k_entities_from_the_files_as_published(call, tmp_path):
    """The box of the man, 51 to 151 and 26 to 76 of 200 x 100 pixels from 1, is the detector's to the pixel."""
    for name in ("Sentences", "Annotations", "pictures"):
        (tmp_path / "flickr" / name).mkdir(parents=True)
    corners = "<xmin>51</xmin><ymin>26</ymin><xmax>151</xmax><ymax>76</ymax>"
    thing = f"<object><name>5</name><bndbox>{corners}</bndbox></object>"
    size = "<size><width>200</width><height>100</height></size>"
    for name in ("1", "2"):
        (tmp_path / "flickr" / "Sentences" / f"{name}.txt").write_text(
            "[/EN#5/people A man] by [/EN#6/scene the sea]\n"
        )
        (tmp_path / "flickr" / "Annotations" / f"{name}.xml").write_text(f"<annotation>{size}{thing}</annotation>")
    Image.new("RGB", (200, 100)).save(tmp_path / "flickr" / "pictures" / "1.jpg")
    (tmp_path / "flickr" / "val.txt").write_text("1\n2\n")
    (tmp_path / "middle.yaml").write_text(json.dumps(MIDDLE))
    words = ("middle.yaml", "--on", "flickr30k", "--truth", "flickr", "--split", "val", "--images", "flickr/pictures")
    status, screen, _ = call("eval", *words, "--output", "eval.json", "--quiet")
    assert status == 0
    assert "1 of 2 images measured\n  1 missing_file, for example 2.jpg: " in screen
    found = json.loads((tmp_path / "eval.json").read_text())
    assert found["phrases"] == {"measured": 1, "without_picture": 1, "without_boxes": 2, "absent": 0}
    assert found["figures"]["kinds"]["people"]["mean_iou"] == 1.0


def test_refcoco_from_a_list(call, tmp_path):
    Image.new("RGB", (200, 100)).save(tmp_path / "a_1.jpg")
    row = {"img_id": "a_1_7", "sents": "the man", "bbox": [50, 25, 100, 50], "height": 100, "width": 200}
    (tmp_path / "ref_val.json").write_text(json.dumps([row, {**row, "sents": "him", "bbox": [0, 0, 20, 20]}]))
    (tmp_path / "middle.yaml").write_text(json.dumps(MIDDLE))
    words = ("middle.yaml", "--on", "refcoco", "--truth", "ref_val.json", "--images", ".", "--output", "eval.json")
    status, screen, _ = call("eval", *words)
    assert status == 0
    assert "Acc@0.5" in screen
    found = json.loads((tmp_path / "eval.json").read_text())["figures"]["kinds"]["ref_val"]
    assert (found["phrases"], found["acc@0.5"], found["acc@0.75"], found["mean_iou"]) == (2, 0.5, 0.5, 0.5)


def test_phrases_alone_need_no_picture(call, own):
    marks = [{"start": 0, "end": 5}, {"start": 6, "end": 10}]  # the second one is "near"
    own.write_text(json.dumps({"image": "gone.png", "caption": "A dog near a cat", "truth": marks}))
    status, screen, _ = call("eval", "demo", "--truth", own, "--phrases", "--output", "eval.json")
    assert status == 0
    assert "no noun phrase there" in screen
    figures = json.loads((own.parent / "eval.json").read_text())["figures"]
    assert (figures["precision"], figures["recall"]) == (0.5, 0.5)


def test_progress_counts_pictures_and_ends_at_all_of_them():
    truth, counts = Truth(4, iter(())), QueryCounts()
    assert progress_state(truth, counts, set()) == State(0, 0.0)
    assert progress_state(truth, counts, {"a", "b"}) == State(2, 0.5)
    counts.pictures, counts.last_picture = 3, "c"
    assert progress_state(truth, counts, {"c", "d"}) == State(4, 1.0)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("eval", "--truth", "own.jsonl", "--on", "refcoco", "--phrases"), "--phrases: refcoco has expressions"),
        (("eval", "--truth", "own.jsonl", "--phrases", "--nms", "none"), "--nms: eval --phrases does not use it"),
        (("eval", "--truth", "no.jsonl"), "--truth: no.jsonl: no such file"),
        (("eval", "--truth", "own.jsonl", "--images", "no"), "--images: no: no such folder"),
        (("eval", "--truth", "own.jsonl", "--set", "detector.model=no-such"), "detector.model: no-such: no such"),
        (("calibrate", "--truth", "own.jsonl", "--output", "x", "--precision", "0"), "--precision: 0: must be above 0"),
    ],
)
def test_wrong_calls(call, own, words, line):
    status, _, lines = call(words[0], "demo", *words[1:])
    assert (status, len(lines)) == (2, 1)
    assert lines[0].startswith(f"gritmill: {line}")


def test_wrong_words_from_python(own):
    for wrong, line in (({"on": "coco"}, "--on"), ({"nms": "x"}, "--nms"), ({"limit": 0}, "--limit")):
        with pytest.raises(gritmill.CallError, match=line):
            gritmill.evaluate("demo", **{"truth": own, **wrong})
    with pytest.raises(gritmill.CallError, match="no path given"):
        gritmill.evaluate("demo", truth=[])


@pytest.mark.parametrize(
    ("output", "what"),
    [("folder", "a folder; name a file"), ("pipe", "not a file; name a file"), ("stream", "not a file; name a file")],
)
def test_an_output_that_is_no_file_is_refused_before_the_work(call, own, tmp_path, output, what):
    """A new file would replace a device or a pipe, as with --output /dev/stdout."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "stream").symlink_to("/proc/self/fd/1")
    status, screen, lines = call("eval", "demo", "--truth", own, "--phrases", "--output", tmp_path / output)
    assert (status, screen, lines) == (2, "", [f"gritmill: --output: {tmp_path / output}: {what}"])
    assert not (tmp_path / output).is_file() or (tmp_path / output).is_symlink()


def test_annotations_are_not_replaced_by_the_figures(call, own):
    before = own.read_bytes()
    status, _, lines = call("eval", "demo", "--truth", own, "--phrases", "--output", own)
    what = "gritmill eval did not write it, and would replace it; name another file"
    assert (status, lines) == (2, [f"gritmill: --output: {own}: {what}"])
    assert own.read_bytes() == before


@pytest.fixture(scope="module")
def run(tmp_path_factory, grounding_dino):
    folder = tmp_path_factory.mktemp("run")
    config = sample_pairs.settings("caption-parser", grounding_dino, selection={"score": 0.0, "boxes_per_phrase": 1})
    gritmill.run(config, inputs=sample_pairs.as_tars(sample_pairs.drawn(6), folder / "in"), output=folder / "run")
    return folder / "run"


def test_our_own_exports_are_read_back(run, tmp_path):
    """The boxes of every record, through Flickr30k Entities' whole pixels and RefCOCO's x, y, width, height."""
    records = {sample.key: sample.record for sample in gritmill.read(run)}
    gritmill.export(run, "flickr30k-entities", tmp_path / "flickr")
    gritmill.export(run, "refcoco", tmp_path / "refcoco")
    flickr = list(flickr30k_entities.load([str(tmp_path / "flickr")], None, "train").captions)
    refs = list(refcoco.load([str(tmp_path / "refcoco" / "refcoco")], None, "train").captions)
    assert [caption.picture for caption in flickr] == sorted(records)
    assert len(refs) == sum(len(record["ref_exps"]) for record in records.values())
    for caption in [*flickr, *refs]:
        record = records[caption.picture.rpartition("/")[2].removesuffix(".jpg")]
        drawn = {record["caption"][int(r[0]) : int(r[1])].lower(): r[2:6] for r in record["ref_exps"]}
        assert caption.pair.error is None
        for phrase in caption.phrases:
            (box,) = phrase.boxes
            assert box == pytest.approx(drawn[phrase.text.lower()], abs=1.5 / min(caption.width, caption.height))
