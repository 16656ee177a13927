"""CSV and TSV with image paths: a header line, then one pair per row."""

import csv
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from pipeline import files
from pipeline.faults import CallError
from pipeline.sources.table import Row, TextTableSource

_MAX_CELL_CHARS = 1 << 20  # the end of a quoted cell must be within this distance
csv.field_size_limit(_MAX_CELL_CHARS)


class DelimitedSource(TextTableSource):
    """`delimiter` separates cells. Quotes are plain text if `source.quoting` is "none"."""

    delimiter: str

    def column_names(self) -> list[str]:
        """The cells of the header line. Raises CallError if it is missing or cannot be read."""
        for _, cells in self._cells(0):
            if isinstance(cells, list):
                return cells
            break
        raise CallError(f"--input: {self.uri}: no header line")

    def rows(self, offset: int, number: int) -> Iterator[tuple[int, int, Row]]:
        """Every row except the header and empty lines."""
        column_names = self.column_names()
        for row_offset, cells in self._cells(offset):
            if row_offset == 0 or not cells:
                continue
            yield row_offset, number, self._row(column_names, cells)
            number += 1

    def _row(self, column_names: list[str], cells: "list[str] | str") -> Row:
        if isinstance(cells, str):
            return cells
        if len(cells) != len(column_names):
            return f"{len(cells)} cells, but {len(column_names)} columns"
        return dict(zip(column_names, cells, strict=True))

    def _cells(self, offset: int) -> Iterator[tuple[int, "list[str] | str"]]:
        """The first byte and the cells of every row. A row that cannot be read is a text with the reason.

        In CSV, a quoted cell may contain line breaks. If a row breaks the quoting rules, only its first line counts as
        the row, and reading continues after it, so that a stray quote does not affect other rows. In TSV, a row is
        always one line. If its quotes are invalid, they are read as plain text.
        """
        by_line = self.delimiter == "\t" or self.settings.quoting == "none"
        with files.open_read(self.uri) as file:
            while True:
                lines = _Lines(file, offset)
                # csv.reader consumes only the lines that a row needs, so `lines` knows where the next row starts.
                rows = map(self._split, lines) if by_line else csv.reader(lines, delimiter=self.delimiter, strict=True)
                try:
                    for cells in rows:
                        yield lines.row, cells
                        lines.begin_row()
                    return
                except csv.Error as error:
                    yield lines.row, str(error)
                    offset = lines.second

    def _split(self, line: str) -> list[str]:
        line = line.rstrip("\r\n")
        if self.settings.quoting == "quotes":
            with suppress(csv.Error):
                return next(csv.reader([line], delimiter=self.delimiter, strict=True))
        return line.split(self.delimiter) if line else []


class CsvSource(DelimitedSource):
    """A table whose cells are separated by commas."""

    delimiter = ","


class TsvSource(DelimitedSource):
    """A table whose cells are separated by tabs."""

    delimiter = "\t"


class _Lines:
    """The lines of a file as text, from a byte on. Knows where the current row and its second line start."""

    def __init__(self, file: BinaryIO, offset: int) -> None:
        file.seek(offset)
        self._file = file
        self._next = offset
        self.row = self.second = offset

    def begin_row(self) -> None:
        """Marks the next line as the first line of a row."""
        self.row = self.second = self._next

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._file.readline()
        if not line:
            raise StopIteration
        start, self._next = self._next, self._next + len(line)
        if self.second == self.row:
            self.second = self._next
        return line.decode("utf-8-sig" if start == 0 else "utf-8", "surrogateescape")
