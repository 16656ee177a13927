"""One process has one detector, though two stages ask it: boxes and decoys."""

import gc
import os
from dataclasses import replace

import pytest

from pipeline.stages.boxes import Boxes
from pipeline.stages.decoys import Decoys
from pipeline.stages.run_stage import StageHandler
from pipeline.stages.runner import StageRunner
from pipeline.tables.detections import open_detections
from tests.pipeline.stages.test_decoys import CHUNK, Finder
from transforms.detectors.settings import DetectorSettings
from transforms.isolation.isolated_model import ModelProcess
from transforms.settings import DecoySettings


class Counting(Finder):
    """Writes a line with its process to a file each time that it is loaded."""

    def __init__(self, settings):
        with open(os.environ["LOADS"], "a") as file:
            print(os.getpid(), settings.threads, file=file)


SETTINGS = DetectorSettings(model=f"{__name__}:Counting", device="cpu")
STAGES = Boxes(SETTINGS), Decoys(DecoySettings(number=2), SETTINGS)


@pytest.fixture
def loads(tmp_path, monkeypatch):
    """Returns a function: the processes that loaded the detector, one for each time."""
    gc.collect()
    monkeypatch.setenv("LOADS", str(tmp_path / "loads"))

    def read():
        return [line.split()[0] for line in (tmp_path / "loads").read_text().splitlines()]

    return read


def test_it_is_loaded_once_for_both_stages(loads):
    boxes, decoys = (StageRunner(stage, threads=2) for stage in STAGES)
    found = boxes.process(CHUNK)
    assert sum(len(pair.boxes) for pair in found) > 0
    rows = decoys.process([replace(pair, data=old.data) for pair, old in zip(found, CHUNK, strict=True)])
    assert all(row["boxes"] for row in rows)
    assert loads() == [str(os.getpid())]


def test_other_settings_have_a_detector_of_their_own(loads):
    runners = [StageRunner(STAGES[0], threads) for threads in (2, 3)]
    for runner in runners:
        runner.process(CHUNK)
    assert len(loads()) == 2


def test_it_is_freed_with_the_last_stage(loads):
    for _ in range(2):
        runner = StageRunner(STAGES[1])
        runner.process(CHUNK)
        del runner
        gc.collect()
    assert len(loads()) == 2


def test_it_is_loaded_once_in_a_child_process(loads):
    child = ModelProcess()
    runners = [StageRunner(stage, 1, child, in_child=True) for stage in STAGES]
    for runner in runners:
        assert len(runner.process(CHUNK)) == len(CHUNK)
    (process,) = loads()
    assert process != str(os.getpid())


def test_all_stages_of_a_graph_have_one_child_process_for_what_crashed(loads):
    table = open_detections("nowhere")
    runners = [StageHandler(stage, table, child="a run").load_model() for stage in STAGES]
    for runner in runners:
        runner.process(CHUNK, crashes=1)
    assert len(loads()) == 1
    other = StageHandler(STAGES[0], table, child="another run").load_model()
    other.process(CHUNK, crashes=1)
    assert len(loads()) == 2
