"""`ground --retry-failed` repairs what a temporary fault has left behind and changes nothing else."""

import json
import shutil

import pytest

import gritmill
from gritmill.main import main
from pipeline.ground import retry
from pipeline.tables.detections import open_detections
from tests import plugin_detectors, sample_pairs

GROUND = ("shards/*", "detections/0*/*")


@pytest.fixture(scope="module")
def grounded(tmp_path_factory, parser):
    """Two tars of twenty pairs. The detector has failed on every third one."""
    plugin_detectors.Passing.sick = True
    folder = tmp_path_factory.mktemp("grounded")
    call = {
        "config": sample_pairs.settings(parser, "tests.plugin_detectors:passing"),
        "inputs": [sample_pairs.as_tars(sample_pairs.drawn(40), folder / "in")],
        "output": str(folder / "out"),
    }
    gritmill.ground(**call)
    return call


@pytest.fixture
def call(grounded, tmp_path):
    """The same with a copy of the run. The detector still fails."""
    plugin_detectors.Passing.sick = True
    shutil.copytree(grounded["output"], tmp_path / "out")
    return {**grounded, "output": str(tmp_path / "out")}


def failed(tmp_path):
    done = [json.loads(path.read_text()) for path in sorted((tmp_path / "out").glob("detections/0*/*.done.json"))]
    return [chunk.get("failed", {}) for range_ in done for chunk in range_["chunks"]]


def test_a_retry_gives_what_a_run_without_the_fault_gives(tmp_path, call):
    assert sum(chunk.get("exception", 0) for chunk in failed(tmp_path)) == 13
    plugin_detectors.Passing.sick = False
    gritmill.ground(**call, retry_failed=True)
    gritmill.ground(**{**call, "output": str(tmp_path / "whole")})
    out, whole = (sample_pairs.files_of(tmp_path / name, *GROUND) for name in ("out", "whole"))
    assert out == whole
    assert failed(tmp_path) == [{}] * 6
    assert not (tmp_path / "out" / "detections" / "retry.json").exists()


def test_only_chunks_with_failed_pairs_are_done_again_and_sound_ones_stay(tmp_path, call):
    call["config"] = {**call["config"], "chunk": {"pairs": 2}}  # a third of the chunks has no picture with that shape
    gritmill.ground(**call, fresh=True)
    before = sample_pairs.files_of(tmp_path / "out", "detections/0*/*.parquet")
    sound = {name for name, chunk in zip(sorted(before), failed(tmp_path), strict=True) if not chunk}
    assert 5 < len(sound) < 10
    ages = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in sound}
    plugin_detectors.Passing.sick = False
    gritmill.ground(**call, retry_failed="exception")
    after = sample_pairs.files_of(tmp_path / "out", "detections/0*/*.parquet")
    assert {name for name in before if before[name] == after[name]} == sound
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in sound} == ages


def test_another_reason_does_nothing(tmp_path, call):
    before = sample_pairs.files_of(tmp_path / "out", "detections/0*/*")
    plugin_detectors.Passing.sick = False
    gritmill.ground(**call, retry_failed="truncated")
    assert sample_pairs.files_of(tmp_path / "out", "detections/0*/*") == before


def test_a_retry_that_was_cut_short_is_finished_by_the_next_ground(tmp_path, call, monkeypatch):
    plugin_detectors.Passing.sick = False

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.ground.graph.run", killed)
        with pytest.raises(KeyboardInterrupt):
            gritmill.ground(**call, retry_failed=True)
    assert len(retry.pending(open_detections(str(tmp_path / "out" / "detections")))) == 6
    with pytest.raises(gritmill.CallError, match="2 of 2 ranges are not done"):
        gritmill.pack(call["config"], output=call["output"])
    gritmill.ground(**call)
    assert failed(tmp_path) == [{}] * 6


def test_what_still_fails_fails_again(tmp_path, call):
    before = sample_pairs.files_of(tmp_path / "out", "detections/0*/*")
    gritmill.ground(**call, retry_failed=True)
    assert sample_pairs.files_of(tmp_path / "out", "detections/0*/*") == before


def test_the_command_line_takes_it_with_and_without_a_reason(tmp_path, call, capsys):
    (tmp_path / "own.yaml").write_text(json.dumps(call["config"]))
    words = ["ground", str(tmp_path / "own.yaml"), "--output", call["output"], "--quiet", "--input", *call["inputs"]]

    def run(*more):
        with pytest.raises(SystemExit) as ended:
            main([*words, *more])
        return ended.value.code, capsys.readouterr().err

    assert run()[0] == 0
    status, said = run("--retry-failed=tired")
    assert status == 2
    assert "--retry-failed: tired: no such reason; use one of broken_row" in said
    plugin_detectors.Passing.sick = False
    assert run("--retry-failed=not_finite") == (0, "")
    assert sum(bool(chunk) for chunk in failed(tmp_path)) == 6
    assert run("--retry-failed") == (0, "")
    assert failed(tmp_path) == [{}] * 6
