"""JSON lines with image paths: one object per line. A list of captions gives several pairs. Blank lines are skipped."""

import codecs
from collections.abc import Iterator

from pydantic_core import from_json

from pipeline.sources import json_text
from pipeline.sources.table import RecordSource, Row
from pipeline.sources.text_file import open_text


class JsonlSource(RecordSource):
    """One record per line."""

    def records(self, offset: int, number: int) -> Iterator[tuple[int, int, Row]]:
        """One record per line that is not blank."""
        with open_text(self.uri, self.settings.encoding) as source:
            source.file.seek(offset)
            for line in source.file:
                text = line.removeprefix(codecs.BOM_UTF8) if offset == 0 else line
                if text.strip():
                    yield offset, number, parse_line(text)
                    number += 1
                offset += len(line)


def parse_line(line: bytes) -> Row:
    """The object that a line is, or a text that says why it is none."""
    try:
        row = from_json(line)
    except ValueError as error:  # also raised for some JSON: nested deep, or with an integer of thousands of digits
        try:
            row = json_text.parse(line)
        except (ValueError, RecursionError) as other:
            if nul := json_text.nul_in(line):
                return f"not JSON: {nul}"
            is_encoding = isinstance(other, UnicodeDecodeError)
            return f"not UTF-8; {json_text.SET_ENCODING}" if is_encoding else str(error)
    return row if isinstance(row, dict) else "not a JSON object"
