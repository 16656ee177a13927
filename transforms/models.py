"""What a stage of `ground` runs: rows for pairs, a whole chunk at a time."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from transforms.records import Pair


class Model(Protocol):
    """Gives one row a pair.

    A model may also have these attributes:
      recorded: dict[str, Any], JSON: with what the rows are made (device, threads); it is noted beside them.
      progress: set to a callable before each chunk, to be called with the number of pairs that are done.
    """

    def process(self, pairs: Sequence[Pair]) -> Sequence[Any]:
        """The rows of the pairs, in order. An exception is traced to the pair that causes it, by halving.

        The row of a pair must not depend on the other pairs. Captions of one picture follow each other.
        """

    def probe(self) -> object:
        """Runs the model on something known to be good: if this raises as well, no pair is at fault."""


@runtime_checkable
class Batched(Protocol):
    """A model, or a detector, whose batches can be run one by one: where one kills the process, the others keep their
    results. A model is given pairs, a detector requests."""

    def batches(self, pairs: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The batches of the pairs, each a list of items; an item's `request` is the number of its pair."""

    def run_batch(self, pairs: Sequence[Any], batch: Sequence[Any]) -> list[tuple[int, Any]]:
        """The results of a batch, or of a piece of one, each with the number of its pair."""

    def merge(self, pairs: Sequence[Any], results: Sequence[tuple[int, Any]]) -> list[Any]:
        """One row a pair. A `Fault` among the results is that pair's row."""
