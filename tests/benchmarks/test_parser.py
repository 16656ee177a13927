import hashlib
import json

import pytest

from benchmarks import parser
from training.caption_parser.hand_marks import read_marks
from training.caption_parser.silver import text_key
from transforms import bundled

CAPTIONS = {
    "coco": ("id\tcaption", ["7\ta dog on a mat", "8\ttwo cats"]),
    "laion": ("caption", ["a red hat", "Blue Mug"]),
}
MARKED = {"coco": ("coco", 1, [[0, 8]]), "web": ("laion", 0, [[0, 9]])}


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """TSVs with four captions, and marks of two of them that a parser finds."""
    marks, tables = tmp_path / "marks", tmp_path / "captions"
    marks.mkdir()
    tables.mkdir()
    for name, (header, rows) in CAPTIONS.items():
        (tables / f"{name}.tsv").write_text("\n".join([header, *rows]) + "\n")
    for name, (table, row, phrases) in MARKED.items():
        caption = CAPTIONS[table][1][row].split("\t")[-1]
        sha256 = hashlib.sha256(caption.encode()).hexdigest()
        line = {"row": row, "sha256": sha256, "key": text_key(caption), "phrases": phrases, "neutral": []}
        (marks / f"{name}.jsonl").write_text(json.dumps(line) + "\n")
    for name in ("test", "dev"):
        (marks / f"{name}.jsonl").write_text((marks / "web.jsonl").read_text().replace('"row": 0', '"row": 1'))
    for name, value in (("MARKS", marks), ("_FILES", ("coco", "web", "test")), ("_ROUNDS", 1)):
        monkeypatch.setattr(parser, name, value)
    monkeypatch.setattr(parser, "OFFICIAL", "no_such_package")
    return marks, tables


def test_marks_are_read_with_the_tsv_that_has_their_captions(folders):
    marks, tables = folders
    found = {name: parser._marked(name, sorted(tables.glob("*.tsv"))) for name in ("coco", "web", "test")}
    assert found["coco"] == read_marks(marks / "coco.jsonl", tables / "coco.tsv")
    assert [item.caption for item in found["web"]] == ["a red hat"]
    assert found["test"] is None


def test_texts_are_of_the_tsvs_before_the_photos(folders):
    _, tables = folders
    assert parser._texts(sorted(tables.glob("*.tsv")), None) == ["a dog on a mat", "two cats", "a red hat", "Blue Mug"]
    assert len(parser._texts([], None)) == 100


def test_both_pipelines_are_measured_on_marks_and_speed(folders, tmp_path):
    """The "official" one is the embedded one here, so both have the same figures."""
    _, tables = folders
    rows = parser.measure(tmp_path, None, tables, bundled.folder("models") / "caption-parser")
    assert [(row.value, row.goal) for row in rows[:4]] == [
        ("embedded 1.000, official 1.000", ""),
        ("embedded 1.000, official 1.000", ""),
        ("skipped", ""),
        ("embedded 1.000, official 1.000", "at least 0.88"),
    ]
    assert all(row.value.endswith(" times") and float(row.value.split()[0]) > 0 for row in rows[4:])
    assert [row.goal for row in rows[4:]] == ["at least 1.3"] * 2


def test_without_the_official_pipeline_and_marks_the_rest_is_measured(folders, tmp_path):
    rows = parser.measure(tmp_path, None)
    assert [row.value for row in rows] == ["skipped"] * 6
    assert all("official" not in row.detail and "embedded" in row.detail for row in rows[4:])
