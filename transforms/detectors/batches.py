"""Requests -> batches of prompts whose pictures have equal size; pictures are decoded and resized in threads, ahead of
the caller."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from transforms.detectors.base import Request
from transforms.detectors.resize import ResizeRule
from transforms.devices import available_cores
from transforms.images import MAX_PIXELS, ImageFault
from transforms.read_ahead import read_ahead
from transforms.records import Fault

_LOADERS = 8
"""Threads at most. A picture of 640 x 480 takes one some 10 ms, about as long as a large GPU takes for its forward."""


@dataclass(frozen=True)
class PromptItem:
    """One prompt of one request, as its family makes it."""

    request: int
    prompt: Any


BatchItems = list[PromptItem]
"""Prompts that go through the model together: their pictures are resized to one size."""

PreparedItem = tuple[PromptItem, torch.Tensor]
"""A prompt with its picture, uint8 [3, height, width]."""


def plan_batches(
    requests: Sequence[Request], prompts: Iterable[Sequence[Any]], rule: ResizeRule, length: int
) -> list[BatchItems]:
    """The batches of the requests, at most `length` prompts each, of equal size, in the order of the requests.

    prompts: for each request those that together hold every phrase once.
    """
    by_size: dict[tuple[int, int], list[PromptItem]] = {}
    for number, (request, of_request) in enumerate(zip(requests, prompts, strict=True)):
        size = rule.target_size(request.width, request.height)
        by_size.setdefault(size, []).extend(PromptItem(number, prompt) for prompt in of_request)
    return [items[i : i + length] for items in by_size.values() for i in range(0, len(items), length)]


def prepare_batches(
    requests: Sequence[Request], batches: Sequence[BatchItems], rule: ResizeRule
) -> Iterator[list[tuple[PromptItem, torch.Tensor | Fault]]]:
    """The batches with their pictures, or why one cannot be decoded, in order; while the caller works on one, those of
    the next ones are decoded.

    Captions of one image share its bytes and follow one another, so it is decoded once.
    """
    budget = _PixelBudget(MAX_PIXELS)

    def decode(request: Request) -> torch.Tensor | Fault:
        try:
            with budget.reserve(request.width * request.height):
                return rule.to_tensor(request.image)
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
    """How many pixels may be decoded at once (4 bytes each in Pillow); one larger picture alone may exceed it."""

    def __init__(self, pixels: int) -> None:
        self._pixels = self._free = pixels
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, pixels: int) -> Iterator[None]:
        """Waits until there is room for a picture, and holds it."""
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
