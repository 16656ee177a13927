"""Work in a child process: a crash is detected, attributed to the right pair, and changes no other result."""

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from PIL import Image

from transforms.detectors.phrase_locator import load_locator
from transforms.detectors.settings import DetectorSettings
from transforms.isolation import isolated_model
from transforms.isolation.bisect import UnhealthyDevice
from transforms.isolation.child_process import ChildDied, ChildProcess
from transforms.isolation.isolated_model import IsolatedModel
from transforms.records import FailureStage, Fault, Pair, Phrase, Reason


def picture(width, height, shade=200):
    target = io.BytesIO()
    Image.new("RGB", (width, height), (shade, shade, 250)).save(target, "PNG")
    return target.getvalue()


def pair(width, height, *texts, data=None):
    """Returns a pair whose caption has one phrase per line."""
    texts, phrases, start = texts or ("a dog",), [], 0
    for text in texts:
        end = start + len(text)
        phrases.append(Phrase(start, end, start, end, start, end))
        start = end + 1
    data = picture(width, height) if data is None else data
    return Pair("k", "s", 0, "\n".join(texts), data=data, width=width, height=height, phrases=tuple(phrases))


def isolated(model, **options):
    return IsolatedModel(partial(load_locator, settings(model, **options)), "boxes")


def settings(model, **changes):
    return DetectorSettings(model=str(model), device="cpu", threads=1, floor=0.0, **changes)


@pytest.fixture(scope="module")
def in_child(grounding_dino):
    """A process that has loaded the detector. Starting it takes five seconds."""
    return isolated(grounding_dino, batch=3)


@pytest.fixture(scope="module")
def in_process(grounding_dino):
    return load_locator(settings(grounding_dino, batch=3))


def test_a_detector_apart_answers_as_one_here(in_child, in_process):
    pairs = [pair(64 + 32 * (i % 2), 64, "a dog", f"a cat {i}") for i in range(7)]
    assert in_child.process(pairs) == in_process.process(pairs)
    assert in_child.recorded == in_process.recorded


def test_a_detector_apart_reports_its_pairs_batch_by_batch(in_child):
    calls = []
    in_child.progress = calls.append
    in_child.process([pair(64, 64, "a dog", f"a cat {i}") for i in range(7)])
    in_child.progress = None
    assert calls == [3, 6, 7]


def test_undecodable_pictures_are_faults_of_their_own_apart_too(in_child, in_process):
    pairs = [pair(64, 64), pair(64, 64, data=b"\xff\xd8\xff broken"), pair(64, 64)]
    found = in_child.process(pairs)
    assert found == in_process.process(pairs)
    assert found[1].error.stage == FailureStage.IMAGE


def test_only_the_request_that_kills_is_blamed():
    pairs = [pair(64, 64), pair(64, 96), pair(96, 64), pair(64, 128), pair(32, 32)]
    found = isolated("tests.plugin_detectors:deadly").process(pairs)
    errors = [one if isinstance(one, Fault) else one.error for one in found]
    assert [bool(error) for error in errors] == [False, True, False, True, False]
    assert errors[1].reason == Reason.CRASH
    assert errors[1].detail == "the model's process was killed by SIGSEGV"


def test_a_family_detector_loses_only_the_batch_with_the_culprit(grounding_dino, monkeypatch):
    """Whole batches run, except the one that kills."""
    pairs = [pair(64, 64, "a dog", f"a cat {i}") for i in range(9)]
    in_process = load_locator(settings(grounding_dino, batch=4))
    calls = []

    class RecordingChild(ChildProcess):
        alive = True

        def call(self, function, *arguments):
            if function is not isolated_model._child_call:
                return {}
            method, *given = arguments
            if method == "run_batch":
                numbers = [item.request for item in given[0]]
                calls.append(numbers)
                if 5 in numbers:
                    raise ChildDied("killed by SIGSEGV")
            return getattr(in_process, method)(pairs, *given)

    in_child = IsolatedModel(None, "boxes", _child=RecordingChild())
    found = in_child.process(pairs)
    assert calls == [[0, 1, 2, 3], [4, 5, 6, 7], [4, 5], [4], [5], [6, 7], [8]]
    expected = in_process.process(pairs)
    assert found[:4] == expected[:4]
    assert found[8] == expected[8]
    assert [one.error and one.error.reason for one in found[4:8]] == [None, Reason.CRASH, None, None]


def test_a_detector_that_dies_of_everything_blames_nobody():
    with pytest.raises(UnhealthyDevice, match="the model's process crashes on every input: killed by SIGKILL"):
        isolated("tests.plugin_detectors:always_deadly").process([pair(64, 64)])


def test_chunks_of_several_threads_wait_for_one_another():
    """One process keeps the pairs of one chunk at a time."""
    busy = threading.Lock()

    class SlowChild(ChildProcess):
        alive = True
        loaded = ()

        def call(self, function, *arguments):
            assert busy.acquire(blocking=False)
            time.sleep(0.002)
            busy.release()
            if function is isolated_model._child_load:
                SlowChild.loaded = arguments[1]
                return {}
            return {"batches": [SlowChild.loaded], "run_batch": [], "merge": SlowChild.loaded}[arguments[0]]

    model = IsolatedModel(None, "boxes", _child=SlowChild())
    chunks = [[pair(8 + n, 8, data=b"") for _ in range(3)] for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(model.process, chunks)) == chunks
