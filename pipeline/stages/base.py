"""What a stage is: a step of `ground` that runs a model, and the table that its rows go to.

Loading the model, tracing a failure to a pair, isolation of a pair that kills the process, times, progress and the
table are written once, around the stages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline import layout
from transforms.models import Model
from transforms.records import Chunk, FailureStage, Fault, Pair

if TYPE_CHECKING:
    import pyarrow as pa


class Stage:
    """A stage with a table of its own, whose rows are dictionaries. It is pickled on its way to the workers.

    name: of the step in reports and faults. table: the folder of its rows, beside `detections/`. parents: the tables
    whose rows the rows are made from. version: of the columns.
    """

    name: ClassVar[str]
    table: ClassVar[str]
    parents: ClassVar[tuple[str, ...]] = (layout.DETECTIONS,)
    version: ClassVar[int] = 1

    origin: ClassVar[Any] = None
    """A function and its arguments that make the stage again on a worker; None: it is pickled by its class."""

    identity: ClassVar[str] = ""
    """Of the code of a stage of your own, part of its table's fingerprint."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.origin or super().__reduce_ex__(protocol)

    def columns(self) -> "list[pa.Field[Any]]":
        """The columns of a row; `key`, `index` and `error` are added."""
        raise NotImplementedError

    def load(self) -> Model:
        """Opens the model: once a process, and only if there is a pair to process. Threads share it."""
        raise NotImplementedError

    def fingerprint_values(self) -> dict[str, Any]:
        """What of the settings changes rows, as JSON: a table that was made with others is refused."""
        return {}

    def with_threads(self, threads: int) -> "Stage":
        """The stage with so many CPU threads for its model, unless its settings say how many."""
        return self

    def recorded_values(self) -> dict[str, Any]:
        """What of the settings is noted beside the rows without changing them, as JSON."""
        return {}

    def takes(self, pair: Pair) -> bool:
        """Whether the model is to process a pair."""
        return not pair.error

    def row(self, pair: Pair) -> Any:
        """The row of a pair that the model does not process: columns that are not in it hold their empty value.

        A pair that had failed before is no failure of this stage; one whose image is no longer there is.
        """
        return self.failed(pair, pair.error) if pair.error and pair.error.stage == FailureStage.FETCH else {}

    def failed(self, pair: Pair, fault: Fault) -> Any:
        """The row of a pair at which the model failed."""
        return {"error": asdict(fault)}

    def update(self, pair: Pair, row: Any) -> Pair:
        """The pair as the stages behind this one see it: with the row under the table's name in `rows`. Applied once
        more to what it gave, it must give the same."""
        return replace(pair, rows={**pair.rows, self.table: row})

    def check(self, rows: Sequence[Any]) -> None:
        """Raises ValueError if a row of the model lacks a column."""
        for column in self.columns():
            if any(column.name not in row for row in rows):
                raise ValueError(f"the row has no {column.name}")

    def complete(self, pairs: Sequence[Pair], rows: Sequence[Any]) -> list[Any]:
        """The rows as they are kept, with all columns: what later stages see is the same after a restart.

        Raises:
          ValueError: there are too few, or one does not fit the columns.
        """
        from pipeline.tables.row_files import as_table, check_rows

        keyed = [{**row, "key": pair.key, "index": pair.index} for pair, row in zip(pairs, rows, strict=True)]
        check_rows(keyed, self.schema())
        return list(self.decode(as_table(keyed, self.schema())))

    def encode(self, row: Any) -> Mapping[str, Any]:
        """A complete row as values by column."""
        return row  # type: ignore[no-any-return]

    def decode(self, rows: "pa.Table") -> Sequence[Any]:
        """The rows that a chunk's file holds."""
        return rows.to_pylist()

    def with_rows(self, chunk: Chunk, rows: Sequence[Any]) -> Chunk:
        """The chunk with these rows, and its pairs as the next stage sees them."""
        pairs = tuple(self.update(pair, row) for pair, row in zip(chunk.pairs, rows, strict=True))
        return replace(chunk, pairs=pairs, rows=tuple(rows))

    def schema(self) -> "pa.Schema":
        """All columns of the table."""
        import pyarrow as pa

        from pipeline.tables.row_files import ERROR_FIELD

        key: pa.Field[Any] = pa.field("key", pa.string(), nullable=False)
        return pa.schema([key, pa.field("index", pa.int64(), nullable=False), *self.columns(), ERROR_FIELD])


class DetectionsStage(Stage):
    """One of the stages that together make `detections/`: a row is the pair itself, with what the stage has found."""

    table = layout.DETECTIONS
    parents = ()

    def row(self, pair: Pair) -> Pair:
        """The pair as it is, without its image."""
        return replace(pair, data=b"")

    def failed(self, pair: Pair, fault: Fault) -> Pair:
        """The pair as an error row."""
        return self.row(pair).failed(fault)

    def update(self, pair: Pair, row: Pair) -> Pair:
        """The row, with the pair's image."""
        return replace(row, data=pair.data)

    def check(self, rows: Sequence[Pair]) -> None:
        """Whatever a stage adds to a pair is there."""

    def complete(self, pairs: Sequence[Pair], rows: Sequence[Pair]) -> list[Pair]:
        """The rows as they are."""
        return [row for _, row in zip(pairs, rows, strict=True)]

    def encode(self, row: Pair) -> Mapping[str, Any]:
        """The pair as values by column."""
        from pipeline.tables.pair_rows import to_row

        return to_row(row)

    def decode(self, rows: "pa.Table") -> Sequence[Pair]:
        """The rows that a chunk's file holds."""
        from pipeline.tables.pair_rows import from_table

        return list(from_table(rows))
