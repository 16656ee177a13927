"""Requests -> batches of prompts whose pictures have equal size; pictures are decoded and resized in threads, ahead of
the caller."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from transforms.detectors.base import Request
from transforms.detectors.resize import ResizeRule
from transforms.devices import available_cores
from transforms.images import MAX_PIXELS, ImageFault
from transforms.records import FailureStage, Fault

_LOADERS = 8
"""Threads at most. A picture of 640 x 480 takes one some 10 ms, about as long as a large GPU takes for its forward."""


@dataclass(frozen=True)
class PromptItem:
    """One prompt of one request, as its family makes it, and the size (width, height) of the resized picture."""

    request: int
    prompt: Any
    size: tuple[int, int]


@dataclass(frozen=True)
class PreparedItem:
    """An item whose picture has become a tensor, uint8 [3, height, width]."""

    item: PromptItem
    pixels: torch.Tensor


@dataclass
class PreparedBatch:
    """A batch as tensors, and the requests whose picture could not be decoded."""

    items: list[PreparedItem] = field(default_factory=list)
    faults: list[tuple[int, Fault]] = field(default_factory=list)


BatchItems = list[PromptItem]
"""Prompts that go through the model together."""


class PackedPrompts(Protocol):
    """What a family makes of one request's phrases."""

    @property
    def prompts(self) -> Sequence[Any]:
        """The prompts that together hold every phrase once."""
        ...


def plan_batches(
    requests: Sequence[Request], prompts: Iterable[PackedPrompts], rule: ResizeRule, length: int
) -> list[BatchItems]:
    """The batches of the requests, at most `length` prompts each, of equal size, in the order of the requests."""
    by_size: dict[tuple[int, int], list[PromptItem]] = {}
    for number, (request, packed) in enumerate(zip(requests, prompts, strict=True)):
        size = rule.target_size(request.width, request.height)
        by_size.setdefault(size, []).extend(PromptItem(number, prompt, size) for prompt in packed.prompts)
    return [items[i : i + length] for items in by_size.values() for i in range(0, len(items), length)]


def prepare_batches(
    requests: Sequence[Request], batches: Iterable[BatchItems], rule: ResizeRule
) -> Iterator[PreparedBatch]:
    """The batches as tensors, in order; while the caller works on one, the pictures of the next ones are decoded."""
    loaders = min(_LOADERS, available_cores())
    pool = ThreadPoolExecutor(loaders, thread_name_prefix="decode")
    pictures = _Pictures(rule, pool)
    pending: deque[tuple[BatchItems, list[Future[torch.Tensor]]]] = deque()
    try:
        for items in batches:
            pending.append((items, [pictures.submit(requests[item.request]) for item in items]))
            if sum(len(futures) for _, futures in pending) - len(pending[0][1]) >= loaders:
                yield _prepared_batch(*pending.popleft())
        while pending:
            yield _prepared_batch(*pending.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


class _Pictures:
    """Pictures on their way; captions of one image share its bytes and follow one another, so it is decoded once."""

    def __init__(self, rule: ResizeRule, pool: ThreadPoolExecutor) -> None:
        self._rule = rule
        self._pool = pool
        self._budget = _PixelBudget(MAX_PIXELS)
        self._last: tuple[bytes, Future[torch.Tensor]] | None = None

    def submit(self, request: Request) -> "Future[torch.Tensor]":
        """The request's picture, as soon as it is decoded."""
        if self._last is None or self._last[0] is not request.data:
            self._last = request.data, self._pool.submit(self._pixels, request)
        return self._last[1]

    def _pixels(self, request: Request) -> torch.Tensor:
        with self._budget.reserve(request.width * request.height):
            return self._rule.to_tensor(request.image)


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


def _prepared_batch(items: BatchItems, pictures: "list[Future[torch.Tensor]]") -> PreparedBatch:
    """What cannot be decoded is left out."""
    batch = PreparedBatch()
    for item, picture in zip(items, pictures, strict=True):
        try:
            batch.items.append(PreparedItem(item, picture.result()))
        except ImageFault as error:
            batch.faults.append((item.request, Fault.from_error(FailureStage.IMAGE, error.reason, str(error))))
    return batch
