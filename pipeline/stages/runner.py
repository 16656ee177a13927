"""Runs any stage: loads the model once, attributes a failure to its pair, isolates a pair that kills the process in a
separate process, measures the time, and reuses committed rows."""

import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from pipeline.engines import heartbeat
from pipeline.faults import EnvironmentFault, RunFault
from pipeline.ids import ChunkId
from pipeline.stages.base import Stage
from pipeline.tables.table import Table
from transforms.culprits import WrongAnswer, calling
from transforms.devices import cores_of_a_slot
from transforms.isolation.bisect import UnhealthyDevice, run_with_bisection
from transforms.isolation.isolated_model import IsolatedModel, ModelProcess
from transforms.models import Model
from transforms.plugins import check_json_object, check_made
from transforms.records import Chunk, Fault, Pair
from transforms.wording import counted

Progress = Callable[[int], None]
"""Called with the number of pairs of a chunk that the model has processed."""


Crashed = Callable[[], None]
"""Called when a child process dies at the pairs of a chunk."""


def _ignore() -> None:
    pass


class ChunkProgress(Protocol):
    """Hears when a chunk begins and ends, and how many of its pairs are done in between."""

    def begin(self, chunk: str, size: int, next_position: Mapping[str, Any] | None) -> None:
        """A chunk of `size` pairs is in work. next_position: where the next one starts; None after the last one."""

    def __call__(self, pairs: int) -> None:
        """So many of its pairs are done."""

    def loading(self, stage: str) -> AbstractContextManager[None]:
        """While the block runs, the model of a stage is being loaded."""

    def end(self) -> None:
        """The chunk is about to be committed."""


_processes: "weakref.WeakValueDictionary[str, ModelProcess]" = weakref.WeakValueDictionary()
_processes_lock = threading.Lock()


def shared_process(name: str) -> ModelProcess:
    """The child process of this process with a name. All stages of a graph have their models in one."""
    with _processes_lock:
        return _processes.setdefault(name, ModelProcess())


