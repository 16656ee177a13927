"""Models in a child process, which a pair may kill without harm to this process.

Batches and rows are the same as for a model in this process. When the child dies at the pairs of a chunk, a new one
processes them batch by batch. If a batch is the second death, its pairs are processed alone. The row of a pair that
then kills the child once more is a fault with the reason `crash`: it was in three calls.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from transforms.isolation.bisect import UnhealthyDevice, run_with_bisection
from transforms.isolation.child_process import ChildDied, ChildProcess, note
from transforms.models import Batched, Model
from transforms.records import Fault, Pair

Loading = Callable[[], AbstractContextManager[object]]

ALONE_AFTER = 2
"""After so many deaths at a batch, its pairs are processed alone."""


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


class ModelProcess:
    """A child process with the models of all stages of a worker. Ends when this process ends, or when it is dropped.

    Threads take turns, because the process keeps the pairs of one chunk.
    """

    def __init__(self, child: ChildProcess | None = None) -> None:
        self.child = child or ChildProcess()
        self.lock = threading.RLock()
        self._loaded: set[str] = set()

    def open(self, stage: str, load: Callable[[], Model], loading: Loading = nullcontext) -> None:
        """Loads the model of a stage in the process, if it is not loaded there. loading: entered while it does.

        Raises:
          UnhealthyDevice: the process dies.
          Exception: any exception that `load` raises.
        """
        if not self.child.alive:
            self._loaded.clear()
        if stage not in self._loaded:
            try:
                with loading():
                    self.child.call(_child_load, stage, load)
            except ChildDied as error:
                raise UnhealthyDevice(
                    f"{stage}: the model's process crashes when it loads the model: {error}"
                ) from error
            self._loaded.add(stage)


@dataclass
class IsolatedModel:
    """A `Model` in a child process, for the pairs of one chunk.

    load: called in the process, returns the model. stage: the name of the stage, also in faults. reads_images: whether
    the model needs the images of the pairs. crashes: how many processes died at these pairs earlier. crashed: called
    after each death at them. loading: entered while the model is loaded.
    """

    models: ModelProcess
    load: Callable[[], Model]
    stage: str
    reads_images: bool = True
    crashes: int = 0
    crashed: Callable[[], None] = lambda: None
    progress: Callable[[int], None] | None = None
    recorded: dict[str, Any] = field(default_factory=dict)
    loading: Loading = nullcontext

    def __post_init__(self) -> None:
        self._suspicion = self.crashes  # deaths at the pairs that may belong to the next batch that dies
        self._faults: dict[int, Fault] = {}  # by id of a pair: a part of a chunk consists of the same objects
        self._sent: Sequence[Pair] | None = None

    def process(self, pairs: Sequence[Pair]) -> Any:
        """What the model returns, with a `Fault` for each pair that kills the process.

        Raises:
          UnhealthyDevice: the process dies when it loads the model, or at the probe as well.
          Exception: any exception that the model raises.
        """
        with self.models.lock:
            numbers = [number for number, pair in enumerate(pairs) if id(pair) not in self._faults]
            if len(numbers) == len(pairs):
                return self._rows(list(pairs))
            answers = self._rows([pairs[number] for number in numbers]) if numbers else []
            rows = dict(zip(numbers, answers, strict=True))
            return [rows[number] if number in rows else self._faults[id(pair)] for number, pair in enumerate(pairs)]

    def open(self) -> None:
        """Loads the model, if the process does not have it. Raises what loading raises."""
        with self.models.lock:
            self.models.open(self.stage, self.load, self.loading)

    def probe(self) -> None:
        """Runs the model's probe in the process."""
        with self.models.lock:
            self._call(_child_probe)

    def _rows(self, pairs: list[Pair]) -> Any:
        if not self.crashes:
            try:
                return self._call(_child_process, self._as_sent(pairs))
            except ChildDied:
                self._count()
        return self._rows_by_batches(pairs)

    def _rows_by_batches(self, pairs: list[Pair]) -> list[Any]:
        """The rows, from one batch after the other: nothing is decoded ahead, so that a death belongs to its batch."""
        results: list[tuple[int, Any]] = []
        try:
            for batch in self._call_with(pairs, "batches"):
                results += self._run(pairs, [item for item in batch if id(pairs[item.request]) not in self._faults])
                if self.progress:
                    self.progress(len({number for number, _ in results}))
            return list(self._call_with(pairs, "merge", results))
        finally:
            self._sent = None
            if self.models.child.alive:
                self._call(_child_keep, [])  # frees the images

    def _run(self, pairs: list[Pair], batch: list[Any]) -> list[tuple[int, Any]]:
        while batch:
            try:
                return list(self._call_with(pairs, "run_batch", batch))
            except ChildDied:
                self._count()
            if self._suspicion >= ALONE_AFTER:
                results = self._run_alone(pairs, batch)
                self._suspicion = 0
                return results
        return []

    def _run_alone(self, pairs: list[Pair], batch: list[Any]) -> list[tuple[int, Any]]:
        by_pair: dict[int, list[Any]] = {}
        for item in batch:
            by_pair.setdefault(item.request, []).append(item)
        results: list[tuple[int, Any]] = []
        for number, items in by_pair.items():
            run = partial(self._run_pairs, pairs)
            (found,) = run_with_bisection([items], run, self.probe, self.stage, failure=ChildDied)
            if isinstance(found, Fault):
                self._faults[id(pairs[number])] = found
                found = [(number, found)]
            results += found
        return results

    def _run_pairs(self, pairs: list[Pair], of_pairs: Sequence[list[Any]]) -> list[list[tuple[int, Any]]]:
        """The results of the items of each pair. One pair, because its faults must be its own."""
        try:
            return [list(self._call_with(pairs, "run_batch", items)) for items in of_pairs]
        except ChildDied:
            self._count()
            raise

    def _count(self) -> None:
        self.crashes += 1
        self._suspicion += 1
        self._sent = None
        self.crashed()

    def _call_with(self, pairs: list[Pair], method: str, *arguments: Any) -> Any:
        """Calls a method of `Batched` with pairs that the process keeps. Sends them if it does not have them."""
        if self._sent is not pairs or not self.models.child.alive:
            self._call(_child_keep, self._as_sent(pairs))
            self._sent = pairs
        return self._call(_child_call, method, *arguments)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self.open()
        answer, self.recorded = self.models.child.call(function, self.stage, *arguments, notes=self.progress)
        return answer

    def _as_sent(self, pairs: list[Pair]) -> list[Pair]:
        return pairs if self.reads_images else [replace(pair, data=b"") for pair in pairs]


