"""What is said of bugs in custom detectors and stages, without a pipeline."""

import re
import traceback

import pytest

from pipeline.configuration import validate
from pipeline.faults import CallError, EnvironmentFault
from pipeline.ground import stage_tables
from pipeline.stages.boxes import Boxes
from pipeline.stages.configured import configured_stages, open_tables
from pipeline.stages.runner import StageRunner
from tests import broken_plugins
from tests.transforms.detectors.test_candidates import pair
from tests.transforms.test_culprits import line_of
from transforms.culprits import PluginError
from transforms.detectors.settings import DetectorSettings
from transforms.isolation.bisect import UnhealthyDevice
from transforms.records import Chunk

PLACE = r" \(.*/broken_plugins\.py:\d+\)$"
PAIRS = (pair(0, "a dog", "a dog"), pair(1, "a cat", "a cat"))


def ran(runner, crashes=0):
    return runner.run(Chunk(0, 0, 0, PAIRS, crashes=crashes, digests={})).pairs


def detector(name):
    return StageRunner(Boxes(DetectorSettings(model=f"tests.broken_plugins:{name}")))


def stage(name, monkeypatch):
    """The custom stage of a class, or of a factory with this name."""
    made = getattr(broken_plugins, name)
    if isinstance(made, type):
        monkeypatch.setattr(broken_plugins, "factory", lambda _: made(), raising=False)
        name = "factory"
    return configured_stages(validate({"stages": {"factories": f"tests.broken_plugins:{name}"}}))[-1]


@pytest.mark.parametrize("crashes", [0, 2])
def test_a_detector_that_always_raises_is_found_by_file_and_line(crashes):
    with pytest.raises(UnhealthyDevice) as raised:
        ran(detector("zero"), crashes)
    where = line_of(broken_plugins.divide)
    problem = f"boxes: the model fails on every input: ZeroDivisionError: division by zero ({where})"
    assert str(raised.value) == f"detector.model: tests.broken_plugins:zero: {problem}"
    assert "in divide" in "".join(traceback.format_exception(raised.value))  # what GRITMILL_DEBUG shows


@pytest.mark.parametrize("crashes", [0, 2])
def test_a_detector_that_raises_on_one_pair_is_found_by_file_and_line(crashes):
    tall = pair(2, "a dog", "a dog", width=64, height=96)
    done = detector("only_tall").process([*PAIRS, tall], crashes=crashes)
    line = line_of(broken_plugins.divide).rpartition("/")[2]
    assert [one.error and one.error.detail for one in done] == [
        *[None] * 2,
        f"ZeroDivisionError: division by zero ({line})",
    ]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("none", "the factory returned None$"),
        ("no_method", "the factory returned an object, which has no method detect$"),
        ("a_class", "the factory returned the class Answering$"),
        ("raising", "JSONDecodeError: Expecting .*" + PLACE),
    ],
)
def test_a_factory_of_a_detector_is_named(name, problem):
    with pytest.raises(PluginError, match=f"^detector.model: tests.broken_plugins:{name}: {problem}"):
        ran(detector(name))


def test_what_a_detector_ran_on_must_be_json():
    with pytest.raises(EnvironmentFault, match=r"broken_plugins:unready: the detector's made is not JSON: Object of"):
        ran(detector("unready"))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("no_stage", "the factory returned None$"),
        ("no_factory", "KeyError: 'gone'" + PLACE),
        ("NoTable", "the class NoTable has no table; set it to a text$"),
        ("NoName", "the class NoName has no name; set it to a text$"),
        ("OneParent", "its parents are 'detections'; use a tuple of names of tables$"),
        ("Columns", "its columns: KeyError: 'gone'" + PLACE),
    ],
)
def test_a_stage_is_refused_before_the_run_with_what_is_wrong(name, problem, monkeypatch):
    with pytest.raises(CallError, match=rf"^stages\.factories: tests\.broken_plugins:\w+: {problem}"):
        stage(name, monkeypatch)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Load", "KeyError: 'gone'" + PLACE),
        ("NoModel", "its method load returned None$"),
        ("NoProbe", "its method load returned an Answering, which has no method process$"),
        ("Takes", "AttributeError: 'Pair' object has no attribute 'corners'" + PLACE),
        ("Recorded", "the model's recorded is not JSON: "),
    ],
)
def test_a_stage_that_fails_in_a_run_is_named(name, problem, monkeypatch):
    with pytest.raises(EnvironmentFault, match=rf"^stages\.factories: tests\.broken_plugins:factory: {problem}"):
        ran(StageRunner(stage(name, monkeypatch)))


def test_a_stage_that_always_raises_is_found_by_file_and_line(monkeypatch):
    with pytest.raises(UnhealthyDevice, match=r"^stages\.factories: .*: LookupError: row is bad" + PLACE):
        ran(StageRunner(stage("Process", monkeypatch)))


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("NoRows", "the stage returned None, not one row per pair"),
        ("TupleRows", "the model returned (1,) as a row, which is not a dict"),
    ],
)
def test_wrong_rows_are_failures_of_their_pairs(name, detail, monkeypatch):
    rows = StageRunner(stage(name, monkeypatch)).process(PAIRS)
    assert [row["error"]["detail"] for row in rows] == [detail] * 2


def test_fingerprint_values_that_raise_are_named(monkeypatch, tmp_path):
    stages = [stage("Fingerprint", monkeypatch)]
    with pytest.raises(CallError, match=r"^stages\.factories: own: its fingerprint_values: KeyError: 'gone'" + PLACE):
        stage_tables.describe(open_tables(stages, str(tmp_path / "detections")), stages)
    assert re.search(PLACE, f"x ({line_of(broken_plugins.divide)})")
