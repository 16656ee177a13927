"""`--json`: standard output is exactly one JSON object, whatever happens. The exit status is the same as without it."""

import json
import os
import shutil
import subprocess
import sys
from http.server import ThreadingHTTPServer

import pytest
import yaml

import gritmill
from gritmill.cli import json_output
from tests import plugin_detectors, sample_pairs


class Chatty(plugin_detectors.Middle):
    """Prints, and so does a program that it starts."""

    def detect(self, requests):
        print("printed by the detector")
        os.write(1, b"written by a library\n")
        return super().detect(requests)


def chatty(settings):
    return Chatty()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, parser):
    """A folder with a configuration, pairs, and a set with true boxes."""
    folder = tmp_path_factory.mktemp("json")
    settings = sample_pairs.settings(parser, f"{__name__}:chatty")
    (folder / "own.yaml").write_text(yaml.safe_dump(settings))
    sample_pairs.as_jsonl(sample_pairs.drawn(10), folder / "in")
    return folder


@pytest.fixture(scope="module")
def finished(folder):
    config = yaml.safe_load((folder / "own.yaml").read_text())
    gritmill.run(config, inputs=folder / "in/pairs.jsonl", output=folder / "finished")
    return folder / "finished"


@pytest.fixture
def asked(folder, call, monkeypatch):
    """Runs a command with `--json`. Returns the object and the lines on standard error."""
    monkeypatch.chdir(folder)

    def ask(*words):
        status, out, lines = call(*words, "--json")
        assert out.endswith("}\n")
        found = json.loads(out)
        assert found["status"] == status
        return found, lines

    return ask


def test_each_command_prints_its_result(asked, folder):
    words = ("own.yaml", "--input", "in/pairs.jsonl", "--output", "out")
    look, lines = asked("look", "in/pairs.jsonl")
    assert ([source["pairs"] for source in look["sources"]], look["status"], lines) == ([10], 0, [])
    ground, lines = asked("ground", *words)
    assert ground == {
        **{"folder": "out", "detections": str(folder / "out/detections"), "sources": 1, "ranges": 1, "limit": None},
        **{"counts": {"pairs": 10, "failed": 0}, "status": 0},
    }
    assert lines == ["printed by the detector", "written by a library"] * 2
    run, lines = asked("run", *words)
    manifest = json.loads((folder / "out/manifest.json").read_text())
    assert (run["ledger"], run["shards"], run["folder"], run["status"]) == (manifest["ledger"], 1, "out", 0)
    assert run["counts"] == {name: manifest["shards"][0][name] for name in ("samples", "boxes", "bytes")}
    assert lines == []
    assert asked("pack", "own.yaml", "--output", "out") == (run, [])
    assert asked("validate", "out") == (
        {"folder": "out", "counts": {"samples": 10, "faults": 0}, "faults": [], "status": 0},
        ["10 samples read, 0 faults"],
    )
    for _ in range(2):
        export, lines = asked("export", "out", "--to", "coco", "--output", "coco")
        assert (export["folder"], export["format"], export["ledger"], lines) == ("coco", "coco", manifest["ledger"], [])
        assert export["counts"]["samples"] == 10
    view, lines = asked("view", "out", "--quiet")
    assert view == {
        "page": str(folder / "out/view/index.html"),
        "counts": {"kept": 10, "rejected": 0, "failed": 0, "missing": 0, "asked": run["counts"]["boxes"]},
        "status": 0,
    }


def test_measures_are_the_object(asked, folder):
    phrase = {"start": 0, "end": 5, "text": "a dog", "boxes": [[0.25, 0.25, 0.75, 0.75]]}
    truth = {"image": "in/images/00000.jpg", "caption": "a dog", "truth": [phrase]}
    (folder / "truth.jsonl").write_text(json.dumps(truth) + "\n")
    words = ("own.yaml", "--truth", "truth.jsonl")
    measured, _ = asked("eval", *words, "--output", "eval.json")
    assert measured == json.loads((folder / "eval.json").read_text()) | {"status": 0}
    phrases, _ = asked("eval", *words, "--phrases")
    assert phrases["figures"]["marked"] == 1
    calibrated, _ = asked("calibrate", *words, "--output", "calibration", "--precision", "0.01")
    written = json.loads((folder / "calibration/calibration.json").read_text())
    del written["curves"]
    assert calibrated == written | {"folder": "calibration", "status": 0}


