"""Work in a process of its own: a death is noticed, found to be that of the right pair, and changes no other result."""

import io

import pytest
from PIL import Image

from transforms.detectors import isolated
from transforms.detectors.base import Request
from transforms.detectors.grounding_dino.model import GroundingDino
from transforms.detectors.isolated import IsolatedDetector
from transforms.detectors.settings import DetectorSettings
from transforms.isolation.bisect import UnhealthyDevice
from transforms.isolation.child_process import ChildDied, ChildProcess
from transforms.records import FailureStage, Reason


def picture(width, height, shade=200):
    target = io.BytesIO()
    Image.new("RGB", (width, height), (shade, shade, 250)).save(target, "PNG")
    return target.getvalue()


def request(width, height, *phrases):
    return Request(picture(width, height), width, height, phrases or ("a dog",))


def settings(model, **changes):
    return DetectorSettings(model=str(model), device="cpu", threads=1, floor=0.0, **changes)


@pytest.fixture(scope="module")
def in_child(grounding_dino):
    """A process that has loaded the detector: its start takes five seconds."""
    return IsolatedDetector(settings(grounding_dino, batch=3), ())


@pytest.fixture(scope="module")
def in_process(grounding_dino):
    return GroundingDino.load(settings(grounding_dino, batch=3))


def test_a_detector_apart_answers_as_one_here(in_child, in_process):
    requests = [request(64 + 32 * (i % 2), 64, "a dog", f"a cat {i}") for i in range(7)]
    assert in_child.detect(requests) == in_process.detect(requests)
    assert in_child.made == in_process.made


def test_undecodable_pictures_are_faults_of_their_own_apart_too(in_child, in_process):
    requests = [request(64, 64), Request(b"\xff\xd8\xff broken", 64, 64, ("a dog",)), request(64, 64)]
    found = in_child.detect(requests)
    assert found == in_process.detect(requests)
    assert found[1].error.stage == FailureStage.IMAGE


def test_only_the_request_that_kills_is_blamed():
    requests = [request(64, 64), request(64, 96), request(96, 64), request(64, 128), request(32, 32)]
    found = IsolatedDetector(settings("tests.plugin_detectors:deadly"), ()).detect(requests)
    errors = [getattr(one, "error", None) for one in found]
    assert [bool(error) for error in errors] == [False, True, False, True, False]
    assert errors[1].reason == Reason.CRASH
    assert errors[1].detail == "the detector's process was killed by SIGSEGV"


def test_a_family_detector_loses_only_the_batch_with_the_culprit(grounding_dino, monkeypatch):
    """Which pieces are run: whole batches, but for the one that kills."""
    requests = [request(64, 64, "a dog", f"a cat {i}") for i in range(9)]
    in_process = GroundingDino.load(settings(grounding_dino, batch=4))
    calls = []

    class RecordingChild(ChildProcess):
        alive = True

        def call(self, function, *arguments):
            if function is isolated._child_run_batch:
                numbers = [item.request for item in arguments[0]]
                calls.append(numbers)
                if 5 in numbers:
                    raise ChildDied("killed by SIGSEGV")
                return in_process.run_batch(requests, arguments[0])
            if function is isolated._child_merge:
                return in_process.merge(requests, arguments[0])
            return in_process.batches(requests) if function is isolated._child_batches else {}

    in_child = IsolatedDetector(settings(grounding_dino, batch=4), (), _child=RecordingChild())
    found = in_child.detect(requests)
    assert calls == [[0, 1, 2, 3], [4, 5, 6, 7], [4, 5], [4], [5], [6, 7], [8]]
    expected = in_process.detect(requests)
    assert found[:4] == expected[:4]
    assert found[8] == expected[8]
    assert [one.error and one.error.reason for one in found[4:8]] == [None, Reason.CRASH, None, None]


def test_a_detector_that_dies_of_everything_blames_nobody():
    with pytest.raises(UnhealthyDevice, match="the detector's process dies on every input: killed by SIGKILL"):
        IsolatedDetector(settings("tests.plugin_detectors:always_deadly"), ()).detect([request(64, 64)])
