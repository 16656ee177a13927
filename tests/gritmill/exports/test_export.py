"""Calls of `export`: invalid ones, and the command line."""

import shutil
from contextlib import nullcontext

import pytest

import gritmill
from gritmill.exports.export import export
from gritmill.exports.format import ExportFolder, all_parts
from gritmill.exports.odvg import Odvg
from gritmill.exports.options import ExportOptions, Level
from gritmill.main import main


def test_a_run_that_is_packed_again_meanwhile_is_not_mixed(finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path / "run")
    shard = Odvg.shard

    def packing(self, number, samples, folder):
        """As on an object store, where no lock keeps a pack out."""
        figures = shard(self, number, samples, folder)
        again = {"selection": {"score": 0.0, "boxes_per_phrase": 1}, "shards": {"pairs": 10}}
        gritmill.pack(again, output=tmp_path / "run", fresh=True)
        return figures

    monkeypatch.setattr(Odvg, "shard", packing)
    monkeypatch.setattr("pipeline.pack.driver.replacing", nullcontext)
    with pytest.raises(gritmill.EnvironmentFault, match="packed again during the export"):
        export(tmp_path / "run", "odvg", tmp_path / "out")
    monkeypatch.undo()
    assert not (tmp_path / "out" / "export.json").exists()
    with pytest.raises(gritmill.CallError, match="contains another export"):
        export(tmp_path / "run", "odvg", tmp_path / "out")


def test_a_folder_that_holds_something_else_is_left_alone(finished, tmp_path):
    (tmp_path / "README.md").write_text("my own project")
    with pytest.raises(gritmill.CallError, match="is not empty"):
        export(finished, "yolo", tmp_path)
    assert (tmp_path / "README.md").read_text() == "my own project"
    assert not list(tmp_path.glob("[!R.]*"))


def test_a_folder_of_another_export_is_refused(finished, tmp_path):
    export(finished, "odvg", tmp_path, ExportOptions(images=False))
    for name, options in (
        ("coco", ExportOptions(images=False)),
        ("odvg", ExportOptions(images=False, level=Level.CHUNKS)),
    ):
        with pytest.raises(gritmill.CallError, match="another export; use another folder"):
            export(finished, name, tmp_path, options)


def test_what_cannot_be_exported(finished, tmp_path):
    with pytest.raises(gritmill.CallError, match="lance: no such format; use one of"):
        export(finished, "lance", tmp_path)
    with pytest.raises(gritmill.CallError, match="not a finished run"):
        export(tmp_path, "odvg", tmp_path / "out")
    with pytest.raises(gritmill.CallError, match="this is the run folder"):
        export(finished, "odvg", finished)


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
    assert "--to: lance: no such format" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"[1]\n", b"7\n", b'{"a": \n', b"\xff\xfe\n", b"[" * 10_000])
def test_a_damaged_part_is_one_line_with_the_cure(tmp_path, content):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "00000.jsonl").write_bytes(b"{}\n" + content)
    with pytest.raises(gritmill.EnvironmentFault, match=r"/parts/00000\.jsonl:2: not .*; export into another folder$"):
        list(all_parts([0], ExportFolder(str(tmp_path))))
