"""Code that all tables share: JSON lines, CSV, TSV, parquet."""

import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property, partial
from itertools import groupby, islice
from typing import Any

from pipeline.faults import CallError, SourceFault
from pipeline.sources import json_text
from pipeline.sources.base import (
    ImageFileSource,
    Position,
    RangeSpec,
    broken_row,
    captions_of,
    image_reference,
    is_url,
    row_pairs,
    slice_ranges,
)
from pipeline.sources.columns import Columns, Fields, how_to_download
from pipeline.sources.image_cells import bytes_in, image_in
from pipeline.sources.read_images import fetch_ahead
from pipeline.sources.text_file import look_into
from transforms.records import FailureStage, Fault, ImageRef, Pair, Reason

_SAMPLED_ROWS = 100

_NOT_DOWNLOADED = ("failed_to_download", "failed_to_resize")
"""Values of the column `status` that img2dataset writes for rows without an image."""

Row = dict[str, Any] | str
"""Cells by column. For a row that cannot be read, a text with the reason."""


class TableSource(ImageFileSource):
    """A position contains `row` (its number), `skip` (number of earlier captions in the row), `index`, and keys of the
    kind."""

    has_schema = True
    """Whether `column_names` are all that there are."""

    def positioned_rows(self, start: Position) -> Iterator[tuple[Position, Row]]:
        """The rows from the one with `start` on, each with the position of its first pair."""
        raise NotImplementedError

    def column_names(self) -> list[str]:
        """The names of the columns."""
        raise NotImplementedError

    @cached_property
    def _all_names(self) -> list[str]:
        return self.column_names()

    def fields(self, start: Position | None) -> Fields:
        """See `sources.fields`."""
        used = {self.columns.caption: "captions", self.columns.image: "images"}
        return Fields(self._all_names, used, self.has_schema)

    @cached_property
    def columns(self) -> Columns:
        """The columns that are used. Raises CallError if there are two of such a name, too."""
        names = self._all_names
        columns = Columns.pick(names, self.settings.columns, self.uri)
        for name in filter(None, vars(columns).values()):
            if (number := names.count(name)) > 1:
                raise CallError(f"--input: {self.uri}: {number} columns are called {name}; rename all but one")
        return columns

    def read(self, start: Position) -> Iterator[tuple[Position, Pair]]:
        """A row that cannot be read becomes a failed pair."""
        for position, row in self.positioned_rows(start):
            skip = start["skip"] if position["row"] == start["row"] else 0
            for number, pair in enumerate(self._pairs(position, row)):
                if number >= skip:
                    yield {**position, "skip": number, "index": pair.index}, pair

    def image(self, row: dict[str, Any], position: Position) -> tuple[ImageRef | Fault, bytes]:
        """The image of a row, and its bytes if they are in the table."""
        found = image_in(row.get(self.columns.image))
        if isinstance(found, bytes):
            return ImageRef(self.uri, position["row"], position.get("offset", 0), len(found)), found
        return (image_reference(found, self.root) if isinstance(found, str) else found), b""

    def fetch(self, references: Iterable[ImageRef]) -> Iterator[bytes | Fault]:
        """For images in cells, reads the table forward."""
        with self.cell_reader() as read:
            for in_cells, group in groupby(references, key=lambda image: image.row >= 0):
                fetch = partial(fetch_ahead, read=read) if in_cells else super().fetch
                yield from fetch(group)

    def cell_reader(self) -> AbstractContextManager[Callable[[ImageRef], bytes]]:
        """A function that returns the image in a cell; b"" if there is none, because the table has changed."""
        raise NotImplementedError

    def about(self) -> dict[str, str]:
        """What is taken for what, for a person."""
        return {role: f"column {name}" for role, name in vars(self.columns).items() if name}

    def check_images(self, cells: Iterable[Any]) -> None:
        """Raises CallError if the cells, some of the image column, are URLs alone."""
        are_urls = [isinstance(cell, str) and is_url(cell) for cell in cells]
        if not are_urls or not all(are_urls):
            return
        columns = self.columns
        others = [name for name in self.settings.columns.image if name in self._all_names and name != columns.image]
        cure = how_to_download(self.uri, columns.image, columns.caption)
        if others:
            cure = f"set source.columns.image={shlex.quote(others[0])} if that column names files, or {cure}"
        raise CallError(f"source.columns.image: {self.uri} lists URLs, in the column {columns.image}; {cure}")

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
            image = _unless_not_downloaded(row, self.image(row, position))
            yield from row_pairs(row, self.columns, self.uri, number, index, image)