def test_calibrate_without_truth(folder, finished, asked):
    calibrated, _ = asked("calibrate", "own.yaml", "--without-truth", "finished", "--output", "numbers")
    written = json.loads((folder / "numbers/calibration.json").read_text())
    del written["curves"]
    assert calibrated == written | {"folder": "numbers", "status": 0}
    assert calibrated["run"] == "finished"


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        (["run", "own.yaml", "--output", "new"], 2, "Missing option '--input'."),
        (["run", "own.yaml", "--input", "none.tar", "--output", "new"], 2, "--input: none.tar: no such file"),
        (["ground", "--set", "a.b=1", "--input", "x", "--output", "new"], 2, "configuration: a: no such key"),
        (["bogus"], 2, "No such command 'bogus'."),
        ([], 2, "No such option: --json"),
        (["demo", "--limit", "none"], 2, "Invalid value for '--limit'"),
        (["validate", "."], 2, ".: no manifest.json"),
        (["export", ".", "--to", "coco", "--output", "new"], 2, ".: no manifest.json"),
        (["export", ".", "--to", "klingon", "--output", "new"], 2, "--to: klingon"),
        (["view", "."], 2, ".: no manifest.json"),
        (["eval", "--truth", "none"], 2, "--truth: none"),
        (["calibrate", "--truth", "none", "--output", "new"], 2, "--truth: none"),
    ],
    ids=lambda value: " ".join(value[:1]) if isinstance(value, list) else None,
)
def test_an_error_is_an_object_and_a_line(asked, words, status, error):
    found, (line,) = asked(*words)
    assert found == {"error": line.removeprefix("gritmill: "), "status": status}
    assert found["error"].startswith(error)


def test_a_run_with_too_many_faults_has_both_result_and_error(asked, folder):
    (folder / "bad.csv").write_text("image,caption\nin/images/00000.jpg,a dog\ngone.jpg,a cat\n")
    found, (*_, line) = asked("run", "own.yaml", "--input", "bad.csv", "--output", "bad")
    assert found["status"] == 1
    assert found["error"] == line.removeprefix("gritmill: ")
    assert found["ledger"]["failed"] == {"read": {"missing_file": 1}}


def test_faults_that_validate_finds_are_listed(asked, finished, folder):
    shutil.copytree(finished, folder / "torn")
    tar = folder / "torn/shards/00000.tar"
    tar.write_bytes(tar.read_bytes()[:-20_000])
    found, _ = asked("validate", "torn")
    assert found["status"] == 1
    assert found["counts"]["faults"] == len(found["faults"]) > 0
    assert found["faults"][0].keys() == {"shard", "key", "text"}


def test_an_interrupt_is_an_object(asked, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Chatty, "detect", interrupted)
    found, _ = asked("ground", "own.yaml", "--input", "in/pairs.jsonl", "--output", "stopped")
    assert found == {"error": "interrupted; run the same command to resume", "status": 130}


def test_the_address_of_a_served_page_is_printed_before_it_is_served(asked, finished, monkeypatch):
    printed = []

    def serve(_):
        printed.append(json_output._active[-1]._printed)
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", serve)
    found, _ = asked("view", finished, "--serve", "--quiet")
    assert (printed, found["status"]) == ([True], 0)
    assert found["address"].startswith("http://127.0.0.1:")


def test_the_help_is_for_people_and_afterwards_output_is_as_before(call, capfd):
    status, out, _ = call("run", "--json", "--help")
    assert status == 0
    assert "--json" in out
    assert not out.startswith("{")
    call("bogus", "--json")
    print("seen")
    os.write(1, b"too\n")
    sys.stdout.flush()
    assert sorted(capfd.readouterr().out.split()) == ["seen", "too"]


def test_without_the_option_nothing_is_collected_and_nothing_diverted(capsys):
    json_output.add(folder="x")
    json_output.print_object(0)
    assert capsys.readouterr() == ("", "")
    assert json_output.diverted(print) is print


def test_an_output_that_cannot_be_written_is_an_error(call, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "standard output")

    monkeypatch.setattr(json_output._Output, "print", full)
    status, out, (_, line) = call("validate", ".", "--json")
    assert (status, out, line) == (2, "", "gritmill: standard output: No space left on device")


def test_a_standard_output_that_is_closed(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with json_output.only_json(True):
        json_output.print_object(0)


def test_a_standard_output_without_descriptor(capsys):
    with json_output.only_json(True):
        print("for people")
        json_output.add(folder="é")
        json_output.print_object(0)
        json_output.print_object(3, "twice")
    assert json.loads(capsys.readouterr().out) == {"folder": "é", "status": 0}


def test_the_object_is_valid_in_any_encoding():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    words = [sys.executable, "-m", "gritmill", "validate", "é", "--json"]
    ended = subprocess.run(words, env=environment, capture_output=True, check=False)
    assert json.loads(ended.stdout)["error"].startswith("é: ")
