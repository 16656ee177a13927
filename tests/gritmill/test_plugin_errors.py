"""A bug of user code in a whole run: one line that names the plug-in, exit status, and the traceback for debugging."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests import broken_plugins, sample_pairs
from tests.transforms.test_culprits import line_of

ROOT = Path(__file__).resolve().parents[2]
WORKERS = ("--", "--direct_num_workers=2", "--direct_running_mode=multi_processing")


@pytest.fixture
def words(tmp_path, parser):
    config = sample_pairs.settings(parser, "tests.broken_plugins:zero")
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(config))
    tars = sample_pairs.as_tars(sample_pairs.drawn(2), tmp_path / "in", tars=1)
    return "ground", "own.yaml", "--input", tars, "--output", str(tmp_path / "out"), "--quiet"


PROBLEM = "boxes: the model fails on every input: ZeroDivisionError: division by zero"
LINE = f"gritmill: detector.model: tests.broken_plugins:zero: {PROBLEM} ({line_of(broken_plugins.divide)})"


def test_a_detector_that_always_raises_ends_the_run_with_its_file_and_line(call, words):
    status, _, lines = call(*words)
    assert (status, lines) == (3, [LINE])


def test_debugging_shows_the_traceback(call, words, monkeypatch):
    monkeypatch.setenv("GRITMILL_DEBUG", "1")
    status, _, lines = call(*words)
    check_traceback(status, lines)


@pytest.mark.slow
def test_debugging_shows_the_traceback_of_a_worker(words, tmp_path, monkeypatch):
    monkeypatch.setenv("GRITMILL_DEBUG", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [sys.executable, "-m", "gritmill", *map(str, words), *WORKERS]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    check_traceback(done.returncode, done.stderr.splitlines())


def check_traceback(status, lines):
    file, line = line_of(broken_plugins.divide).rsplit(":", 1)
    assert f'  File "{file}", line {line}, in divide' in lines
    assert (status, lines[-1]) == (3, LINE)


def test_a_stage_whose_factory_returns_nothing_is_a_wrong_call(call, words, tmp_path):
    status, _, lines = call(*words, "--set", "stages.factories=tests.broken_plugins:no_stage")
    assert (status, lines) == (
        2,
        ["gritmill: stages.factories: tests.broken_plugins:no_stage: the factory returned None"],
    )
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").glob("[!.]*"))
