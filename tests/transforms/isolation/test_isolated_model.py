"""Work in a child process: a crash is detected, attributed to the right pair, and changes no other result."""

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
from PIL import Image

from tests import plugin_detectors
from transforms.detectors.phrase_locator import load_locator
from transforms.detectors.settings import DetectorSettings
from transforms.isolation import isolated_model
from transforms.isolation.bisect import UnhealthyDevice
from transforms.isolation.child_process import ChildDied, ChildProcess
from transforms.isolation.isolated_model import IsolatedModel, ModelProcess
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


def isolated(model, child=None, crashes=0, **options):
    """A model in a child process: `child`, or a new one."""
    load = partial(load_locator, settings(model, **options))
    return IsolatedModel(ModelProcess(child), load, "boxes", crashes=crashes)


def settings(model, **changes):
    return DetectorSettings(model=str(model), device="cpu", threads=1, floor=0.0, **changes)


@pytest.fixture(scope="module")
def in_child(grounding_dino):
    """A process that has loaded the detector. Starting it takes five seconds."""
    return isolated(grounding_dino, batch=3)


@pytest.fixture(scope="module")
def in_process(grounding_dino):
    return load_locator(settings(grounding_dino, batch=3))


@pytest.mark.parametrize("crashes", [0, 1, 2])
def test_a_detector_apart_answers_as_one_here(in_child, in_process, crashes):
    pairs = [pair(64 + 32 * (i % 2), 64, "a dog", f"a cat {i}") for i in range(7)]
    model = replace(in_child, crashes=crashes)
    assert model.process(pairs) == in_process.process(pairs)
    assert model.recorded == in_process.recorded


@pytest.mark.parametrize("crashes", [0, 1])
def test_a_detector_apart_reports_its_pairs_batch_by_batch(in_child, crashes):
    calls = []
    model = replace(in_child, crashes=crashes, progress=calls.append)
    model.process([pair(64, 64, "a dog", f"a cat {i}") for i in range(7)])
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


class RecordingChild(ChildProcess):
    """A child whose calls run in this process. It dies when it gets one of the deadly pairs, by number."""

    def __init__(self, model, deadly):
        super().__init__()
        self.model, self.deadly = model, deadly
        self.calls = []
        self.pairs = []
        self.running = False

    @property
    def alive(self):
        return self.running

    def call(self, function, stage, *arguments, notes=None):
        self.running = True
        if function is isolated_model._child_load:
            return None
        if function is isolated_model._child_keep:
            (self.pairs,) = arguments
        if function is isolated_model._child_process:
            (pairs,) = arguments
            return self.answer([one.index for one in pairs], lambda: self.model.process(pairs))
        if function is isolated_model._child_call:
            method, *given = arguments
            numbers = [self.pairs[item.request].index for item in given[0]] if method == "run_batch" else []
            return self.answer(numbers, lambda: getattr(self.model, method)(self.pairs, *given))
        return None, {}

    def answer(self, numbers, work):
        if numbers:
            self.calls.append(numbers)
        if self.deadly & set(numbers):
            self.running = False
            raise ChildDied("killed by SIGSEGV")
        return work(), {"threads": 1}


def numbered(count):
    return [replace(pair(64, 64, "a dog", f"a cat {i}"), index=i) for i in range(count)]


@pytest.fixture(scope="module")
def by_four(grounding_dino):
    return load_locator(settings(grounding_dino, batch=4))


def test_a_pair_that_kills_is_in_three_calls_and_only_its_batch_is_split(by_four):
    pairs = numbered(9)
    child, deaths = RecordingChild(by_four, {5}), []
    model = IsolatedModel(ModelProcess(child), None, "boxes", crashed=lambda: deaths.append(1))
    found = model.process(pairs)
    assert child.calls == [[*range(9)], [0, 1, 2, 3], [4, 5, 6, 7], [4], [5], [6], [7], [8]]
    assert len(deaths) == model.crashes == 3
    expected = by_four.process(pairs)
    assert found[:4] == expected[:4]
    assert found[8] == expected[8]
    assert [one.error and one.error.reason for one in found[4:8]] == [None, Reason.CRASH, None, None]


def test_each_of_several_pairs_that_kill_is_in_three_calls(by_four):
    child = RecordingChild(by_four, {1, 9, 10})
    found = IsolatedModel(ModelProcess(child), None, "boxes").process(numbered(12))
    assert [number for number, one in enumerate(found) if one.error] == [1, 9, 10]
    assert child.calls[1:6] == [[0, 1, 2, 3], [0], [1], [2], [3]]
    assert child.calls[6:] == [[4, 5, 6, 7], [8, 9, 10, 11], [8, 9, 10, 11], [8], [9], [10], [11]]


def test_a_death_by_chance_changes_no_row(by_four):
    pairs = numbered(9)
    child = RecordingChild(by_four, {5})
    model = IsolatedModel(ModelProcess(child), None, "boxes", crashed=child.deadly.clear)
    assert model.process(pairs) == by_four.process(pairs)
    assert child.calls == [[*range(9)], [0, 1, 2, 3], [4, 5, 6, 7], [8]]


def test_after_two_earlier_deaths_the_first_batch_that_dies_is_split(by_four):
    child = RecordingChild(by_four, {5})
    IsolatedModel(ModelProcess(child), None, "boxes", crashes=2).process(numbered(8))
    assert child.calls == [[0, 1, 2, 3], [4, 5, 6, 7], [4], [5], [6], [7]]


def test_a_pair_that_kills_is_not_called_again_when_the_chunk_is_halved_for_another_one(by_four):
    """The stage halves the pairs if the model raises."""
    pairs = numbered(8)
    child = RecordingChild(by_four, {5})
    model = IsolatedModel(ModelProcess(child), None, "boxes")
    model.process(pairs)
    child.calls.clear()
    found = model.process(pairs[4:])
    assert child.calls == [[4, 6, 7]]
    assert [one.reason if isinstance(one, Fault) else one.error for one in found] == [None, Reason.CRASH, None, None]


def test_a_detector_that_dies_of_everything_blames_nobody():
    with pytest.raises(UnhealthyDevice, match="the model's process crashes on every input: killed by SIGKILL"):
        isolated("tests.plugin_detectors:always_deadly", crashes=2).process([pair(64, 64)])


def test_a_process_that_dies_when_it_loads_the_model_blames_nobody():
    model = IsolatedModel(ModelProcess(), plugin_detectors.die, "boxes")
    with pytest.raises(UnhealthyDevice, match="boxes: the model's process crashes when it loads the model: killed by"):
        model.process([pair(64, 64)])


def test_chunks_of_several_threads_wait_for_one_another():
    """One process has the pairs of one chunk at a time."""
    busy = threading.Lock()

    class SlowChild(ChildProcess):
        alive = True

        def call(self, function, stage, *arguments, notes=None):
            assert busy.acquire(blocking=False)
            time.sleep(0.002)
            busy.release()
            return (arguments[0], {}) if function is isolated_model._child_process else None

    process = ModelProcess(SlowChild())
    chunks = [[pair(8 + n, 8, data=b"") for _ in range(3)] for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda pairs: IsolatedModel(process, None, "boxes").process(pairs), chunks)) == chunks
