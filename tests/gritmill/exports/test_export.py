"""What all formats share: resumption, refusals, the data card, the command line."""

import json
import shutil

import pytest
import yaml

import gritmill
from gritmill.exports import FORMATS
from gritmill.exports.export import export
from gritmill.exports.format import ExportFolder
from gritmill.exports.odvg import Odvg
from gritmill.exports.options import Level, Options
from gritmill.main import main
from pipeline.files import publish
from tests import sample_pairs

EVERY = sorted(FORMATS)


@pytest.mark.parametrize("name", EVERY)
def test_the_same_run_gives_the_same_bytes_however_often_it_was_interrupted(finished, tmp_path, monkeypatch, name):
    export(finished, name, tmp_path / "whole")
    opened, left = publish._by_rename, {"files": 0}

    def dying(path):
        left["files"] -= 1
        if left["files"] < 0:
            raise KeyboardInterrupt
        return opened(path)

    monkeypatch.setattr(publish, "_by_rename", dying)
    for attempt in range(1, 30):
        left["files"] = 4 * attempt
        try:
            export(finished, name, tmp_path / "torn")
            break
        except KeyboardInterrupt:
            assert not (tmp_path / "torn" / "export.json").exists()
    assert attempt > 1
    assert sample_pairs.files_of(tmp_path / "torn", "**/*") == sample_pairs.files_of(tmp_path / "whole", "**/*")


def test_a_run_that_is_packed_again_meanwhile_is_not_mixed(finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path / "run")
    shard = Odvg.shard

    def packing(self, number, samples, folder):
        figures = shard(self, number, samples, folder)
        again = {"selection": {"score": 0.0, "boxes_per_phrase": 1}, "shards": {"pairs": 10}}
        gritmill.pack(again, output=tmp_path / "run", fresh=True)
        return figures

    monkeypatch.setattr(Odvg, "shard", packing)
    with pytest.raises(gritmill.EnvironmentFault, match="packed again meanwhile"):
        export(tmp_path / "run", "odvg", tmp_path / "out")
    monkeypatch.undo()
    assert not (tmp_path / "out" / "export.json").exists()
    with pytest.raises(gritmill.CallError, match="holds another export"):
        export(tmp_path / "run", "odvg", tmp_path / "out")


def test_a_folder_that_holds_something_else_is_left_alone(finished, tmp_path):
    (tmp_path / "README.md").write_text("my own project")
    with pytest.raises(gritmill.CallError, match="is not empty"):
        export(finished, "yolo", tmp_path)
    assert (tmp_path / "README.md").read_text() == "my own project"
    assert not list(tmp_path.glob("[!R.]*"))


@pytest.mark.parametrize("name", EVERY)
def test_a_run_without_a_sample(tmp_path, parser, name):
    (tmp_path / "none.jsonl").write_text("")
    gritmill.run(
        sample_pairs.settings(parser, "tests.plugin_detectors:factory"),
        inputs=tmp_path / "none.jsonl",
        output=tmp_path / "run",
    )
    assert export(tmp_path / "run", name, tmp_path / "out")["figures"].get("samples", 0) == 0
    assert "size_categories" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize("name", EVERY)
def test_a_second_call_does_nothing(finished, tmp_path, monkeypatch, name):
    first = export(finished, name, tmp_path)
    monkeypatch.setattr(ExportFolder, "write", None)
    assert export(finished, name, tmp_path) == first
    assert first["figures"]["samples"] in (29, 30)


def test_a_folder_of_another_export_is_refused(finished, tmp_path):
    export(finished, "odvg", tmp_path, Options(images=False))
    for name, options in (("coco", Options(images=False)), ("odvg", Options(images=False, level=Level.CHUNKS))):
        with pytest.raises(gritmill.CallError, match="another export; use another folder"):
            export(finished, name, tmp_path, options)


def test_what_cannot_be_exported(finished, tmp_path):
    with pytest.raises(gritmill.CallError, match="no format lance; there are"):
        export(finished, "lance", tmp_path)
    with pytest.raises(gritmill.CallError, match="no finished run"):
        export(tmp_path, "odvg", tmp_path / "out")
    with pytest.raises(gritmill.CallError, match="the run itself lies there"):
        export(finished, "odvg", finished)


@pytest.mark.parametrize("name", EVERY)
def test_the_data_card_says_where_the_data_comes_from(finished, tmp_path, name):
    export(finished, name, tmp_path)
    _, head, text = (tmp_path / "README.md").read_text().split("---\n", 2)
    values = yaml.safe_load(head)
    assert values["size_categories"] == ["n<1K"]
    assert name in values["tags"]
    manifest = json.loads((finished / "manifest.json").read_text())
    for word in (*manifest["fingerprints"].values(), *(manifest["models"][part] for part in ("detector", "phrases"))):
        assert f"`{word}`" in text
    assert json.loads((tmp_path / "export.json").read_text())["run"]["fingerprints"] == manifest["fingerprints"]


def test_the_command_line(finished, tmp_path, capsys):
    words = ["export", str(finished), "--to", "odvg", "--output", str(tmp_path / "out"), "--no-images"]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--phrases", "chunks"])
    assert ended.value.code == 0
    assert "30  samples" in capsys.readouterr().out
    assert not (tmp_path / "out" / "images").exists()
    with pytest.raises(SystemExit) as ended:
        main([*words[:3], "lance", *words[4:]])
    assert ended.value.code == 2
    assert "--to: no format lance" in capsys.readouterr().err