_models: dict[str, Model] = {}
_pairs: list[Pair] = []


def _child_load(stage: str, load: Callable[[], Model]) -> None:
    """In the child: loads the model of a stage."""
    _models[stage] = load()


def _child_keep(stage: str, pairs: list[Pair]) -> tuple[None, dict[str, Any]]:
    """In the child: keeps the pairs for `_child_call`."""
    global _pairs
    _pairs = pairs
    model: Any = _models[stage]
    if hasattr(model, "progress"):
        model.progress = None  # the parent reports the batches
    return None, _recorded(stage)


def _child_call(stage: str, method: str, *arguments: Any) -> tuple[Any, dict[str, Any]]:
    """In the child: calls a method of `Batched` for the kept pairs."""
    model = _models[stage]
    answer = getattr(model if isinstance(model, Batched) else SingleBatch(model), method)(_pairs, *arguments)
    return answer, _recorded(stage)


def _child_process(stage: str, pairs: list[Pair]) -> tuple[Any, dict[str, Any]]:
    """In the child: the rows of the pairs, with a note for each number of pairs that are done."""
    model = _models[stage]
    if hasattr(model, "progress"):
        model.progress = note
    rows = model.process(pairs)
    return list(rows) if isinstance(rows, Iterable) else rows, _recorded(stage)


def _child_probe(stage: str) -> tuple[None, dict[str, Any]]:
    """In the child: runs the probe."""
    _models[stage].probe()
    return None, _recorded(stage)


def _recorded(stage: str) -> dict[str, Any]:
    return dict(getattr(_models[stage], "recorded", {}))
