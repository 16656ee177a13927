"""`clicks.json`: what is refused, in one line."""

import json

import pytest

from gritmill.clicks.clicks_file import read_clicks
from pipeline.faults import CallError
from tests.gritmill.clicks.made import made, write


def test_it_is_read_as_it_was_written_and_answers_may_change(tmp_path):
    clicks = made(["yes", "no", None, "skipped"])
    path = write(tmp_path, clicks)
    assert read_clicks(str(path)) == clicks
    # JavaScript writes 1.0 as 1, in an order of its own.
    content = json.loads(path.read_text())
    content["thresholds"]["score"][-1] = 1
    content["boxes"][2]["answer"] = "no"
    path.write_text(json.dumps(dict(reversed(content.items()))))
    assert [one.answer for one in read_clicks(str(path)).boxes] == ["yes", "no", "no", "skipped"]


def changed(*path, value):
    def change(content):
        *folders, name = path
        for folder in folders:
            content = content[folder]
        content[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed("boxes", 0, "score", value=0.99), "more than the answers has changed"),
        (changed("thresholds", "boxes", 3, value=0), "more than the answers has changed"),
        (changed("run", value="other"), "more than the answers has changed"),
        (changed("boxes", 0, "answer", value="maybe"), "boxes.0.answer: Input should be 'yes', 'no' or 'skipped'"),
        (changed("boxes", 0, "answer", value=True), "boxes.0.answer: Input should be 'yes', 'no' or 'skipped'"),
        (changed("boxes", 0, "score", value="0.5"), "boxes.0.score: Input should be a valid number"),
        (changed("boxes", 0, "score", value=7), "boxes.0.score: Input should be less than or equal to 1"),
        (changed("boxes", 0, "note", value="?"), "boxes.0.note: Extra inputs are not permitted"),
        (changed("gritmill_clicks", value=2), "gritmill_clicks: Input should be 1"),
        (changed("thresholds", "score", value=[]), "thresholds: score must rise"),
        (lambda content: content["boxes"].append(content["boxes"][0]), "more than the answers has changed"),
        (lambda content: content["boxes"].pop(), "more than the answers has changed"),
        (lambda content: content.pop("digest"), "digest: Field required"),
    ],
)
def test_a_file_that_was_edited_is_refused(tmp_path, change, said):
    path = write(tmp_path, made(["yes", "no"]))
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(CallError) as refused:
        read_clicks(str(path))
    assert str(refused.value).startswith(f"--clicks: {path}: not a file of answers: {said}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"boxes": []}', "\x00", '{"a": NaN}'])
def test_another_file_is_refused(tmp_path, text):
    (tmp_path / "other").write_text(text)
    with pytest.raises(CallError, match="not a file of answers"):
        read_clicks(str(tmp_path / "other"))


def test_bytes_that_are_no_text_a_folder_and_no_file(tmp_path):
    (tmp_path / "other").write_bytes(b"\xff\xfe\x00")
    for name, said in (("other", "not a file of answers"), (".", "it is a folder"), ("none", "no such file")):
        with pytest.raises(CallError, match=said):
            read_clicks(str(tmp_path / name))
