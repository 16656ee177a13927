"""`gritmill calibrate --clicks` from a file to what is written and printed."""

import json

import pytest

import gritmill
from pipeline.faults import CallError
from tests.gritmill.clicks.made import made, write

HUNDRED = ["no"] * 40 + ["yes"] * 60


def test_the_threshold_is_written_and_printed(call, tmp_path):
    write(tmp_path, made(HUNDRED))
    status, screen, lines = call("calibrate", "--clicks", "clicks.json", "--output", "out", "--precision", 0.95)
    assert (status, lines) == (0, [])
    result = json.loads((tmp_path / "out/calibration.json").read_text())
    assert result["clicks"] == {"asked": 100, "answers": 100, "yes": 60, "no": 40, "skipped": 0}
    assert 0.3 < result["threshold"] < 0.45
    assert 0.35 < result["best_f1"]["threshold"] < 0.45
    low, high = result["interval"]["precision"]
    assert 0.7 < low < result["precision"] < high < 0.95  # of 700 boxes from 0.3 on, those from 0.4 on are right
    assert result["at_threshold"]["precision"] >= 0.95
    assert result["notes"] == []
    for line in (
        "100 of 100 boxes answered: 60 yes, 40 no, 0 skipped",
        f"  --set selection.score={result['threshold']:g}",
        f"  --set selection.score={result['best_f1']['threshold']:g}",
        f"for a finished run: gritmill pack CONFIG --output RUN --fresh --set selection.score={result['threshold']:g}",
        "curves in out",
    ):
        assert line in screen.splitlines()
    assert "lowest possible" not in screen
    page = (tmp_path / "out/calibration.html").read_text()
    assert f"selection.score={result['threshold']:g}" in page
    for low, high in (result["interval"]["precision"], result["best_f1"]["interval"]["f1"]):
        assert f"<td>{low:.1%} to {high:.1%}</td>".replace("%", " %") in page


def test_a_precision_at_the_lowest_score_is_marked(call, tmp_path):
    write(tmp_path, made(["yes"] * 60))
    _, screen, _ = call("calibrate", "--clicks", "clicks.json", "--output", "out")
    (line,) = (line for line in screen.splitlines() if line.startswith("threshold for a precision of 0.9"))
    assert line.startswith("threshold for a precision of 0.9: 0.05, 95 % interval 0.05 to ")
    assert line.endswith(" (the lowest possible: detector.floor)")


def test_the_same_answers_give_the_same_bytes_and_the_json_object(call, tmp_path):
    write(tmp_path, made(HUNDRED))
    result = gritmill.calibrate(clicks=tmp_path / "clicks.json", output=tmp_path / "one")
    _, screen, _ = call("calibrate", "--clicks", "clicks.json", "--output", "two", "--json")
    one, two = ((tmp_path / name / "calibration.json").read_bytes() for name in ("one", "two"))
    assert one == two
    assert json.loads(one) == result
    del result["curves"]
    assert json.loads(screen) == result | {"folder": "two", "status": 0}


def test_a_run_whose_scores_are_all_equal_has_a_precision(tmp_path):
    write(tmp_path, made(["yes", "yes", "no"] * 30, score=lambda place: 1.0))
    result = gritmill.calibrate(clicks=tmp_path / "clicks.json", output=tmp_path / "out")
    (group,) = result["groups"]
    assert (group["answers"], group["yes"], group["to"]) == (90, 60, 1.0)
    assert result["curves"]["all"][-1]["precision"] == pytest.approx(2 / 3, abs=0.06)


@pytest.mark.parametrize(
    ("answers", "notes"),
    [
        (["yes", "no", "yes"] * 5, ["indicative: 15 answers yes or no, fewer than 40"]),
        (["no", "yes"] * 25 + ["skipped"] * 30, ["30 boxes of 80 skipped: if these are worse, precision is lower"]),
        (["yes"] * 50, ["every answer is yes: the answers do not tell where the chance changes"]),
        (["no"] * 50, ["every answer is no: the answers do not tell where the chance changes"]),
    ],
)
def test_what_is_missing_is_said(tmp_path, answers, notes):
    write(tmp_path, made([None, *answers]))
    result = gritmill.calibrate(clicks=tmp_path / "clicks.json", output=tmp_path / "out")
    assert [note for note in result["notes"] if not note.startswith("the best F1 is at")] == notes
    page = (tmp_path / "out/calibration.html").read_text()
    assert all(note in page for note in notes)


def test_where_the_run_has_no_boxes_its_precision_is_unknown(call, tmp_path):
    write(tmp_path, made(HUNDRED, score=lambda place: 0.8 * place, threshold=0.95, most=0.8))
    status, screen, _ = call("calibrate", "--clicks", "clicks.json", "--output", "out")
    result = json.loads((tmp_path / "out/calibration.json").read_text())
    assert (status, result["precision"], result["interval"]["precision"]) == (0, None, [None, None])
    assert "active threshold: 0.95 (measured): the run has no boxes" in screen.splitlines()
    assert result["at_threshold"]["precision"] >= 0.9
    page = (tmp_path / "out/calibration.html").read_text()
    assert "<td>0.95</td><td>–</td><td>–</td><td>–</td><td>0.0 %</td>" in page


