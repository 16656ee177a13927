"""The interface of a model that a stage of `ground` runs: it returns rows for the pairs of a chunk."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from transforms.records import Pair


class Model(Protocol):
    """Returns one row per pair.

    A model may also have these attributes:
      recorded: dict[str, Any], JSON values: what the rows were computed with (device, threads). Stored with the rows.
      progress: gritmill sets it to a callable before each chunk. Call it with the number of pairs done so far.
    """

    def process(self, pairs: Sequence[Pair]) -> Sequence[Any]:
        """The rows of the pairs, in order. If it raises, gritmill halves the batch until it finds the pair at fault.

        The row of a pair must not depend on the other pairs. Captions of one image are consecutive.
        """

    def probe(self) -> object:
        """Runs the model on an input that is known to work. If this raises as well, no pair is at fault."""


@runtime_checkable
class Batched(Protocol):
    """A model or a detector whose batches can run one by one. If one batch kills the process, the results of the others
    are kept. `pairs` are pairs for a model, requests for a detector."""

    def batches(self, pairs: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The batches of the pairs, each a list of items. An item's `request` is the number of its pair."""

    def run_batch(self, pairs: Sequence[Any], batch: Sequence[Any]) -> list[tuple[int, Any]]:
        """The results of a batch or of a part of a batch, each with the number of its pair."""

    def merge(self, pairs: Sequence[Any], results: Sequence[tuple[int, Any]]) -> list[Any]:
        """One row per pair. A `Fault` among the results is the row of its pair."""
