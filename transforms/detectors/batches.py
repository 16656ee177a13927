"""Requests -> batches of prompts whose images have equal size.

Threads decode and resize the images ahead of the caller.
"""

import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from transforms.detectors.base import Request
from transforms.detectors.resize import ResizeRule
from transforms.devices import available_cores
from transforms.images import MAX_PIXELS, ImageFault
from transforms.read_ahead import read_ahead
from transforms.records import Fault

_LOADERS = 8
"""Maximum number of threads. An image of 640 x 480 takes a thread 7 to 10 ms, about as long as a large GPU needs."""


@dataclass(frozen=True)
class PromptItem:
    """One prompt of one request. request: its index. prompt: as built by the family of the detector."""

    request: int
    prompt: Any


BatchItems = list[PromptItem]
"""Prompts that go through the model together. Their images are resized to the same size."""

PreparedItem = tuple[PromptItem, np.ndarray]
"""A prompt with its image, uint8 [height, width, 3]."""


def plan_batches(
    requests: Sequence[Request], prompts: Iterable[Sequence[Any]], rule: ResizeRule, length: int
) -> list[BatchItems]:
    """The batches of the requests, in the order of the requests: at most `length` prompts, with images of equal size.

    prompts: for each request, the prompts that together contain every phrase once.
    """
    by_size: dict[tuple[int, int], list[PromptItem]] = {}
    for number, (request, of_request) in enumerate(zip(requests, prompts, strict=True)):
        size = rule.target_size(request.width, request.height)
        by_size.setdefault(size, []).extend(PromptItem(number, prompt) for prompt in of_request)
    return [items[i : i + length] for items in by_size.values() for i in range(0, len(items), length)]


def prepare_batches(
    requests: Sequence[Request], batches: Sequence[BatchItems], rule: ResizeRule
) -> Generator[list[tuple[PromptItem, np.ndarray | Fault]], None, None]:
    """Yields the batches, in order. Each prompt comes with its image, or with the fault if it cannot be decoded.

    Threads decode the next images while the caller works on a batch. Captions of one image share its bytes and are
    consecutive, so the image is decoded once.
    """
    budget = _PixelBudget(MAX_PIXELS)

    def decode(request: Request) -> np.ndarray | Fault:
        size = rule.target_size(request.width, request.height)
        try:
            with budget.reserve(request.width * request.height):
                return rule.to_pixels(request.decode(size if rule.reduced else None), size)
        except ImageFault as fault:
            return fault.as_fault()

    threads = min(_LOADERS, available_cores())
    decoded = read_ahead(
        (requests[item.request] for items in batches for item in items),
        decode,
        threads=threads,
        ahead=max(threads, *map(len, batches), 1),
        same=lambda one, other: one.data is other.data,
        name="decode",
    )
    with closing(decoded):
        for items in batches:
            yield [(item, picture) for item, (_, picture) in zip(items, decoded, strict=False)]


class _PixelBudget:
    """Limits the pixels that are decoded at the same time (4 bytes each in Pillow). A single image may exceed it."""

    def __init__(self, pixels: int) -> None:
        self._pixels = self._free = pixels
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, pixels: int) -> Iterator[None]:
        """Waits until `pixels` are free, and reserves them."""
        held = min(pixels, self._pixels)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= held)
            self._free -= held
        try:
            yield
        finally:
            with self._changed:
                self._free += held
                self._changed.notify_all()
