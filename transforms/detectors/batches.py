"""Requests -> batches of prompts on equal canvases; their pictures are decoded and resized in threads, some ahead."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from transforms.detectors.base import Request
from transforms.detectors.resize import CanvasRule
from transforms.devices import cores
from transforms.images import MAX_PIXELS, ImageFault
from transforms.records import FailureStage, Fault

_LOADERS = 8
"""Threads at most. A picture of 640 x 480 takes one some 10 ms, about as long as a large GPU takes for its forward."""


@dataclass(frozen=True)
class Item:
    """One prompt of one request, as its family makes it, with its canvas (width, height)."""

    request: int
    prompt: Any
    canvas: tuple[int, int]


@dataclass(frozen=True)
class Ready:
    """An item whose picture has become a tensor, uint8 [3, height, width]."""

    item: Item
    pixels: torch.Tensor


@dataclass
class Batch:
    """A part made ready for the model, and the pairs whose picture could not be decoded."""

    ready: list[Ready] = field(default_factory=list)
    faults: list[tuple[int, Fault]] = field(default_factory=list)


Part = list[Item]
"""Prompts that go through the model together."""


class Prompts(Protocol):
    """What a family makes of one request's phrases."""

    @property
    def prompts(self) -> Sequence[Any]:
        """The prompts that together hold every phrase once."""
        ...


def form_parts(requests: Sequence[Request], prompts: Iterable[Prompts], rule: CanvasRule, size: int) -> list[Part]:
    """The batches of the requests, at most `size` prompts each, of equal canvas, in the order of the requests."""
    by_canvas: dict[tuple[int, int], list[Item]] = {}
    for number, (request, packed) in enumerate(zip(requests, prompts, strict=True)):
        canvas = rule.size(request.width, request.height)
        by_canvas.setdefault(canvas, []).extend(Item(number, prompt, canvas) for prompt in packed.prompts)
    return [items[i : i + size] for items in by_canvas.values() for i in range(0, len(items), size)]


def prepared(requests: Sequence[Request], parts: Iterable[Part], rule: CanvasRule) -> Iterator[Batch]:
    """The parts as tensors, in order; while the caller works on one, the pictures of the next ones are decoded."""
    loaders = min(_LOADERS, cores())
    pool = ThreadPoolExecutor(loaders, thread_name_prefix="decode")
    pictures = _Pictures(rule, pool)
    waiting: deque[tuple[Part, list[Future[torch.Tensor]]]] = deque()
    try:
        for part in parts:
            waiting.append((part, [pictures.begin(requests[item.request]) for item in part]))
            if sum(len(begun) for _, begun in waiting) - len(waiting[0][1]) >= loaders:
                yield _batch(*waiting.popleft())
        while waiting:
            yield _batch(*waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


class _Pictures:
    """Pictures on their way; captions of one image share its bytes and follow one another, so it is decoded once."""

    def __init__(self, rule: CanvasRule, pool: ThreadPoolExecutor) -> None:
        self._rule = rule
        self._pool = pool
        self._room = _Room(MAX_PIXELS)
        self._last: tuple[bytes, Future[torch.Tensor]] | None = None

    def begin(self, request: Request) -> "Future[torch.Tensor]":
        """The request's picture, some time."""
        if self._last is None or self._last[0] is not request.data:
            self._last = request.data, self._pool.submit(self._pixels, request)
        return self._last[1]

    def _pixels(self, request: Request) -> torch.Tensor:
        with self._room.taken(request.width * request.height):
            return self._rule.tensor(request.image)


class _Room:
    """Room for so many pixels that are decoded at the same time (4 bytes each in Pillow), or for one larger picture."""

    def __init__(self, pixels: int) -> None:
        self._pixels = self._left = pixels
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Waits until there is room for a picture, and holds it."""
        held = min(pixels, self._pixels)
        with self._changed:
            self._changed.wait_for(lambda: self._left >= held)
            self._left -= held
        try:
            yield
        finally:
            with self._changed:
                self._left += held
                self._changed.notify_all()


def _batch(part: Part, pictures: "list[Future[torch.Tensor]]") -> Batch:
    """What cannot be decoded is left out."""
    batch = Batch()
    for item, picture in zip(part, pictures, strict=True):
        try:
            batch.ready.append(Ready(item, picture.result()))
        except ImageFault as error:
            batch.faults.append((item.request, Fault.from_error(FailureStage.IMAGE, error.reason, str(error))))
    return batch
