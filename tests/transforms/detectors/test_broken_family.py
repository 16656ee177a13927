"""What is said of bugs in a family of another package."""

import json
from dataclasses import replace

import pytest

from pipeline.faults import CallError
from pipeline.model_identity import identify
from pipeline.model_identity.cache import ModelCache
from transforms.culprits import PluginError
from transforms.detectors import settings
from transforms.detectors.family import Family, FamilySettings
from transforms.detectors.load import load_detector
from transforms.detectors.settings import DetectorSettings

PLACE = rf" \({__file__}:\d+\)$"


def fail(*_):
    raise KeyError("gone")


def refuse(*_):
    raise ValueError("detector.model: it has no colours")


def parse(*_):
    int("x")


SOUND = Family("mine", FamilySettings, score=0.5, load=lambda settings, path: None)
LOADS = replace(SOUND, load=fail)
CHECKS = replace(SOUND, check=fail)
PARSES = replace(SOUND, check=parse)
REFUSES = replace(SOUND, check=refuse)
IDENTIFIES = replace(SOUND, identify=fail)
NO_FAMILY = {"name": "mine"}


@pytest.fixture
def checkpoint(tmp_path, install):
    def of(name):
        install(settings.GROUP, f"mine = {__name__}:{name}")
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "mine"}))
        return DetectorSettings(model=str(tmp_path))

    return of


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("CHECKS", "detector.model: .*: check of the family mine: KeyError: 'gone'" + PLACE),
        ("PARSES", "detector.model: .*: check of the family mine: ValueError: invalid literal .*" + PLACE),
        ("IDENTIFIES", "detector.model: .*: identify of the family mine: KeyError: 'gone'" + PLACE),
        ("REFUSES", "detector.model: it has no colours$"),
        ("NO_FAMILY", r"detector: the entry point mine = \S+ of the package mine is a dict, not a gritmill.Family$"),
        ("MISSING", r"detector: the entry point mine = \S+ of the package mine: AttributeError: "),
    ],
)
def test_before_the_run_it_is_a_wrong_call_that_names_the_family(checkpoint, name, problem):
    with pytest.raises(CallError, match=f"^{problem}"):
        identify._detector_identity(checkpoint(name), ModelCache())


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("LOADS", "load of the family mine: KeyError: 'gone'" + PLACE),
        ("SOUND", "load of the family mine: it returned None$"),
    ],
)
def test_a_detector_that_cannot_be_loaded_names_the_family(checkpoint, name, problem):
    with pytest.raises(PluginError, match=f"^detector.model: .*: {problem}"):
        load_detector(checkpoint(name))
