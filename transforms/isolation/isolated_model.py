"""A model in a child process, for chunks on which two processes crashed.

Batches and rows are the same as for a model in this process. Only a batch on which the child process crashes is halved,
until the pair that crashes it is alone. The row of that pair is a fault with the reason `crash`.
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
    """Makes any model `Batched`: all pairs are one batch."""

    model: Model

    def batches(self, pairs: Sequence[Pair]) -> list[list[_Item]]:
        """One batch with all pairs."""
        return [[_Item(number) for number in range(len(pairs))]]

    def run_batch(self, pairs: Sequence[Pair], batch: Sequence[_Item]) -> list[tuple[int, Any]]:
        """The model's rows for the batch, each with the number of its pair."""
        numbers = [item.request for item in batch]
        return list(zip(numbers, self.model.process([pairs[number] for number in numbers]), strict=True))

    def merge(self, pairs: Sequence[Pair], results: Sequence[tuple[int, Any]]) -> list[Any]:
        """The rows in the order of the pairs."""
        rows = dict(results)
        return [rows[number] for number in range(len(pairs))]


@dataclass
class IsolatedModel:
    """A `Model` in a child process, which ends when this process ends.

    load: called in the child, returns the model. stage: the stage of the faults.
    """

    load: Callable[[], Model]
    stage: str
    recorded: dict[str, Any] = field(default_factory=dict)
    progress: Callable[[int], None] | None = None
    _child: ChildProcess = field(default_factory=ChildProcess)
    _pairs: Sequence[Pair] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)  # the child handles one chunk at a time

    def process(self, pairs: Sequence[Pair]) -> list[Any]:
        """The model's rows, with a `Fault` for each pair on which the process crashes.

        Raises:
          UnhealthyDevice: the process crashes on the probe as well.
          Exception: any exception that the model raises.
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
                if self.progress:
                    self.progress(len({number for number, _ in results}))
            rows = list(self._call(pairs, _child_call, "merge", results))
            self._pairs = None  # frees the images
            return rows

    def probe(self) -> None:
        """Runs the model's probe in the child."""
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
    """In the child: loads the model if it is not loaded, and keeps the pairs."""
    global _model, _pairs
    _model, _pairs = _model or load(), pairs
    return dict(getattr(_model, "recorded", {}))


def _child_call(method: str, *arguments: Any) -> Any:
    """In the child: calls a method of `Batched` for the kept pairs."""
    assert _model
    return getattr(_model if isinstance(_model, Batched) else SingleBatch(_model), method)(_pairs, *arguments)


def _child_probe() -> None:
    assert _model
    _model.probe()
