"""Code that all tables share: JSON lines, CSV, TSV, parquet."""

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
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
from transforms.records import FailureStage, Fault, ImageRef, Pair, Reason

_SAMPLED_ROWS = 100

_NOT_DOWNLOADED = ("failed_to_download", "failed_to_resize")
"""Values of the column `status` that img2dataset writes for rows without an image."""

Row = dict[str, Any] | str
"""Cells by column. For a row that cannot be read, a text with the reason."""


class TableSource(ImageFileSource):
    """A position contains `row` (its number), `skip` (number of earlier captions in the row), `index`, and keys of the
    kind."""

    def positioned_rows(self, start: Position) -> Iterator[tuple[Position, Row]]:
        """The rows from the one with `start` on, each with the position of its first pair."""
        raise NotImplementedError

    def column_names(self) -> list[str]:
        """The names of the columns."""
        raise NotImplementedError

    @cached_property
    def columns(self) -> Columns:
        """The columns that are used."""
        return Columns.pick(self.column_names(), self.settings.columns, self.uri)

    def read(self, start: Position) -> Iterator[tuple[Position, Pair]]:
        """A row that cannot be read becomes a failed pair."""
        for position, row in self.positioned_rows(start):
            skip = start["skip"] if position["row"] == start["row"] else 0
            for number, pair in enumerate(self._pairs(position, row)):
                if number >= skip:
                    yield {**position, "skip": number, "index": pair.index}, pair

    def image(self, row: dict[str, Any], number: int) -> tuple[ImageRef | Fault, bytes]:
        """The image of a row, and its bytes if they are in the table."""
        cell = row.get(self.columns.image)  # Hugging Face's struct<bytes, path> may name a path in any table
        return image_reference(cell.get("path") if isinstance(cell, dict) else cell, self.root), b""

    def place(self, position: Position) -> str:
        """Where a row is, in addition to its number, for a message."""
        return ""

    def count(self, row: Row) -> int:
        """The number of pairs of a row."""
        return 1 if isinstance(row, str) else len(captions_of(row.get(self.columns.caption)))

    def _pairs(self, position: Position, row: Row) -> Iterator[Pair]:
        number, index = position["row"], position["index"]
        if isinstance(row, str):
            yield broken_row(self.uri, number, index, f"row {number + 1}{self.place(position)}: {row}")
        else:
            yield from row_pairs(
                row, self.columns, self.uri, number, index, _unless_not_downloaded(row, self.image(row, number))
            )


class TextTableSource(TableSource):
    """A table in a text file. A position also contains `offset`, the first byte of the row."""

    def rows(self, offset: int, number: int) -> Iterator[tuple[int, int, Row]]:
        """The first byte, number and content of every row from `offset` on. number: of the first one."""
        raise NotImplementedError

    def place(self, position: Position) -> str:
        """The first byte."""
        return f", at byte {position['offset']}"

    def ranges(self, rows: int) -> list[RangeSpec]:
        """Scans the file once."""
        columns = self.columns  # a table without rows must have them, too
        counts = (
            (position, self.count(row), row if isinstance(row, str) else row.get(columns.image))
            for position, row in self.positioned_rows({"offset": 0, "row": 0, "skip": 0, "index": 0})
        )
        return slice_ranges(counts, rows)

    def starts(self, start: Position) -> Iterator[Position]:
        """Reads the rows. `start` must be the first pair of a row."""
        for position, row in self.positioned_rows(start):
            for skip in range(self.count(row)):
                yield {**position, "skip": skip, "index": position["index"] + skip}

    def positioned_rows(self, start: Position) -> Iterator[tuple[Position, Row]]:
        index = start["index"] - start["skip"]
        for offset, number, row in self.rows(start["offset"], start["row"]):
            yield {"offset": offset, "row": number, "skip": 0, "index": index}, row
            index += self.count(row)


class RecordSource(TextTableSource):
    """A table of JSON objects. The columns are the fields of the objects in the first 100 rows."""

    def column_names(self) -> list[str]:
        """The fields in order of appearance. If there is no object, the requested names."""
        rows = [row for _, _, row in islice(self.rows(0, 0), _SAMPLED_ROWS) if isinstance(row, dict)]
        columns = self.settings.columns
        return list(dict.fromkeys(name for row in rows for name in row)) or [*columns.caption, *columns.image]


def _unless_not_downloaded(
    row: dict[str, Any], image: tuple[ImageRef | Fault, bytes]
) -> tuple[ImageRef | Fault, bytes]:
    """The image, or a Fault with the status of a row for which img2dataset has not downloaded one."""
    found, _ = image
    status, message = row.get("status"), row.get("error_message")
    if not isinstance(found, Fault) or found.reason is not Reason.NO_IMAGE or status not in _NOT_DOWNLOADED:
        return image
    return Fault.from_error(FailureStage.READ, Reason.NOT_DOWNLOADED, f"{status}: {message or 'no message'}"), b""
