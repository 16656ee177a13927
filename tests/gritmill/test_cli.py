"""Calls as a user makes them: what they print, their exit status, and that a bad one leaves nothing half-written."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from gritmill.cli import _repeated, _split, main
from pipeline.lock import hold
from tests import made


@pytest.fixture
def call(tmp_path, parser, capfd, monkeypatch):
    """Runs `gritmill` in this process; gives exit status and the lines on standard error."""
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "own.yaml"
    config.write_text(yaml.safe_dump(made.settings(parser, "tests.outside:factory")))

    def run(*words):
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        return ended.value.code, capfd.readouterr().err.splitlines()

    return run


@pytest.fixture
def tars(tmp_path):
    return made.as_tars(made.drawn(10), tmp_path / "in")


def test_run_pack_validate(call, tars, tmp_path, capfd):
    assert call("run", "own.yaml", "--input", tars, "--output", "out") == (0, [])
    assert call("pack", "own.yaml", "--output", "two", "--detections", "out", "--set", "selection.score=0.85") == (
        0,
        [],
    )
    status, lines = call("validate", "out", "--limit", "3")
    assert (status, lines) == (0, ["3 samples read, 0 faults"])


def test_several_inputs_as_a_shell_expands_them(call, tars, tmp_path):
    paths = sorted(map(str, (tmp_path / "in").glob("*.tar")))
    words = ("--set", "chunk.pairs=4", "selection.score=0.1", "--output", "out")
    assert call("run", "own.yaml", "--input", *paths, *words)[0] == 0
    assert len(list((tmp_path / "out/detections").glob("0*"))) == 2


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--set", "selection.scor=1"], "selection.scor: no such key; do you mean selection.score?"),
        (["--set", "selection.score=3"], "selection.score: 3: input should be less than or equal to 1"),
        (["--set", "chunk=3"], "chunk: 3: "),
        (["--set", "shards.pairs=20000"], "shards.pairs: 20000"),
        (["--set", "detector.device=tpu"], "detector.device: 'tpu'"),
        (["--set", "detector.device=cpu", "detector.precision=float16"], "detector: precision float16"),
        (["--set", "text.dialect=klingon"], "text.dialect: no dialect klingon; there are cogvlm, ferret, "),
        (["--set", "phrases.drop_lists=[nonsense]"], "phrases.drop_lists: no list nonsense"),
        (["--set", "phrases.model=/none"], "phrases.model: /none"),
        (["--set", "detector.model=/none"], "detector.model: /none: no such folder"),
        (["--set", "detector.model=no.such:factory"], "detector.model: no.such:factory cannot be loaded"),
        (["--set", "nonsense"], "--set: nonsense: not of the form section.key=value"),
        (["--limit", "0"], "--limit"),
        (["--", "--bogus=1"], "--bogus=1: no such Beam option"),
    ],
)
def test_a_wrong_setting_is_one_line_and_nothing_is_written(call, tars, tmp_path, words, line):
    status, lines = call("run", "own.yaml", "--input", tars, "--output", "out", *words)
    assert status == 2
    assert len(lines) == 1
    assert line in lines[0]
    assert not list((tmp_path / "out").glob("[!.]*"))


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("none.tar", "none.tar: no such file"),
        ("none*.tar", "none*.tar: matches no file"),
        ("no.tar", "no.tar: not a tar"),
        ("no.parquet", "no.parquet: not a parquet file"),
        ("no.json", "no.json: not a COCO captions file"),
        ("own.yaml", "own.yaml: cannot tell its kind by its name"),
        ("table.csv", "source.columns.caption: "),
        ("gs://bucket/x.tar", "needs pip install 'gritmill[gcp]'"),
    ],
)
def test_a_wrong_input_is_one_line_and_nothing_is_written(call, tmp_path, given, line):
    for name in ("no.tar", "no.parquet", "no.json"):
        (tmp_path / name).write_text("nothing of the kind")
    (tmp_path / "table.csv").write_text("image,words\na.jpg,a dog\n")
    status, lines = call("run", "own.yaml", "--input", given, "--output", "out")
    assert status == 2
    assert len(lines) == 1
    assert line in lines[0]
    assert not list((tmp_path / "out").glob("[!.]*"))


@pytest.mark.parametrize("key", ["detector.model", "phrases.model"])
def test_a_model_that_cannot_be_had_is_told_before_any_input_is_looked_at(call, key):
    status, (line,) = call("run", "own.yaml", "--input", "none.tar", "--output", "out", "--set", f"{key}=/none")
    assert status == 2
    assert line.startswith(f"gritmill: {key}: /none")


def test_a_folder_of_another_fingerprint_is_refused(call, tars, tmp_path):
    assert call("run", "own.yaml", "--input", tars, "--output", "out")[0] == 0
    before = made.files_of(tmp_path / "out", "**/*")
    status, lines = call("run", "own.yaml", "--input", tars, "--output", "out", "--set", "detector.floor=0.2")
    assert status == 2
    assert len(lines) == 1
    assert "detector.floor differs" in lines[0]
    assert made.files_of(tmp_path / "out", "**/*") == before


def test_a_missing_configuration(call, tars):
    assert call("run", "none.yaml", "--input", tars, "--output", "out") == (
        2,
        ["gritmill: CONFIG: none.yaml: no such file"],
    )
    status, lines = call("run", "none", "--input", tars, "--output", "out")
    assert status == 2
    assert "there are cluster, demo, grit" in lines[0]


def test_a_missing_option_names_itself(call):
    status, lines = call("run", "own.yaml", "--output", "out")
    assert (status, len(lines)) == (2, 1)
    assert "--input" in lines[0]


def test_too_many_failed_pairs_are_status_1_with_the_outputs_published(call, tmp_path):
    pictures = made.drawn(10)
    made.as_jsonl(pictures, tmp_path / "in")
    (tmp_path / "in/images/00003.jpg").write_bytes(b"<html>")
    words = ("run", "own.yaml", "--input", "in/pairs.jsonl", "--output", "out")
    status, lines = call(*words)
    assert status == 1
    assert "1 of 10 pairs failed" in lines[0]
    assert (tmp_path / "out/manifest.json").exists()
    assert call(*words, "--max-failed", "0.1") == (0, [])


def test_a_source_fault_is_status_1_unless_allowed(call, tars, tmp_path):
    tar = tmp_path / "in" / "00001.tar"
    tar.write_bytes(tar.read_bytes()[:9000])
    words = ("run", "own.yaml", "--input", tars, "--output", "out")
    status, lines = call(*words)
    assert status == 1
    assert "00001.tar: cut or broken at byte" in lines[0]
    assert call(*words, "--allow-source-faults") == (0, [])


def test_a_container_that_vanishes_between_ground_and_pack(call, tars, tmp_path):
    assert call("ground", "own.yaml", "--input", tars, "--output", "out")[0] == 0
    (tmp_path / "in/00001.tar").rename(tmp_path / "elsewhere")
    status, lines = call("pack", "own.yaml", "--output", "out")
    assert (status, len(lines)) == (3, 1)
    assert f"{tmp_path}/in/00001.tar: no such file" in lines[0]
    assert not (tmp_path / "out/shards").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "in/00001.tar")
    assert call("pack", "own.yaml", "--output", "out") == (0, [])


@pytest.mark.parametrize("command", ["run", "ground", "pack"])
def test_a_second_run_is_refused_while_the_first_one_lives(call, tars, tmp_path, command):
    assert call("run", "own.yaml", "--input", tars, "--output", "out")[0] == 0
    before = made.files_of(tmp_path / "out", "**/*")
    words = () if command == "pack" else ("--input", tars)
    with hold(str(tmp_path / "out")):
        status, lines = call(command, "own.yaml", *words, "--output", "out")
    assert (status, len(lines)) == (2, 1)
    assert "another run is at work here" in lines[0]
    assert made.files_of(tmp_path / "out", "**/*") == before


def test_names_from_a_source_are_shown_without_what_a_terminal_would_obey(call, tmp_path, capfd):
    row = {"image": "\x1b[2J\u202egnp.[red]", "caption": "a dog"}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(row))
    with pytest.raises(SystemExit):
        main(["run", "own.yaml", "--input", "pairs.jsonl", "--output", "out", "--quiet"])
    said = capfd.readouterr().out
    assert "\\x1b[2J\\u202egnp.[red]" in said
    assert "\x1b" not in said


def test_an_output_that_cannot_be_written(call, tars, tmp_path):
    (tmp_path / "file").write_text("")
    status, lines = call("run", "own.yaml", "--input", tars, "--output", "file/out")
    assert (status, len(lines)) == (3, 1)
    assert "file/out" in lines[0]


def test_no_permission(tars, parser):
    """As root nothing is forbidden: then the call is made under another user, once everything is imported."""
    become = "os.setgroups([]), os.setgid(65534), os.setuid(65534);" if os.geteuid() == 0 else ""
    with tempfile.TemporaryDirectory() as folder:
        closed = Path(folder) / "closed"
        closed.mkdir()
        config = Path(folder) / "own.yaml"
        config.write_text(yaml.safe_dump(made.settings(parser, "tests.outside:factory")))
        os.chmod(folder, 0o755)
        os.chmod(closed, 0o555)
        words = ["run", str(config), "--input", tars, "--output", str(closed / "out")]
        code = f"import os, gritmill.cli; {become} gritmill.cli.main({words!r})"
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert ended.returncode == 3, ended.stderr
        assert ended.stderr.splitlines() == [f"gritmill: {closed / 'out'}: Permission denied"]
        assert not list(closed.iterdir())


def test_help_needs_no_model(call):
    assert call("run", "--help")[0] == 0


def test_beam_words_are_split_off():
    assert _split(["run", "x", "--", "--runner=A", "--", "b"]) == (["run", "x"], ["--runner=A", "--", "b"])
    assert _split(["run"]) == (["run"], [])


def test_lists_after_an_option_repeat_it():
    assert _repeated(["run", "grit", "--input", "a", "b", "--output", "c"]) == [
        *("run", "grit", "--input", "a", "--input", "b", "--output", "c")
    ]
    assert _repeated(["run", "--input=a", "--quiet"]) == ["run", "--input=a", "--quiet"]
