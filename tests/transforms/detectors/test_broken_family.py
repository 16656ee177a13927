"""What is said of bugs in a family of another package."""

import json
from dataclasses import replace

import pytest
import torch

from pipeline.faults import CallError
from pipeline.model_identity import identify
from pipeline.model_identity.cache import ModelCache
from transforms.culprits import PluginError
from transforms.detectors import settings
from transforms.detectors.family import Family, FamilySettings
from transforms.detectors.grounding_dino import precision
from transforms.detectors.load import check_precision, check_precision_early, load_detector
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
CHECKS_CPU = replace(SOUND, check_cpu=fail)
ON_ANY_CPU = replace(SOUND, check_cpu=lambda settings: None)
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


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("SOUND", "detector.precision: bfloat16 needs a GPU; set it to float32 for a CPU$"),
        ("CHECKS_CPU", "detector.model: .*: check_cpu of the family mine: KeyError: 'gone'" + PLACE),
    ],
)
def test_a_precision_is_checked_only_where_the_detector_runs_on_a_cpu(checkpoint, monkeypatch, name, problem):
    wanted = checkpoint(name).model_copy(update={"precision": "bfloat16", "device": "auto"})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=f"^{problem}"):
        check_precision(wanted)
    check_precision(wanted.model_copy(update={"precision": "float32"}))
    check_precision(wanted.model_copy(update={"device": "cuda"}))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    check_precision(wanted)


def refuses_early(**keys):
    """The message of the early refusal; "" if there is none."""
    try:
        check_precision_early(DetectorSettings(**keys))
    except ValueError as error:
        return str(error)
    return ""


LACKS = "detector.precision: bfloat16: this processor lacks AVX512_BF16 and AMX_BF16; set it to float32"
NEEDS_GPU = "detector.precision: bfloat16 needs a GPU; set it to float32 for a CPU"


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr("transforms.detectors.load.lacks_gpu", lambda: True)
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("model", ["scene-grounder", "hub/any", "no-such-model"])
def test_a_precision_is_refused_early_without_torch(model, monkeypatch):
    for device in ("cpu", "auto"):
        assert refuses_early(model=model, precision="bfloat16", device=device) == LACKS
    assert not refuses_early(model=model, precision="bfloat16", device="cuda")
    assert not refuses_early(model=model)
    assert not refuses_early(model="package:make", precision="bfloat16")  # it has its own device
    monkeypatch.setattr("transforms.detectors.load.lacks_gpu", lambda: False)
    assert not refuses_early(model=model, precision="bfloat16")
    assert refuses_early(model=model, precision="bfloat16", device="cpu") == LACKS


@pytest.mark.usefixtures("no_gpu")
def test_a_checkpoint_elsewhere_is_refused_early_only_if_every_family_refuses_it(checkpoint):
    own = checkpoint("SOUND").model
    assert refuses_early(model=own, precision="bfloat16") == NEEDS_GPU
    assert refuses_early(model="hub/any", precision="bfloat16") == LACKS
    checkpoint("ON_ANY_CPU")
    assert not refuses_early(model=own, precision="bfloat16")
    assert not refuses_early(model="hub/any", precision="bfloat16")
    assert refuses_early(model="scene-grounder", precision="bfloat16") == LACKS
    checkpoint("NO_FAMILY")  # refused later, if it is the one
    assert not refuses_early(model=own, precision="bfloat16")
    assert refuses_early(model="hub/any", precision="bfloat16") == LACKS