class StageRunner:
    """Runs a stage. All threads of a process share its model, which is loaded when the first pair needs it.

    threads: CPU threads of the model, unless the settings of the stage set a number. 0: its own default, but
    `in_child`, the cores of this host divided by its workers.
    child: the process in which the model runs for chunks on which processes crashed; None: one of its own. in_child:
    whether it runs there for all chunks. progress: hears when the model is loaded.
    """

    def __init__(
        self,
        stage: Stage,
        threads: int = 0,
        child: ModelProcess | None = None,
        in_child: bool = False,
        progress: ChunkProgress | None = None,
    ) -> None:
        self.stage = stage
        self._progress = progress
        self._load = partial(_load, stage, (threads or _OF_A_SLOT) if in_child else threads)
        self._always_isolated = in_child
        self._child = child or ModelProcess()
        self._model: Model | None = None
        self._load_lock = threading.Lock()

    def run(
        self, chunk: Chunk, table: Table | None = None, progress: Progress | None = None, crashed: Crashed = _ignore
    ) -> Chunk:
        """Returns the chunk with its rows, and with its pairs as later stages see them.

        A chunk that closes a range, or whose rows are known to be committed, is returned unchanged. table: if given and
        not detections, rows that are committed there for the same parent chunks are reused. crashed: called when a
        child process dies at its pairs.
        """
        if chunk.closes_range or self.stage.table in chunk.digests:
            return chunk
        started = time.perf_counter()
        if table and table.parents and (committed := self._committed(chunk, table)):
            return committed
        rows, recorded = self._process(chunk.pairs, progress, chunk.crashes, crashed)
        with _calling(self.stage):
            return replace(
                self.stage.with_rows(chunk, rows),
                recorded={**chunk.recorded, **recorded},
                seconds=chunk.timed(self.stage.name, time.perf_counter() - started),
            )

    def process(self, pairs: Sequence[Pair], progress: Progress | None = None, crashes: int = 0) -> list[Any]:
        """Returns one row per pair. crashes: see `Chunk`.

        Raises:
          UnhealthyDevice: the model fails on every input. Errors of `Stage.load` are raised unchanged for built-in
            stages, and as EnvironmentFault for custom stages.
        """
        return self._process(pairs, progress, crashes, _ignore)[0]

    def _process(
        self, pairs: Sequence[Pair], progress: Progress | None, crashes: int, crashed: Crashed
    ) -> tuple[list[Any], dict[str, Any]]:
        """The rows, and what the stage and its model record with them."""
        try:
            with _calling(self.stage) if self.stage.identity else nullcontext():
                rows, model = self._rows(pairs, progress, crashes, crashed)
        except UnhealthyDevice as error:
            raise UnhealthyDevice(": ".join(filter(None, (self.stage.culprit, str(error))))) from error
        with _calling(self.stage):
            recorded = check_json_object(self.stage.recorded_values(), "recorded_values")
            of_model = check_json_object(getattr(model, "recorded", {}), "the model's recorded")
            return rows, {**recorded, **of_model}

    def _rows(
        self, pairs: Sequence[Pair], progress: Progress | None, crashes: int, crashed: Crashed
    ) -> tuple[list[Any], Model | None]:
        """The rows, and the model if there is a pair that it takes."""
        rows = [self.stage.row(pair) for pair in pairs]
        asked = self.stage.prepare(pairs)
        taken = [number for number, _ in enumerate(pairs) if self._takes(asked[number])]
        if not taken:
            return self.stage.complete(pairs, rows), None
        model = self._open(crashes, crashed)
        if hasattr(model, "progress"):
            model.progress = progress
        found = run_with_bisection(
            [asked[number] for number in taken],
            lambda some: self._checked(some, model.process(some)),
            model.probe,
            self.stage.name,
        )
        for number, row in zip(taken, found, strict=True):
            rows[number] = self.stage.failed(pairs[number], row) if isinstance(row, Fault) else row
        return self.stage.complete(pairs, rows), model

    def _takes(self, pair: Pair) -> bool:
        return not pair.filtered and self.stage.takes(pair)

    def _checked(self, pairs: Sequence[Pair], rows: Sequence[Any]) -> Sequence[Any]:
        """Returns the rows of a model. Checks them here, where an invalid row can be attributed to its pair."""
        if not isinstance(rows, Iterable):
            raise WrongAnswer(f"the stage returned {rows!r}, not one row per pair")
        rows = list(rows)
        if len(rows) != len(pairs):
            returned = f"{counted(len(rows), 'row')} for {counted(len(pairs), 'pair')}"
            raise WrongAnswer(f"the stage returned {returned}")
        valid = [number for number, row in enumerate(rows) if not isinstance(row, Fault)]
        self.stage.check([rows[number] for number in valid])
        self.stage.complete([pairs[number] for number in valid], [rows[number] for number in valid])
        return rows

    def _committed(self, chunk: Chunk, table: Table) -> Chunk | None:
        """Returns the chunk with its committed rows. None if there are none, or if they must be computed again."""
        parents = {name: chunk.digests[name] for name in table.parents}
        chunk_id = ChunkId(chunk.source, chunk.range, chunk.number)
        file = table.find(chunk_id, parents, chunk.redo.get(table.name))
        if file is None:
            return None
        done = self.stage.with_rows(chunk, self.stage.decode(file.rows()))
        return replace(done, rows=(), digests={**chunk.digests, table.name: file.digest})

    def _open(self, crashes: int, crashed: Crashed) -> Model:
        if self._always_isolated or crashes:
            reads_images = self.stage.reads_images
            isolated = IsolatedModel(
                self._child, self._load, self.stage.name, reads_images, crashes, crashed, loading=self._loading
            )
            heartbeat.advance(f"load the model of {self.stage.name}")
            isolated.open()
            heartbeat.advance(self.stage.name)
            return isolated
        with self._load_lock:
            if self._model is None:
                with self._loading():
                    self._model = self._load()
            return self._model

    def _loading(self) -> AbstractContextManager[None]:
        return self._progress.loading(self.stage.name) if self._progress else nullcontext()


_OF_A_SLOT = -1


def _load(stage: Stage, threads: int) -> Model:
    if threads == _OF_A_SLOT:
        threads = cores_of_a_slot()
    stage = stage.with_threads(threads) if threads else stage
    if not stage.identity:
        return stage.load()
    model = stage.load()
    check_made(model, "its method load", "process", "probe")
    return model


def _calling(stage: Stage) -> AbstractContextManager[None]:
    """Names the stage in every exception but those that name their culprit."""
    return calling(stage.culprit or stage.name, EnvironmentFault, (RunFault, UnhealthyDevice))
