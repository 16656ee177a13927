"""The base class of a stage: a step of `ground` that runs a model and writes rows to a table.

A stage does not implement model loading, attribution of failures to pairs, isolation of pairs that kill the process,
timing, progress or the table. `runner` and `pipeline.ground` provide these for all stages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline import layout
from transforms.culprits import WrongAnswer
from transforms.models import Model
from transforms.records import Chunk, FailureStage, Fault, Pair

if TYPE_CHECKING:
    import pyarrow as pa


class Stage:
    """A stage with its own table, whose rows are dictionaries. It is pickled and sent to the workers.

    name: the name of the step in reports and faults. table: the folder of the rows, next to `detections/`. parents: the
    tables that the rows are computed from. version: of the columns.
    """

    name: ClassVar[str]
    table: ClassVar[str]
    parents: ClassVar[tuple[str, ...]] = (layout.DETECTIONS,)
    version: ClassVar[int] = 1

    origin: ClassVar[Any] = None
    """A function and its arguments that create the stage again on a worker. None: the stage is pickled as usual."""

    identity: ClassVar[str] = ""
    """Identifies the code of a custom stage, as part of the fingerprint of its table. Empty for built-in stages."""

    culprit: ClassVar[str] = ""
    """For messages: the key of the configuration that names the model or the stage, and its value."""

    reads_images: ClassVar[bool] = True
    """Whether the model reads the images of pairs. If not, they are not sent to the process in which it runs."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.origin or super().__reduce_ex__(protocol)

    def columns(self) -> "list[pa.Field[Any]]":
        """Returns the columns of a row. `key`, `index` and `error` are added automatically."""
        raise NotImplementedError

    def load(self) -> Model:
        """Loads the model. Called once per process, and only if there is a pair to process. Threads share the model."""
        raise NotImplementedError

    def fingerprint_values(self) -> dict[str, Any]:
        """Returns the settings that affect rows, as JSON. A table that was computed with other values is refused."""
        return {}

    def with_threads(self, threads: int) -> "Stage":
        """Returns the stage with `threads` CPU threads for its model, unless its settings set a number."""
        return self

    def recorded_values(self) -> dict[str, Any]:
        """Returns settings that do not affect rows but are recorded with them, as JSON."""
        return {}

    def prepare(self, pairs: Sequence[Pair]) -> Sequence[Pair]:
        """Returns the pairs as the model sees them, one for each. `takes` is asked about these.

        Called once with all pairs of a chunk, before any failure is bisected: the only place in which the row of a pair
        may depend on other pairs.
        """
        return pairs

    def takes(self, pair: Pair) -> bool:
        """Whether the model processes a pair."""
        return not pair.error

    def row(self, pair: Pair) -> Any:
        """Returns the row of a pair that the model does not process. Missing columns get their empty value.

        A pair that failed earlier does not count as a failure of this stage, unless its image can no longer be fetched.
        """
        return self.failed(pair, pair.error) if pair.error and pair.error.stage == FailureStage.FETCH else {}

    def failed(self, pair: Pair, fault: Fault) -> Any:
        """Returns the row of a pair on which the model failed."""
        return {"error": asdict(fault)}

    def is_failed(self, row: Any) -> bool:
        """Whether a complete row has an error."""
        return row["error"] is not None

    def update(self, pair: Pair, row: Any) -> Pair:
        """Returns the pair as later stages see it: `rows` contains the row under the name of the table.

        Must be idempotent.
        """
        return replace(pair, rows={**pair.rows, self.table: row})

    def check(self, rows: Sequence[Any]) -> None:
        """Raises ValueError if a row from the model is not a dictionary or lacks a column."""
        for row in rows:
            if not isinstance(row, Mapping):
                raise WrongAnswer(f"the model returned {row!r} as a row, which is not a dict")
        for column in self.columns():
            if any(column.name not in row for row in rows):
                raise WrongAnswer(f"the row has no {column.name}")

    def complete(self, pairs: Sequence[Pair], rows: Sequence[Any]) -> list[Any]:
        """Returns the rows as the table stores them, with all columns. Later stages then see the same after a restart.

        Raises:
          ValueError: `pairs` and `rows` differ in length, or a row does not match the columns.
        """
        from pipeline.tables.row_files import as_table, check_rows

        keyed = [{**row, "key": pair.key, "index": pair.index} for pair, row in zip(pairs, rows, strict=True)]
        check_rows(keyed, self.schema())
        return list(self.decode(as_table(keyed, self.schema())))

    def encode(self, row: Any) -> Mapping[str, Any]:
        """Returns the values of a complete row by column."""
        return row  # type: ignore[no-any-return]

    def decode(self, rows: "pa.Table") -> Sequence[Any]:
        """Returns the rows from the content of a chunk's file."""
        return rows.to_pylist()

    def with_rows(self, chunk: Chunk, rows: Sequence[Any]) -> Chunk:
        """Returns the chunk with these rows, and with its pairs as later stages see them."""
        pairs = tuple(self.update(pair, row) for pair, row in zip(chunk.pairs, rows, strict=True))
        return replace(chunk, pairs=pairs, rows=tuple(rows))

    def schema(self) -> "pa.Schema":
        """Returns all columns of the table."""
        from pipeline.tables.row_files import schema_of

        return schema_of(self.columns())


class DetectionsStage(Stage):
    """A stage that contributes to `detections/`. Its row is the pair itself, with the results of the stage added."""

    table = layout.DETECTIONS
    parents = ()

    def row(self, pair: Pair) -> Pair:
        """Returns the pair without its image."""
        return replace(pair, data=b"")

    def failed(self, pair: Pair, fault: Fault) -> Pair:
        """Returns the pair as an error row."""
        return self.row(pair).failed(fault)

    def is_failed(self, row: Pair) -> bool:
        """Whether the pair has failed."""
        return row.error is not None

    def update(self, pair: Pair, row: Pair) -> Pair:
        """Returns the row, with the image of the pair."""
        return replace(row, data=pair.data)

    def check(self, rows: Sequence[Pair]) -> None:
        """Does nothing, because a `Pair` has all fields."""

    def complete(self, pairs: Sequence[Pair], rows: Sequence[Pair]) -> list[Pair]:
        """Returns the rows unchanged. Raises ValueError if `pairs` and `rows` differ in length."""
        return [row for _, row in zip(pairs, rows, strict=True)]

    def encode(self, row: Pair) -> Mapping[str, Any]:
        """Returns the values of the pair by column."""
        from pipeline.tables.pair_rows import to_row

        return to_row(row)

    def decode(self, rows: "pa.Table") -> Sequence[Pair]:
        """Returns the pairs from the content of a chunk's file."""
        from pipeline.tables.pair_rows import from_table

        return list(from_table(rows))