class TextTableSource(TableSource):
    """A table in a text file. A position also contains `offset`, the first byte of the row."""

    def rows(self, offset: int, number: int) -> Iterator[tuple[int, int, Row]]:
        """The first byte, number and content of every row from `offset` on. number: of the first one."""
        raise NotImplementedError

    def first_rows(self) -> Iterator[dict[str, Any]]:
        """The sound ones of the first 100 rows, as far as they can be read. Raises SourceFault if none can be read."""
        some = False
        try:
            for _, _, row in islice(self.rows(0, 0), _SAMPLED_ROWS):
                some = True
                if isinstance(row, dict):
                    yield row
        except SourceFault:
            if not some:
                raise

    def start(self) -> Position:
        """The position of the first row in a new plan."""
        return {"offset": 0, "row": 0, "skip": 0, "index": 0}

    def rows_from(self, start: Position) -> Iterator[tuple[int, int, Row]]:
        """The rows from a position on, as `rows`. Plans of earlier releases lack the keys that are newer."""
        return self.rows(start["offset"], start["row"])

    def first_images(self) -> Iterator[ImageRef | Fault]:
        """Reads the first rows up to an image in a cell. The image column is that of the first row, as 100 rows can be
        100 MB."""
        requested, name = self.settings.columns, ""
        for row in self.first_rows():
            if not name:
                columns = Columns.pick(list(row), requested, self.uri) if Columns.fit(row, requested) else self.columns
                name = columns.image
            image = image_in(row.get(name))
            if isinstance(image, bytes):
                return
            yield image_reference(image, self.root) if isinstance(image, str) else image

    def place(self, position: Position) -> str:
        """The first byte."""
        return f", at byte {position['offset']}"

    def check_captions(self) -> None:
        """Raises CallError if the first cells of the caption column are surely no captions."""

    @cached_property
    def _forward_and_encoding(self) -> tuple[bool, str]:
        """Found in one opening, which takes some ms on an object store."""
        return look_into(self.uri, self.settings.encoding)

    def check_encoding(self) -> None:
        """Raises CallError if the file looks like UTF-16 or UTF-32 without a byte-order mark."""
        _, encoding = self._forward_and_encoding
        if encoding:
            problem = f"{self.uri} looks like {encoding} without a byte-order mark"
            raise CallError(f"source.encoding: {problem}; set source.encoding={encoding}")

    def ranges(self, rows: int) -> list[RangeSpec]:
        """Scans the file once. A file that can only be read forward is one range, and is not scanned."""
        self.check_encoding()
        columns = self.columns  # a table without rows must have them, too
        self.check_images(row.get(columns.image) for row in self.first_rows())
        self.check_captions()
        forward, _ = self._forward_and_encoding
        if forward:
            return [RangeSpec(self.start(), None)]
        counts = (
            (position, self.count(row), row if isinstance(row, str) else row.get(columns.image))
            for position, row in self.positioned_rows(self.start())
        )
        return slice_ranges(counts, rows)

    def starts(self, start: Position) -> Iterator[Position]:
        """Reads the rows. `start` must be the first pair of a row."""
        for position, row in self.positioned_rows(start):
            for skip in range(self.count(row)):
                yield {**position, "skip": skip, "index": position["index"] + skip}

    def positioned_rows(self, start: Position) -> Iterator[tuple[Position, Row]]:
        index = start["index"] - start["skip"]
        for offset, number, row in self.rows_from(start):
            yield {**start, "offset": offset, "row": number, "skip": 0, "index": index}, row
            index += self.count(row)

    @contextmanager
    def cell_reader(self) -> Iterator[Callable[[ImageRef], bytes]]:
        """Goes back in the table only if a reference does, or if no row begins at its byte: in plans of earlier
        releases, a row of several lines is several rows."""
        rows: Any = iter(())
        behind = sys.maxsize  # the rows after this byte can still be read

        def read(image: ImageRef) -> bytes:
            nonlocal rows, behind
            if image.offset <= behind:
                rows = self.rows(image.offset, image.row)
            offset, row = next(((offset, row) for offset, _, row in rows if offset >= image.offset), (sys.maxsize, ""))
            if offset != image.offset:
                rows = self.rows(image.offset, image.row)
                offset, _, row = next(rows, (image.offset, 0, ""))
            behind = offset
            return bytes_in(row.get(self.columns.image)) if isinstance(row, dict) and offset == image.offset else b""

        try:
            yield read
        finally:
            rows = None  # closes the file


class RecordSource(TextTableSource):
    """A table of JSON objects. The columns are the fields of the objects in the first 100 rows."""

    has_schema = False

    def records(self, offset: int, number: int) -> Iterator[tuple[int, int, Row]]:
        """As `rows`, with the fields that are in the file."""
        raise NotImplementedError

    def rows(self, offset: int, number: int) -> Iterator[tuple[int, int, Row]]:
        """The records. In a file without captions, ODVG's `grounding` gives them."""
        for place, current, row in self.records(offset, number):
            if isinstance(row, dict) and "grounding" in row and not self._has_captions:
                row = json_text.with_grounding(row, self.settings.columns)
            yield place, current, row

    @cached_property
    def _has_captions(self) -> bool:
        """Whether one of the first 100 records has a caption column. Earlier releases read only such a file, and the
        captions and `meta` of its pairs must not change."""
        with suppress(SourceFault):
            for _, _, row in islice(self.records(0, 0), _SAMPLED_ROWS):
                if isinstance(row, dict) and Columns.name_of("caption", row, self.settings.columns):
                    return True
        return False

    def column_names(self) -> list[str]:
        """The fields in order of appearance. If there is no object, the requested names."""
        names = list(dict.fromkeys(name for row in self.first_rows() for name in row))
        return names or [*self.settings.columns.caption, *self.settings.columns.image]


def _unless_not_downloaded(
    row: dict[str, Any], image: tuple[ImageRef | Fault, bytes]
) -> tuple[ImageRef | Fault, bytes]:
    """The image, or a Fault with the status of a row for which img2dataset has not downloaded one."""
    found, _ = image
    status, message = row.get("status"), row.get("error_message")
    if not isinstance(found, Fault) or found.reason is not Reason.NO_IMAGE or status not in _NOT_DOWNLOADED:
        return image
    return Fault.from_error(FailureStage.READ, Reason.NOT_DOWNLOADED, f"{status}: {message or 'no message'}"), b""
