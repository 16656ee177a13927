"""A model in a process of its own, for chunks at which two processes have died.

The batches are those of a model in the same process, and so are the rows. Only a batch at which the process dies is
halved until the pair that kills it is alone; its row is a fault with the reason `crash`.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from transforms.isolation.bisect import run_with_bisection
from transforms.isolation.child_process import ChildDied, ChildProcess
from transforms.models import Batched, Model
from transforms.records import Pair


@dataclass(frozen=True)
class _Item:
    request: int


@dataclass
class SingleBatch:
    """Any other model as a `Batched` one: all pairs are one batch."""

    model: Model

    def batches(self, pairs: Sequence[Pair]) -> list[list[_Item]]:
        """One batch of all pairs."""
        return [[_Item(number) for number in range(len(pairs))]]

    def run_batch(self, pairs: Sequence[Pair], batch: Sequence[_Item]) -> list[tuple[int, Any]]:
        """The model's rows."""
        numbers = [item.request for item in batch]
        return list(zip(numbers, self.model.process([pairs[number] for number in numbers]), strict=True))

    def merge(self, pairs: Sequence[Pair], results: Sequence[tuple[int, Any]]) -> list[Any]:
        """The rows in the order of the pairs."""
        rows = dict(results)
        return [rows[number] for number in range(len(pairs))]


@dataclass
class IsolatedModel:
    """A `Model` in a process of its own, which ends with this one.

    load: makes the model, there. stage: of the faults.
    """

    load: Callable[[], Model]
    stage: str
    recorded: dict[str, Any] = field(default_factory=dict)
    _child: ChildProcess = field(default_factory=ChildProcess)
    _pairs: Sequence[Pair] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)  # one process, one chunk at a time

    def process(self, pairs: Sequence[Pair]) -> list[Any]:
        """The model's own rows; a `Fault` for a pair at which the process dies.

        Raises:
          UnhealthyDevice: the process dies at what `probe` runs, too. Whatever the model raises.
        """
        results: list[tuple[int, Any]] = []
        with self._lock:
            for batch in self._call(pairs, _child_call, "batches"):
                results += run_with_bisection(
                    batch,
                    lambda items: self._call(pairs, _child_call, "run_batch", items),
                    self._probe,
                    self.stage,
                    failure=ChildDied,
                    in_place_of=lambda item, fault: (item.request, fault),
                )
            rows = list(self._call(pairs, _child_call, "merge", results))
            self._pairs = None  # with their images
            return rows

    def probe(self) -> None:
        """The model's own."""
        with self._lock:
            self._probe()

    def _probe(self) -> None:
        self._call([], _child_probe)

    def _call(self, pairs: Sequence[Pair], function: Any, *arguments: Any) -> Any:
        if self._pairs is not pairs or not self._child.alive:
            self.recorded = self._child.call(_child_load, self.load, list(pairs))
            self._pairs = pairs
        return self._child.call(function, *arguments)


_model: Model | None = None
_pairs: list[Pair] = []


def _child_load(load: Callable[[], Model], pairs: list[Pair]) -> dict[str, Any]:
    """In the child: loads the model, once, and keeps the pairs."""
    global _model, _pairs
    _model, _pairs = _model or load(), pairs
    return dict(getattr(_model, "recorded", {}))


def _child_call(method: str, *arguments: Any) -> Any:
    """In the child: a method of `Batched`, for the pairs that it keeps."""
    assert _model
    return getattr(_model if isinstance(_model, Batched) else SingleBatch(_model), method)(_pairs, *arguments)


def _child_probe() -> None:
    assert _model
    _model.probe()
