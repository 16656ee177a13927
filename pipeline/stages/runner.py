"""What is the same for all stages: the model is loaded once, a failure is traced to its pair, a pair that kills the
process is found in a process of its own, the time is taken, and what is committed is not computed again."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pipeline.faults import EnvironmentFault
from pipeline.ids import ChunkId
from pipeline.stages.base import Stage
from pipeline.tables.table import Table
from transforms.isolation.bisect import run_with_bisection
from transforms.isolation.isolated_model import IsolatedModel
from transforms.models import Model
from transforms.records import Chunk, Fault, Pair

Progress = Callable[[int], None]
"""Called with the number of pairs of a chunk that are through the model."""


class StageRunner:
    """A stage whose model all threads of a process share. Nothing is loaded before there is a pair to process.

    threads: CPU threads of the model, unless the stage's settings say how many; 0: as the model has it.
    """

    def __init__(self, stage: Stage, threads: int = 0) -> None:
        self.stage = stage
        self._load = partial(_load, stage, threads)
        self._model: Model | None = None
        self._isolated: IsolatedModel | None = None
        self._load_lock = threading.Lock()

    def run(self, chunk: Chunk, table: Table | None = None, progress: Progress | None = None) -> Chunk:
        """The chunk with its rows, and its pairs as the next stage sees them.

        The chunk that closes a range stays as it is, and so does one whose rows are committed. table: where to look for
        such rows, made from the parent chunks that this one has.
        """
        if chunk.closes_range or self.stage.table in chunk.digests:
            return chunk
        started = time.perf_counter()
        if table and table.parents and (committed := self._committed(chunk, table)):
            return committed
        rows = self.process(chunk.pairs, progress, chunk.isolated)
        model = self._isolated if chunk.isolated else self._model
        of_model = getattr(model, "recorded", {}) if any(map(self.stage.takes, chunk.pairs)) else {}
        return replace(
            self.stage.with_rows(chunk, rows),
            recorded={**chunk.recorded, **self.stage.recorded_values(), **of_model},
            seconds=chunk.timed(self.stage.name, time.perf_counter() - started),
        )

    def process(self, pairs: Sequence[Pair], progress: Progress | None = None, isolated: bool = False) -> list[Any]:
        """One row a pair. isolated: in a process of its own.

        Raises:
          UnhealthyDevice: the model fails on every input. Whatever loading the model raises.
        """
        rows = [self.stage.row(pair) for pair in pairs]
        taken = [number for number, pair in enumerate(pairs) if self.stage.takes(pair)]
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

    def _checked(self, pairs: Sequence[Pair], rows: Sequence[Any]) -> Sequence[Any]:
        """The rows of a model; what does not fit is found while it can be traced to its pair."""
        rows = list(rows)
        if len(rows) != len(pairs):
            raise ValueError(f"the stage gave {len(rows)} rows for {len(pairs)} pairs")
        sound = [number for number, row in enumerate(rows) if not isinstance(row, Fault)]
        self.stage.check([rows[number] for number in sound])
        self.stage.complete([pairs[number] for number in sound], [rows[number] for number in sound])
        return rows

    def _committed(self, chunk: Chunk, table: Table) -> Chunk | None:
        """The chunk with the rows that are committed of it; None if there are none that may stay."""
        parents = {name: chunk.digests[name] for name in table.parents}
        chunk_id = ChunkId(chunk.source, chunk.range, chunk.number)
        file = None if table.name in chunk.redo else table.find(chunk_id, parents)
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
    try:
        model = stage.load()
        _ = model.process, model.probe
    except Exception as error:  # somebody else's code
        raise EnvironmentFault(f"{stage.name}: {stage.identity}: {type(error).__name__}: {error}") from error
    return model
