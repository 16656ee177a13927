"""Pictures that kill the process: the run is killed twice, and the third run identifies the cause."""

import json
import os
import signal
import subprocess
import sys

import pytest

import gritmill
from pipeline import layout
from pipeline.files.typed import publish_typed
from pipeline.ground.attempts import Attempts
from pipeline.ids import ChunkId
from pipeline.tables.detections import read_all
from tests import plugin_detectors, sample_pairs

PROCESS = ("--", "--direct_num_workers=1", "--direct_running_mode=multi_processing")


def ground(tmp_path, out, *words):
    """Runs `gritmill ground` in a new process. Returns exit status and output."""
    command = [sys.executable, "-m", "gritmill", "ground", str(tmp_path / "own.yaml"), "--quiet"]
    command += ["--input", str(tmp_path / "in" / "*.tar"), "--output", str(tmp_path / out), *words]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


def leave_two_deaths(folder, chunk):
    """Leaves the record of two workers that died at a chunk."""
    publish_typed(str(folder / "detections" / layout.working(chunk)), Attempts(deaths=2, working=False))


def pairs(folder):
    """Returns the rows of a run's detections."""
    return list(read_all(str(folder / "detections")))


@pytest.mark.slow
@pytest.mark.parametrize(("words", "died"), [((), -signal.SIGSEGV), (PROCESS, 3)])
def test_a_picture_that_kills_is_a_crash_row_at_the_third_attempt(tmp_path, parser, words, died):
    sample_pairs.as_tars(sample_pairs.drawn(8), tmp_path / "in", tars=1)
    (tmp_path / "own.yaml").write_text(json.dumps(sample_pairs.settings(parser, "tests.plugin_detectors:deadly")))
    for _ in range(2):
        status, said = ground(tmp_path, "out", *words)
        assert status == died, said
        assert said == "" if died < 0 else "a worker process died" in said
    assert ground(tmp_path, "out", *words) == (0, "")
    found = pairs(tmp_path / "out")
    assert [bool(pair.error) for pair in found] == [pair.height > pair.width for pair in found]
    assert {(pair.error.stage, pair.error.reason) for pair in found if pair.error} == {("boxes", "crash")}
    assert not list((tmp_path / "out" / "detections" / "working").glob("*"))


@pytest.mark.parametrize(("name", "raised"), [("dying", gritmill.EnvironmentFault), ("interrupted", KeyboardInterrupt)])
def test_an_interrupt_and_a_sick_device_are_no_deaths(tmp_path, parser, monkeypatch, name, raised):
    pattern = sample_pairs.as_tars(sample_pairs.drawn(24), tmp_path / "in")
    config = sample_pairs.settings(parser, f"tests.plugin_detectors:{name}")
    monkeypatch.setattr(plugin_detectors.Dying, "calls", 0)
    for _ in range(3):
        with pytest.raises(raised):
            gritmill.ground(config, inputs=[pattern], output=str(tmp_path / "out"))
    marks = list((tmp_path / "out" / "detections" / "working").glob("*.json"))
    assert marks
    for path in marks:
        assert json.loads(path.read_text()).items() >= {"deaths": 0, "working": False, "child_deaths": 0}.items()


def test_after_two_attempts_that_died_a_picture_that_kills_is_a_crash_row(tmp_path, parser):
    pattern = sample_pairs.as_tars(sample_pairs.drawn(4), tmp_path / "in", tars=1)
    leave_two_deaths(tmp_path / "out", ChunkId(0, 0, 0))
    gritmill.ground(
        sample_pairs.settings(parser, "tests.plugin_detectors:deadly"), inputs=[pattern], output=str(tmp_path / "out")
    )
    found = pairs(tmp_path / "out")
    assert [bool(pair.error) for pair in found] == [pair.height > pair.width for pair in found]
    assert {(pair.error.stage, pair.error.reason) for pair in found if pair.error} == {("boxes", "crash")}


def test_after_an_interrupt_with_status_130_the_same_command_goes_on(tmp_path, parser, call, monkeypatch):
    pattern = sample_pairs.as_tars(sample_pairs.drawn(24), tmp_path / "in")
    (tmp_path / "own.yaml").write_text(json.dumps(sample_pairs.settings(parser, "tests.plugin_detectors:interrupted")))
    words = ("run", "own.yaml", "--input", pattern, "--output", "out", "--quiet")
    status, _, said = call(*words)
    assert (status, said) == (130, ["gritmill: interrupted; run the same command to resume"])
    assert not (tmp_path / "out/manifest.json").exists()
    monkeypatch.setattr(plugin_detectors.Interrupted, "detect", plugin_detectors.Middle.detect)
    assert call(*words)[::2] == (0, [])
    assert json.loads((tmp_path / "out/manifest.json").read_text())["ledger"]["read"] == 24


@pytest.mark.slow
def test_a_chunk_done_apart_is_the_same_to_the_byte(tmp_path, parser, grounding_dino):
    pattern = sample_pairs.as_tars(sample_pairs.drawn(10), tmp_path / "in", tars=1)
    config = sample_pairs.settings(parser, grounding_dino)
    gritmill.ground(config, inputs=[pattern], output=str(tmp_path / "here"))
    for number in range(2):
        leave_two_deaths(tmp_path / "apart", ChunkId(0, 0, number))
    gritmill.ground(config, inputs=[pattern], output=str(tmp_path / "apart"))
    here, apart = (sample_pairs.files_of(tmp_path / name, "detections/0*/*") for name in ("here", "apart"))
    assert len(here) == 3
    assert here == apart


@pytest.mark.slow
def test_on_an_engine_a_picture_that_kills_is_in_three_calls_and_no_worker_ends(tmp_path, parser, monkeypatch):
    """On Beam's job service, with a worker in this process."""
    pattern = sample_pairs.as_tars(sample_pairs.drawn(5), tmp_path / "in")  # only the third picture is high
    config = sample_pairs.settings(parser, "tests.plugin_detectors:logged_deadly")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    engine = ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"]
    gritmill.ground(config, inputs=[pattern], output=str(tmp_path / "engine"), beam=engine)
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    (high,) = {tuple(size) for _, sizes in calls for size in sizes if size[1] > size[0]}
    assert sum(list(high) in sizes for _, sizes in calls) == 3
    assert {parent for parent, _ in calls} == {os.getpid()}
    found = pairs(tmp_path / "engine")
    assert [pair.error and pair.error.reason for pair in found] == [None, None, "crash", None, None]
    assert not list((tmp_path / "engine/detections/working").glob("*"))

    leave_two_deaths(tmp_path / "here", ChunkId(1, 0, 0))
    gritmill.ground(config, inputs=[pattern], output=str(tmp_path / "here"))
    engine, here = (sample_pairs.files_of(tmp_path / name, "detections/0*/*") for name in ("engine", "here"))
    assert engine == here
