import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from transforms.detectors.base import Found, probe_request
from transforms.detectors.grounding_dino.model import GroundingDino
from transforms.detectors.load import load_detector
from transforms.detectors.plugin import find_factory, is_factory
from transforms.detectors.settings import DetectorSettings


class Nothing:
    """A detector that finds nothing."""

    def __init__(self, settings):
        self.settings = settings

    def detect(self, requests):
        return [Found() for _ in requests]


not_callable = 3


@pytest.mark.parametrize("model", ["package:make", "package.module:make", "a.b.c:Make_2"])
def test_a_factory_is_a_module_and_a_name(model):
    assert is_factory(model)


@pytest.mark.parametrize(
    "model",
    [
        "IDEA-Research/grounding-dino-tiny",
        "/models/dino",
        "./dino",
        "dino",
        "C:\\models\\dino",
        "a-b:make",
        "a:",
        ":b",
        "a.b:c.d",
    ],
)
def test_a_hub_id_or_folder_is_no_factory(model):
    assert not is_factory(model)


def test_a_factory_makes_the_detector_from_the_settings():
    settings = DetectorSettings(model=f"{__name__}:Nothing", floor=0.3)
    detector = load_detector(settings)._detector
    assert type(detector).__name__ == "Nothing"
    assert detector.settings.model_dump() == settings.model_dump()


class Slow(Nothing):
    """Reports its progress, and fails if a second thread calls it."""

    progress = None

    def detect(self, requests):
        assert not self.__dict__.setdefault("inside", False)
        self.inside = True
        time.sleep(0.01)
        self.inside = False
        self.progress(len(requests))
        return super().detect(requests)


def test_a_plug_in_is_asked_by_one_thread_at_a_time_and_told_whom_to_report_to():
    detector, calls = load_detector(DetectorSettings(model=f"{__name__}:Slow")), []
    detector.progress = calls.append
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(detector.detect, [[probe_request()]] * 4))
    assert (answers, calls) == ([[Found()]] * 4, [1] * 4)
    other = load_detector(DetectorSettings(model=f"{__name__}:Nothing"))
    other.progress = calls.append
    assert not hasattr(other._detector, "progress")


def test_a_folder_makes_a_grounding_dino(grounding_dino):
    assert isinstance(load_detector(DetectorSettings(model=str(grounding_dino), device="cpu")), GroundingDino)


@pytest.mark.parametrize("model", ["no_such_package_here:make", f"{__name__}:missing", f"{__name__}:not_callable"])
def test_a_factory_that_is_not_there_is_refused_by_name(model):
    with pytest.raises(ValueError, match=f"detector.model: {model}"):
        find_factory(model)


def test_a_module_of_ones_own_is_found_in_the_search_folder_and_hides_none_of_ours(tmp_path, monkeypatch):
    (tmp_path / "my_own_detector.py").write_text("def make(settings):\n    return 'mine'\n")
    (tmp_path / "transforms.py").write_text("raise RuntimeError('the wrong one')\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert find_factory("my_own_detector:make", [str(tmp_path)])(DetectorSettings()) == "mine"
    assert sys.path[-1] == str(tmp_path)
    find_factory("my_own_detector:make", [str(tmp_path)])
    assert sys.path.count(str(tmp_path)) == 1
    sys.modules.pop("my_own_detector")


def test_a_progress_that_is_something_else_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "my_counting_detector.py").write_text(
        "class Counting:\n"
        "    def progress(self):\n        return 1\n"
        "    def detect(self, requests):\n        return [[] for _ in range(len(requests) * self.progress())]\n"
        "def make(settings):\n    return Counting()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    detector = load_detector(DetectorSettings(model="my_counting_detector:make"))
    detector.progress = print
    assert list(detector.detect([probe_request()])) == [[]]
