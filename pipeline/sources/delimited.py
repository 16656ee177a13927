"""CSV and TSV with image paths: a header line, then one pair a row. A quoted cell may hold line breaks."""

import csv
from collections.abc import Iterator

from pipeline import files
from pipeline.configuration import SourceSettings
from pipeline.faults import CallError
from pipeline.files import FileInfo
from pipeline.sources.table import Row, TableSource

# A stray quote swallows the rows behind it up to this many characters, then the row counts as broken.
_LONGEST_CELL = 1 << 20
csv.field_size_limit(_LONGEST_CELL)


class DelimitedSource(TableSource):
    """`delimiter` separates cells; quotes mean something unless `source.quoting` says no."""

    def __init__(self, info: FileInfo, settings: SourceSettings, delimiter: str) -> None:
        super().__init__(info, settings)
        self.delimiter = delimiter

    def names(self) -> list[str]:
        """The cells of the header line."""
        for _, cells in self._cells(0):
            if isinstance(cells, list):
                return cells
            break
        raise CallError(f"--input: {self.uri}: no header line")

    def rows(self, offset: int, number: int) -> Iterator[tuple[int, int, Row]]:
        """Every row but the header."""
        names = self.names()
        for at, cells in self._cells(offset):
            if at == 0 or not cells:
                continue
            yield at, number, self._row(names, cells)
            number += 1

    def _row(self, names: list[str], cells: "list[str] | str") -> Row:
        if isinstance(cells, str):
            return cells
        if len(cells) != len(names):
            return f"{len(cells)} cells under {len(names)} columns"
        return dict(zip(names, cells, strict=True))

    def _cells(self, offset: int) -> Iterator[tuple[int, "list[str] | str"]]:
        """First byte and cells of every row; a text for a row that cannot be read.

        csv.reader takes just the lines that a row needs, so that the bytes taken after a row say where the next one
        starts.
        """
        taken = offset
        with files.open_read(self.uri) as file:
            file.seek(offset)

            def lines() -> Iterator[str]:
                nonlocal taken
                for line in file:
                    start, taken = taken, taken + len(line)
                    yield line.decode("utf-8-sig" if start == 0 else "utf-8", "surrogateescape").replace("\0", "\ufffd")

            raw = self.settings.quoting == "none"
            reader = csv.reader(lines(), delimiter=self.delimiter, quoting=csv.QUOTE_NONE if raw else csv.QUOTE_MINIMAL)
            while True:
                at = taken
                try:
                    yield at, next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield at, str(error)
