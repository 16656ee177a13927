"""RunStage: adds the rows of a stage to chunks, one chunk at a time, with Beam's RunInference."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam

from pipeline.engines import heartbeat, worker_context
from pipeline.engines.adapted_beam import without_module
from pipeline.files.lease import Lease
from pipeline.ids import ChunkId
from pipeline.stages.base import Stage
from pipeline.stages.runner import ChunkProgress, StageRunner, shared_process
from pipeline.tables.table import Table
from transforms.records import Chunk

# Beam's model manager, which is not used here, imports torch: 180 MiB and a second in a driver that has no model.
with without_module("apache_beam.ml.inference.model_manager"):
    from apache_beam.ml.inference.base import ModelHandler, RunInference


def _ignore(_: ChunkId) -> None:
    pass


def _nothing(_: ChunkId) -> AbstractContextManager[None]:
    return nullcontext()


class StageHandler(ModelHandler[Chunk, Chunk, StageRunner]):
    """A Beam ModelHandler whose example is a whole chunk. Batches are formed inside a chunk, so they depend only on the
    input.

    Args:
      table: the table of the stage.
      progress: hears of each chunk, and of its finished pairs while it is processed. With several tables, each one
        contributes an equal part of a pair.
      position: the position of the table, from 0. tables: the number of tables.
      threads: see `StageRunner`.
      lease: as for `worker_context.outputs`.
      child: the name of the child process of the graph. in_child: whether its models are there. If not, they are in the
        process of the worker, and the child process has those of chunks on which a process crashed.
      crashed: called when a child process dies at a chunk. releasing: the block in which a chunk is processed.
    """

    def __init__(
        self,
        stage: Stage,
        table: Table,
        progress: ChunkProgress | None = None,
        position: int = 0,
        tables: int = 1,
        threads: int = 0,
        lease: Lease | None = None,
        child: str = "",
        in_child: bool = False,
        crashed: Callable[[ChunkId], None] = _ignore,
        releasing: Callable[[ChunkId], AbstractContextManager[None]] = _nothing,
    ) -> None:
        super().__init__(min_batch_size=1, max_batch_size=1)
        self.stage = stage
        self.table = table
        self.progress = progress
        self.position = position
        self.tables = tables
        self.threads = threads
        self.lease = lease
        self.child = child
        self.in_child = in_child
        self.crashed = crashed
        self.releasing = releasing

    def load_model(self) -> StageRunner:
        """Returns a runner that loads the model later: RunInference calls this in setup, even if no element arrives."""
        child = shared_process(self.child) if self.child else None
        return StageRunner(self.stage, self.threads, child, self.in_child, self.progress)

    def run_inference(
        self, batch: Sequence[Chunk], model: StageRunner, inference_args: dict[str, Any] | None = None
    ) -> list[Chunk]:
        """Returns the chunks with their rows; none if the lease is revoked."""
        run = partial(map, partial(self._run, model=model), batch)
        return list(worker_context.outputs(self.lease, self.stage.name, run))

    def _run(self, chunk: Chunk, model: StageRunner) -> Chunk:
        pairs, chunk_id = len(chunk.pairs), ChunkId(chunk.source, chunk.range, chunk.number)
        if self.progress and pairs and self.position == 0:
            self.progress.begin(chunk_id.stem, pairs, chunk.next_position)
        with self.releasing(chunk_id):
            done = model.run(chunk, self.table, partial(self._report, pairs), partial(self.crashed, chunk_id))
        if self.progress and self.position == self.tables - 1:
            self.progress.end()  # the chunk is committed next
        return done

    def _report(self, pairs: int, done: int) -> None:
        heartbeat.advance()
        if self.progress:
            self.progress((self.position * pairs + done) // self.tables)

    def get_num_bytes(self, batch: Sequence[Chunk]) -> int:
        """Returns the number of encoded image bytes. Beam's default would pickle the batch to count them."""
        return sum(len(pair.data) for chunk in batch for pair in chunk.pairs)

    def get_metrics_namespace(self) -> str:
        """Returns the namespace of Beam's counters."""
        return f"gritmill.{self.stage.name}"

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        """Raises ValueError if there is an inference argument."""
        if inference_args:
            raise ValueError("a stage accepts no inference arguments")


@dataclass
class RunStage(beam.PTransform):
    """Chunks -> the same chunks with the rows of a stage, and with their pairs as later stages see them."""

    handler: StageHandler

    def expand(self, chunks: beam.PCollection) -> beam.PCollection:
        return chunks | RunInference(self.handler)
