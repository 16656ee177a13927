"""Runs any stage: loads the model once, attributes a failure to its pair, isolates a pair that kills the process in a
separate process, measures the time, and reuses committed rows."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from pipeline.faults import EnvironmentFault, RunFault
from pipeline.ids import ChunkId
from pipeline.stages.base import Stage
from pipeline.tables.table import Table
from transforms.culprits import WrongAnswer, calling
from transforms.isolation.bisect import UnhealthyDevice, run_with_bisection
from transforms.isolation.isolated_model import IsolatedModel
from transforms.models import Model
from transforms.plugins import check_json_object, check_made
from transforms.records import Chunk, Fault, Pair
from transforms.wording import counted

Progress = Callable[[int], None]
"""Called with the number of pairs of a chunk that the model has processed."""


class ChunkProgress(Protocol):
    """Hears when a chunk begins and ends, and how many of its pairs are done in between."""

    def begin(self, chunk: str, size: int) -> None:
        """A chunk of `size` pairs is in work."""

    def __call__(self, pairs: int) -> None:
        """So many of its pairs are done."""

    def end(self) -> None:
        """The chunk is about to be committed."""


class StageRunner:
    """Runs a stage. All threads of a process share its model, which is loaded when the first pair needs it.

    threads: CPU threads of the model, unless the settings of the stage set a number. 0: the default of the model.
    """

    def __init__(self, stage: Stage, threads: int = 0) -> None:
        self.stage = stage
        self._load = partial(_load, stage, threads)
        self._model: Model | None = None
        self._isolated: IsolatedModel | None = None
        self._load_lock = threading.Lock()

    def run(self, chunk: Chunk, table: Table | None = None, progress: Progress | None = None) -> Chunk:
        """Returns the chunk with its rows, and with its pairs as later stages see them.

        A chunk that closes a range, or whose rows are known to be committed, is returned unchanged. table: if given and
        not detections, rows that are committed there for the same parent chunks are reused.
        """
        if chunk.closes_range or self.stage.table in chunk.digests:
            return chunk
        started = time.perf_counter()
        if table and table.parents and (committed := self._committed(chunk, table)):
            return committed
        rows = self.process(chunk.pairs, progress, chunk.isolated)
        with _calling(self.stage):
            return replace(
                self.stage.with_rows(chunk, rows),
                recorded={**chunk.recorded, **self._recorded(chunk)},
                seconds=chunk.timed(self.stage.name, time.perf_counter() - started),
            )

    def _recorded(self, chunk: Chunk) -> dict[str, Any]:
        """Returns what the stage and its model record with the rows of a chunk."""
        of_stage = check_json_object(self.stage.recorded_values(), "recorded_values")
        model = self._isolated if chunk.isolated else self._model
        if model is None or not any(map(self._takes, chunk.pairs)):
            return of_stage
        return {**of_stage, **check_json_object(getattr(model, "recorded", {}), "the model's recorded")}

    def process(self, pairs: Sequence[Pair], progress: Progress | None = None, isolated: bool = False) -> list[Any]:
        """Returns one row per pair. isolated: run the model in a separate process.

        Raises:
          UnhealthyDevice: the model fails on every input. Errors of `Stage.load` are raised unchanged for built-in
            stages, and as EnvironmentFault for custom stages.
        """
        try:
            with _calling(self.stage) if self.stage.identity else nullcontext():
                return self._process(pairs, progress, isolated)
        except UnhealthyDevice as error:
            raise UnhealthyDevice(": ".join(filter(None, (self.stage.culprit, str(error))))) from error

    def _process(self, pairs: Sequence[Pair], progress: Progress | None, isolated: bool) -> list[Any]:
        rows = [self.stage.row(pair) for pair in pairs]
        taken = [number for number, pair in enumerate(pairs) if self._takes(pair)]
        if taken:
            model = self._open(isolated)
            if hasattr(model, "progress"):
                model.progress = progress
            found = run_with_bisection(
                [pairs[number] for number in taken],
                lambda some: self._checked(some, model.process(some)),
                model.probe,
                self.stage.name,
            )
            for number, row in zip(taken, found, strict=True):
                rows[number] = self.stage.failed(pairs[number], row) if isinstance(row, Fault) else row
        return self.stage.complete(pairs, rows)

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

    def _open(self, isolated: bool) -> Model:
        with self._load_lock:
            if isolated:
                self._isolated = self._isolated or IsolatedModel(self._load, self.stage.name)
                return self._isolated
            if self._model is None:
                self._model = self._load()
            return self._model


def _load(stage: Stage, threads: int) -> Model:
    stage = stage.with_threads(threads) if threads else stage
    if not stage.identity:
        return stage.load()
    model = stage.load()
    check_made(model, "its method load", "process", "probe")
    return model


def _calling(stage: Stage) -> AbstractContextManager[None]:
    """Names the stage in every exception but those that name their culprit."""
    return calling(stage.culprit or stage.name, EnvironmentFault, (RunFault, UnhealthyDevice))
