"""Tables in text files, whatever a row looks like: JSON lines, CSV, TSV."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from pipeline.sources.base import (
    Columns,
    ImageFileSource,
    Position,
    RangeSpec,
    broken_row,
    captions_of,
    image_reference,
    row_pairs,
    slice_ranges,
)
from transforms.records import Pair

Row = dict[str, Any] | str
"""Cell by column; for a row that cannot be read, a text that says why."""


class TableSource(ImageFileSource):
    """A position holds `offset` (first byte of the row), `row` (its number), `skip` (captions gone by), `index`."""

    def rows(self, offset: int, number: int) -> Iterator[tuple[int, int, Row]]:
        """First byte, number and content of every row from `offset` on; `number` is that of the first."""
        raise NotImplementedError

    def column_names(self) -> list[str]:
        """The names of the columns."""
        raise NotImplementedError

    @cached_property
    def columns(self) -> Columns:
        """Which columns are used."""
        return Columns.pick(self.column_names(), self.settings.columns, self.uri)

    def ranges(self, rows: int) -> list[RangeSpec]:
        """By one scan of the file."""
        _ = self.columns  # also a table without rows must have them
        return slice_ranges(
            ((position, self._count(row), self._image(row)) for position, row in self._positioned_rows(None)), rows
        )

    def starts(self, start: Position) -> Iterator[Position]:
        """By reading on; `start` is the first pair of a row."""
        for position, row in self._positioned_rows(start):
            for skip in range(self._count(row)):
                yield {**position, "skip": skip, "index": position["index"] + skip}

    def read(self, start: Position) -> Iterator[tuple[Position, Pair]]:
        """A row that cannot be read is a failed pair."""
        for position, row in self._positioned_rows(start):
            skip = start["skip"] if position["offset"] == start["offset"] else 0
            for number, pair in enumerate(self._pairs(position, row)):
                if number >= skip:
                    yield {**position, "skip": number, "index": pair.index}, pair

    def _positioned_rows(self, start: Position | None) -> Iterator[tuple[Position, Row]]:
        """The rows, each with the position of its first pair."""
        offset, number, index = (start["offset"], start["row"], start["index"] - start["skip"]) if start else (0, 0, 0)
        for row_offset, row_number, row in self.rows(offset, number):
            yield {"offset": row_offset, "row": row_number, "skip": 0, "index": index}, row
            index += self._count(row)

    def _pairs(self, position: Position, row: Row) -> Iterator[Pair]:
        number, index = position["row"], position["index"]
        if isinstance(row, str):
            yield broken_row(self.uri, number, index, f"row {number + 1}, at byte {position['offset']}: {row}")
        else:
            image = image_reference(_path(row.get(self.columns.image)), self.root)
            yield from row_pairs(row, self.columns, self.uri, number, index, image)

    def _count(self, row: Row) -> int:
        return 1 if isinstance(row, str) else len(captions_of(row.get(self.columns.caption)))

    def _image(self, row: Row) -> object:
        return row if isinstance(row, str) else row.get(self.columns.image)


def _path(cell: Any) -> Any:
    """A table of text holds no image bytes; Hugging Face's struct<bytes, path> may still name a path."""
    return cell.get("path") if isinstance(cell, dict) else cell
