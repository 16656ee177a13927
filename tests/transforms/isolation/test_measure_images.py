import pytest

from tests import plugin_detectors
from tests.transforms.isolation.test_isolated_model import picture
from transforms import images
from transforms.images import ImageFault
from transforms.isolation.measure_images import _child_measure, measure_isolated
from transforms.records import Reason


def test_measuring_apart_is_measuring(child):
    assert measure_isolated(child, picture(30, 20), 1000) == (30, 20)
    with pytest.raises(ImageFault) as fault:
        measure_isolated(child, picture(30, 20), 100)
    assert fault.value.reason == Reason.TOO_MANY_PIXELS
    with pytest.raises(ImageFault) as fault:
        measure_isolated(child, b"<html>", 100)
    assert fault.value.reason == Reason.NOT_AN_IMAGE


def test_a_picture_that_kills_what_measures_it_is_a_crash(child, monkeypatch):
    monkeypatch.setattr("transforms.isolation.measure_images._child_measure", plugin_detectors.die)
    with pytest.raises(ImageFault, match="the decoder's process was killed by SIGKILL") as fault:
        measure_isolated(child, b"", 100)
    assert fault.value.reason == Reason.CRASH


def test_measure_is_the_one_that_is_used_here():
    assert _child_measure(picture(10, 20), images.MAX_PIXELS) == ((10, 20), None, "")
