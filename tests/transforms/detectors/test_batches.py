"""Pictures are decoded ahead of the model in order, for any timing of the threads, within the memory limit."""

import io
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from PIL import Image

from transforms.detectors import batches
from transforms.detectors.base import Request
from transforms.detectors.batches import BatchItems, PromptItem, plan_batches, prepare_batches
from transforms.detectors.grounding_dino.prompts import Prompt
from transforms.records import FailureStage, Reason

PROMPT = Prompt((1, 2), (0,), ((1, 2),))


@pytest.fixture(autouse=True)
def many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "available_cores", lambda: 8)


class Rule:
    """A fake resize rule: returns the red value of one pixel, and calls `during` while the picture is decoded."""

    reduced = False

    def __init__(self, during: Callable[[Image.Image], object] = lambda _: None) -> None:
        self.during = during

    def target_size(self, width: int, height: int) -> tuple[int, int]:
        return width, height

    def to_pixels(self, image: Image.Image, size: tuple[int, int]) -> np.ndarray:
        self.during(image)
        return np.array(image.getpixel((0, 0))[0])


def make_request(number: int, width: int = 1, height: int = 1) -> Request:
    target = io.BytesIO()
    Image.new("RGB", (1, 1), (number, 0, 0)).save(target, "PNG")
    return Request(target.getvalue(), width, height, ("a dog",))


def batches_of(requests: list[Request], size: int, rule: Any) -> list[BatchItems]:
    return plan_batches(requests, [[PROMPT]] * len(requests), rule, size)


def seen(batches: Iterator[list[tuple[PromptItem, Any]]]) -> list[list[tuple[int, int]]]:
    return [[(item.request, int(picture)) for item, picture in batch] for batch in batches]


@pytest.mark.parametrize("size", [1, 3, 40])
def test_pictures_come_in_order_although_later_ones_are_ready_first(size: int) -> None:
    rule: Any = Rule(lambda image: time.sleep(0.005 * (7 - image.getpixel((0, 0))[0] % 8)))
    requests = [make_request(number) for number in range(32)]
    batches = seen(prepare_batches(requests, batches_of(requests, size, rule), rule))
    assert [pair for batch in batches for pair in batch] == [(number, number) for number in range(32)]
    assert {len(batch) for batch in batches[:-1]} <= {size}


@pytest.mark.parametrize("size", [1, 4, 12])
def test_no_more_wait_than_a_batch_and_the_threads(size: int) -> None:
    alive: weakref.WeakValueDictionary[int, np.ndarray] = weakref.WeakValueDictionary()  # arrays have no hash

    class Watched(Rule):
        def to_pixels(self, image: Image.Image, size: tuple[int, int]) -> np.ndarray:
            pixels = super().to_pixels(image, size)
            alive[id(pixels)] = pixels
            return pixels

    rule: Any = Watched()
    requests = [make_request(number) for number in range(96)]
    most = 0
    for _ in prepare_batches(requests, batches_of(requests, size, rule), rule):
        time.sleep(0.002)  # a running model, while the threads decode as far as allowed
        most = max(most, len(alive))
    assert size <= most <= 2 * size + 8 + size


def test_a_picture_that_cannot_be_decoded_is_a_fault_of_its_own() -> None:
    rule: Any = Rule()
    requests = [make_request(0), Request(b"GIF8", 1, 1, ("a dog",)), make_request(2)]
    (batch,) = prepare_batches(requests, batches_of(requests, 4, rule), rule)
    assert [item.request for item, _ in batch] == [0, 1, 2]
    (fault,) = [picture for _, picture in batch if not isinstance(picture, np.ndarray)]
    assert fault is batch[1][1]
    assert (fault.stage, fault.reason) == (FailureStage.IMAGE, Reason.UNDECODABLE)


def test_any_other_failure_is_passed_on() -> None:
    def failing(_: Image.Image) -> None:
        raise ZeroDivisionError

    rule: Any = Rule(failing)
    with pytest.raises(ZeroDivisionError):
        list(prepare_batches([make_request(0)], batches_of([make_request(0)], 4, rule), rule))


def test_who_stops_early_waits_for_no_more_than_what_is_begun() -> None:
    begun: list[int] = []
    rule: Any = Rule(lambda image: begun.append(image.getpixel((0, 0))[0]) or time.sleep(0.01))
    requests = [make_request(number) for number in range(200)]
    with closing(prepare_batches(requests, batches_of(requests, 2, rule), rule)) as batches:
        next(batches)
    assert len(begun) < 40
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def pixels_at_once(requests: list[Request]) -> int:
    """Returns the maximum number of pixels that were decoded at the same time."""
    lock, now, most = threading.Lock(), 0, 0

    def during(image: Image.Image) -> None:
        nonlocal now, most
        size = sizes[image.getpixel((0, 0))[0]]
        with lock:
            now += size
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= size

    sizes = [request.width * request.height for request in requests]
    rule: Any = Rule(during)
    items = [[PromptItem(number, PROMPT)] for number in range(len(requests))]
    assert sum(len(batch) for batch in prepare_batches(requests, items, rule)) == len(requests)
    return most


def test_large_pictures_are_not_all_decoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MAX_PIXELS", 1000)
    assert 100 < pixels_at_once([make_request(n, 10, 10) for n in range(24)]) <= 800
    assert 400 < pixels_at_once([make_request(n, 20, 20) for n in range(24)]) <= 1000
    assert pixels_at_once([make_request(n, 100, 50) for n in range(6)]) == 5000  # larger than the limit: one by one