def test_no_threshold_is_precise_enough(call, tmp_path):
    write(tmp_path, made(["no", "yes", "no"] * 30))
    status, screen, lines = call("calibrate", "--clicks", "clicks.json", "--output", "out")
    assert status == 1
    assert lines[0].startswith("gritmill: no threshold gives a precision of 0.9: the highest is 0.")
    best = json.loads((tmp_path / "out/calibration.json").read_text())["best_f1"]["threshold"]
    assert f"pack CONFIG --output RUN --fresh --set selection.score={best:g}" in screen
    assert (tmp_path / "out/calibration.html").is_file()


@pytest.mark.parametrize("answers", [[None, None], ["skipped", None], ["skipped"], []])
def test_without_an_answer_nothing_is_written(call, tmp_path, answers):
    write(tmp_path, made(answers))
    status, screen, lines = call("calibrate", "--clicks", "clicks.json", "--output", "out")
    assert (status, screen, len(lines)) == (1, "", 1)
    assert "nothing was measured: none of " in lines[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--clicks", "none.json"), "--clicks: none.json: no such file; the page of gritmill view saves it"),
        (("--clicks", "a", "--truth", "b"), "--truth and --clicks: give only one of them"),
        (("--clicks", "a", "--without-truth", "b"), "--without-truth and --clicks: give only one of them"),
        ((), "--truth: is missing; name a set with true boxes, a run with --without-truth, or answers with --clicks"),
    ],
)
def test_wrong_calls(call, words, said):
    status, _, lines = call("calibrate", *words, "--output", "out")
    assert (status, lines) == (2, [f"gritmill: {said}"])


def test_a_precision_of_zero_is_refused(tmp_path):
    write(tmp_path, made(HUNDRED))
    with pytest.raises(CallError, match="--precision: 0: must be above 0"):
        gritmill.calibrate(clicks=tmp_path / "clicks.json", output=tmp_path / "out", precision=0)


@pytest.mark.parametrize("words", [("--clicks", "clicks.json"), ("--without-truth", "run"), ("--truth", "clicks.json")])
@pytest.mark.parametrize(("output", "what"), [("file", "a file, not a folder"), ("file/below", "{}/file is a file")])
def test_a_file_as_the_folder_is_named_before_anything_is_read(call, tmp_path, words, output, what):
    write(tmp_path, made(HUNDRED))
    (tmp_path / "file").write_text("mine")
    status, screen, lines = call("calibrate", *words, "--output", output)
    assert (status, screen) == (2, "")
    said = f"--output: {tmp_path / output}: {what.format(tmp_path)}; name a folder that can be made and written"
    assert lines == [f"gritmill: {said}"]
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("way", "words", "said"),
    [
        *(
            ("--clicks", words, f"{words[0]}: calibrate --clicks does not use it")
            for words in (
                ("--limit", 3),
                ("--on", "vsr"),
                ("--on", "jsonl"),  # the default, given
                ("--images", "photos"),
                ("--split", "val"),
                ("--seed", 1),
                ("--seed", 0),
            )
        ),
        ("--clicks", ("--set", "selection.score=0.4"), "--set: selection.score: calibrate --clicks does not use it"),
        ("--clicks", ("demo",), "CONFIG: calibrate --clicks does not use it"),
        ("--clicks", ("grit",), "CONFIG: calibrate --clicks does not use it"),
        *(
            ("--without-truth", words, f"{words[0]}: calibrate --without-truth does not use it")
            for words in (
                ("--precision", 0.8),
                ("--precision", 0.9),
                ("--on", "refcoco"),
                ("--images", "photos"),
                ("--split", "val"),
            )
        ),
        (
            "--without-truth",
            ("--set", "selection.score=0.4", "detector.floor=0.2"),
            "--set: detector.floor: calibrate --without-truth, which uses only selection, does not use it",
        ),
    ],
)
def test_what_a_way_does_not_use_is_refused(call, tmp_path, way, words, said):
    write(tmp_path, made(HUNDRED))
    status, screen, lines = call("calibrate", *words, way, "clicks.json", "--output", "out")
    assert (status, screen, lines) == (2, "", [f"gritmill: {said}; leave it out"])
    assert not (tmp_path / "out").exists()


def test_what_python_does_not_use_is_refused_too(tmp_path):
    write(tmp_path, made(HUNDRED))
    for given in ({"limit": 3}, {"seed": 1}, {"config": {"selection": {"score": 0.4}}}):
        with pytest.raises(CallError, match="calibrate --clicks does not use it"):
            gritmill.calibrate(clicks=tmp_path / "clicks.json", output=tmp_path / "out", **given)
    gritmill.calibrate("grit", clicks=tmp_path / "clicks.json", output=tmp_path / "out", limit=None, seed=0)
