"""JSON lines with image paths: one object a line, a list of captions gives several pairs. Blank lines are no rows."""

from collections.abc import Iterator

from pydantic_core import from_json

from pipeline import files
from pipeline.sources.table import Row, TableSource


class JsonlSource(TableSource):
    """The columns are the fields of the first object."""

    def names(self) -> list[str]:
        """Fields of the first object; those that were asked for if there is none."""
        for _, _, row in self.rows(0, 0):
            if isinstance(row, dict):
                return list(row)
        return [*self.settings.columns.caption, *self.settings.columns.image]

    def rows(self, offset: int, number: int) -> Iterator[tuple[int, int, Row]]:
        """One line, one row."""
        with files.open_read(self.uri) as file:
            file.seek(offset)
            for line in file:
                if line.strip():
                    yield offset, number, _parsed(line.removeprefix(b"\xef\xbb\xbf") if offset == 0 else line)
                    number += 1
                offset += len(line)


def _parsed(line: bytes) -> Row:
    try:
        row = from_json(line)
    except ValueError as error:
        return str(error)
    return row if isinstance(row, dict) else "not a JSON object"
