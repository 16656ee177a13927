"""CSV and TSV with image paths: one pair per row, below a header line or without one."""

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import Any, BinaryIO

from pipeline.faults import CallError, short_repr
from pipeline.sources.base import Position, is_url
from pipeline.sources.columns import Columns, how_to_download
from pipeline.sources.image_cells import image_in
from pipeline.sources.member_names import IMAGES
from pipeline.sources.table import Row, TextTableSource
from pipeline.sources.text_file import open_text
from transforms.wording import counted

_MAX_CELL_CHARS = 1 << 20  # the end of a quoted cell must be within this distance
csv.field_size_limit(_MAX_CELL_CHARS)

MULTILINE = "multiline"
"""Key of positions in TSV: whether a row may have several lines. In plans of 0.1, which lack it, a line is a row."""

_MAX_LINES = 1000  # of a row of TSV: each stray quote can cost a search in so many
_MAX_INNER_CHARS = 1 << 16  # of its lines without the first and the last one, which may have an image

_DELIMITERS = ",\t;|"
_OPEN = "unexpected end of data"  # what csv says of a quote that is not closed
_SAMPLED_ROWS = 20
_MAX_PATH = 4096
_MAX_DECLARED = 16
_IMAGE = re.compile(rf".*\.({'|'.join(sorted(IMAGES))})(#[0-9]+)?", re.IGNORECASE | re.DOTALL)
_DECLARED = re.compile(rb'(?:\xef\xbb\xbf)?"?sep=([^\r\n])"?\r?\n', re.IGNORECASE)
"""A first line that Excel reads: it names the delimiter."""

_CAPTION_NUMBER = re.compile(r"(?<=[^/.]\.)([a-zA-Z]{3,4})#[0-9]+\Z")

_ID = re.compile(r"(?=[^0-9]*[0-9])[!-+\--~]+")
"""A word of ASCII characters with a digit, without a comma."""

_NUMBER = re.compile(r"[0-9.:/+-]+")
_DIGITS = re.compile(r"[0-9]+")
_MIN_IDS = 3  # rows; in fewer, `4x4` and `cat1` may be captions
_MIN_ID = 6  # characters of ids that have nothing in common but their length

Cells = list[str] | str
"""The cells of a row. For a row that cannot be read, a text with the reason."""


@dataclass(frozen=True)
class RowShape:
    """What a row of several lines must have, in TSV.

    columns: number of cells; 0: any. image: place of the cell that should have the image path; None: any.
    """

    columns: int = 0
    image: int | None = None


@dataclass(frozen=True)
class Layout:
    """How the cells of a table are separated and called.

    header: whether the first row holds the names. spaced: whether blanks follow the delimiters, as in `a, b`.
    """

    delimiter: str
    names: tuple[str, ...]
    header: bool
    spaced: bool


class DelimitedSource(TextTableSource):
    """`delimiter` separates cells, unless `source.delimiter` or the first row says otherwise. Quotes are plain text if
    `source.quoting` is "none"."""

    delimiter: str

    def column_names(self) -> list[str]:
        """The names of the columns. Raises CallError if the first row is missing or cannot be read."""
        return list(self.layout.names)

    @cached_property
    def layout(self) -> Layout:
        """The layout, found from the first row.

        A first row with a caption and an image column is a header. Otherwise, one of two cells, of which one is an
        image, is a row of a table without a header (`image.jpg<TAB>caption`). Each delimiter is tried, the own first.
        One that leaves another one in the image cell is tried last.
        """
        own = self.settings.delimiter or self._declared[0] or self.delimiter
        tried = [own] if self.settings.delimiter else [own, *(one for one in _DELIMITERS if one != own)]
        shape = RowShape(len(self.settings.header))
        rows = {delimiter: self._first_row(delimiter, shape) for delimiter in tried}
        if not rows[own]:
            raise CallError(f"--input: {self.uri}: no header line")
        if self.settings.header:
            return self._with_given_names(rows, self.settings.header)
        for delimiter, cells in rows.items():
            names = self._names(cells)
            if Columns.fit(names, self.settings.columns):
                return Layout(delimiter, names, True, delimiter != "\t" and _is_spaced(cells))
        image, caption = self.settings.columns.image[0], self.settings.columns.caption[0]
        for is_image in (_is_clean_image, _is_image):
            for delimiter, cells in rows.items():
                are_images = [is_image(cell.strip()) for cell in cells]
                if sorted(are_images) == [False, True] and not any(is_url(cell.strip()) for cell in cells):
                    names = tuple(image if found else caption for found in are_images)
                    return Layout(delimiter, names, False, self._are_spaced(delimiter, RowShape(len(names))))
        for cells in rows.values():
            if len(cells) > 1 and any(_is_image(cell.strip()) or is_url(cell.strip()) for cell in cells):
                raise CallError(self._explain_no_header(cells))
        known = (one for one in tried if Columns.knows(self._names(rows[one]), self.settings.columns))
        found = next(known, own)
        return Layout(found, self._names(rows[found]), True, False)  # which lacks a column

    def about(self) -> dict[str, str]:
        """The columns, the delimiter and the header."""
        shown = {"\t": "a tab", " ": "a blank"}.get(self.layout.delimiter, f'"{self.layout.delimiter}"')
        header = "a header line" if self.layout.header else "no header line"
        return {**super().about(), "cells": f"separated by {shown}, {header}"}

    def start(self) -> Position:
        """In TSV whose quotes are read, with the key `MULTILINE`."""
        more = {MULTILINE: True} if self.delimiter == "\t" and self.settings.quoting == "quotes" else {}
        return {**super().start(), **more}

    def rows_from(self, start: Position) -> Iterator[tuple[int, int, Row]]:
        """The rows from a position on."""
        return self.rows(start["offset"], start["row"], start.get(MULTILINE, False))

    def rows(self, offset: int, number: int, multiline: bool = True) -> Iterator[tuple[int, int, Row]]:
        """Every row except the header and empty lines. multiline: whether a row of TSV may have several lines."""
        layout, (_, first) = self.layout, self._declared
        shape = RowShape(len(layout.names), layout.names.index(self.columns.image)) if multiline else None
        for row_offset, cells in self._cells(offset, layout.delimiter, layout.spaced, shape):
            if (layout.header and row_offset == first) or not cells:
                continue
            yield row_offset, number, self._row(cells)
            number += 1

    def check_captions(self) -> None:
        """Raises CallError if a table without a header has ids or numbers, as in OFA's `id<TAB>base64`.

        Only for a new plan: 0.1 read them, and its runs go on.
        """
        if self.layout.header or self.settings.header:
            return
        cells = [row[self.columns.caption].strip() for row in self.first_rows()]
        if not _are_ids(cells):
            return
        first = short_repr(cells[0])
        problem = f"beside its images, {self.uri} has {first} and the like, which are no captions"
        given = ",".join(self.layout.names)
        cure = f"add a column with captions, and a header line; if they are captions, set source.header={given}"
        raise CallError(f"source.header: {problem}; {cure}")

    @cached_property
    def _declared(self) -> tuple[str, int]:
        """The delimiter that a line before the header names, and the bytes of that line; "" and 0 without one."""
        with open_text(self.uri, self.settings.encoding) as text:
            found = _DECLARED.match(text.file.read(_MAX_DECLARED))
        return (found[1].decode("latin-1"), found.end()) if found else ("", 0)

    def _names(self, cells: Sequence[str]) -> tuple[str, ...]:
        """The names in a header line, without blanks around them, unless the settings ask for them with blanks."""
        requested = {name for names in vars(self.settings.columns).values() for name in names}
        return tuple(cell if cell in requested else cell.strip() for cell in cells)

    def _first_row(self, delimiter: str, shape: RowShape) -> list[str]:
        """The cells of the first row; those between delimiters if it breaks the quoting rules."""
        cells: Cells
        _, cells = next(self._cells(0, delimiter, False, shape), (0, []))
        if isinstance(cells, list):
            return cells
        with open_text(self.uri, self.settings.encoding) as text:
            return next(_Lines(text.file, self._declared[1])).rstrip("\r\n").split(delimiter)

    def _are_spaced(self, delimiter: str, shape: RowShape) -> bool:
        """Whether a blank follows each delimiter in the first rows."""
        rows = [c for _, c in islice(self._cells(0, delimiter, False, shape), _SAMPLED_ROWS) if len(c) > 1]
        return delimiter != "\t" and all(isinstance(cells, list) and _is_spaced(cells) for cells in rows)

    def _explain_no_header(self, cells: Sequence[str]) -> str:
        shown = ", ".join(map(short_repr, cells[:5]))
        words = max((cell for cell in cells if not _is_image(cell.strip())), key=len, default="")
        names = [
            "image" if _is_image(cell.strip()) else "caption" if cell is words else f"c{n}"
            for n, cell in enumerate(cells)
        ]
        cure = f"name the columns, for example with --set source.header={','.join(names)}"
        if any(is_url(cell.strip()) for cell in cells) and "image" not in names:
            download = how_to_download(self.uri, "url", "caption")
            cure = (
                f"it lists URLs; write a header line with caption and url, in the order of its columns, and {download}"
            )
        return f"source.header: {self.uri} has no header line, but begins with {shown}; {cure}"

    def _with_given_names(self, rows: dict[str, list[str]], names: Sequence[str]) -> Layout:
        fitting = [delimiter for delimiter, cells in rows.items() if len(cells) == len(names)]
        image = names.index(Columns.pick(names, self.settings.columns, self.uri).image)
        clean = [delimiter for delimiter in fitting if _is_clean_image(rows[delimiter][image].strip())]
        for delimiter in clean or fitting:
            return Layout(delimiter, tuple(names), False, self._are_spaced(delimiter, RowShape(len(names))))
        own, cells = next(iter(rows.items()))
        given, found = counted(len(names), "name"), counted(len(cells), "cell")
        where = f"the first row of {self.uri} has {found}, separated by {short_repr(own)}"
        raise CallError(f"source.header: {given}, but {where}")

    def _row(self, cells: Cells) -> Row:
        if isinstance(cells, str):
            return cells
        layout = self.layout
        if len(cells) != len(layout.names):
            return f"{len(cells)} cells, but {len(layout.names)} columns"
        row = dict(zip(layout.names, cells, strict=True))
        if not layout.header:
            image = self.columns.image  # Flickr30k's `.token`: image.jpg#0 is the first caption of image.jpg
            row[image] = _CAPTION_NUMBER.sub(r"\1", row[image])
        return row

    def _cells(self, offset: int, delimiter: str, spaced: bool, shape: RowShape | None) -> Iterator[tuple[int, Cells]]:
        """The first byte and the cells of every row.

        In CSV, a quoted cell may contain line breaks. If a row breaks the quoting rules, only its first line counts as
        the row, and reading continues after it, so that a stray quote does not affect other rows. In TSV, quotes are
        more often plain text: see `_multiline_row`. shape: of a row of several lines; None if there are no such rows.
        """
        options: dict[str, Any] = {"delimiter": delimiter, "strict": True, "skipinitialspace": spaced}
        by_line = self.delimiter == "\t" or self.settings.quoting == "none"
        offset = offset or self._declared[1]
        with open_text(self.uri, self.settings.encoding) as text:
            while True:
                lines = _Lines(text.file, offset)
                # csv.reader consumes only the lines that a row needs, so `lines` knows where the next row starts.
                rows = (
                    (self._row_by_line(line, lines, shape, options) for line in lines)
                    if by_line
                    else csv.reader(lines, **options)
                )
                try:
                    for cells in rows:
                        yield lines.row, cells
                        lines.begin_row()
                    return
                except csv.Error as error:
                    cure = "; source.quoting=none reads longer ones" if "field larger" in str(error) else ""
                    yield lines.row, f"{error}{cure}"
                    offset = lines.second

    def _row_by_line(self, line: str, lines: "_Lines", shape: RowShape | None, options: dict[str, Any]) -> list[str]:
        """The cells of a row that begins with a line. If its quotes are invalid, they are read as plain text."""
        if self.settings.quoting == "none":
            return self._split(line, options)
        try:
            return next(csv.reader([line.rstrip("\r\n")], **options))
        except csv.Error as error:
            found = _multiline_row(line, lines, shape, options) if shape and _OPEN in str(error) else []
            return found or self._split(line, options)

    def _split(self, line: str, options: dict[str, Any]) -> list[str]:
        line = line.rstrip("\r\n")
        if self.settings.quoting == "quotes":
            with suppress(csv.Error):
                return next(csv.reader([line], **options))
        cells = line.split(options["delimiter"]) if line else []
        return [cell.lstrip(" ") for cell in cells] if options["skipinitialspace"] else cells


def _multiline_row(line: str, lines: "_Lines", shape: RowShape, options: dict[str, Any]) -> list[str]:
    """The cells of a row of several lines, as pandas, polars and duckdb write TSV; empty if it is no such row.

    A stray quote that the quote of a later row closes must swallow no row. Therefore the row must have the right number
    of columns and contain no rows.
    """
    number = 0

    def several() -> Iterator[str]:
        nonlocal number
        size = 0
        yield line
        for following in islice(lines.ahead(), _MAX_LINES - 1):
            number += 1
            yield following
            size += len(following)
            if size > _MAX_INNER_CHARS:
                return

    with suppress(csv.Error):
        cells = next(csv.reader(several(), **options))
        if shape.columns in (len(cells), 0) and _contains_no_rows(cells, options["delimiter"], shape.image):
            lines.skip(number)
            return cells
    return []


def _contains_no_rows(cells: Sequence[str], delimiter: str, image: int | None) -> bool:
    """Whether the multiline cells of a row contain no other rows.

    No part of them, between line ends and delimiters, may be an image path. If the row itself has no image path, the
    images of this table may have no suffix. Then the cells may have no delimiter.
    """
    multiline = [cell for cell in cells if "\n" in cell]
    parts = (part for cell in multiline for part in cell.replace(delimiter, "\n").split("\n"))
    if any(_IMAGE.fullmatch(part.strip('" \r')) for part in parts):
        return False
    own = cells if image is None else [cells[image]]
    return any(_IMAGE.fullmatch(cell.strip()) for cell in own) or not any(delimiter in cell for cell in multiline)


def _are_ids(cells: Sequence[str]) -> bool:
    """Whether cells are surely ids: numbers, or different words with digits that are equally long, or equal but for
    their digits."""
    if len(cells) < _MIN_IDS or not all(map(_ID.fullmatch, cells)):
        return False
    if all(map(_NUMBER.fullmatch, cells)):
        return True
    length, shapes = len(cells[0]), {_DIGITS.sub("0", cell) for cell in cells}
    alike = len(shapes) == 1 or (length >= _MIN_ID and all(len(cell) == length for cell in cells))
    return alike and 2 * len(set(cells)) > len(cells)


def _is_image(cell: str) -> bool:
    """Whether a cell is the path of an image file or an image in base64."""
    return not is_url(cell) and (bool(_IMAGE.fullmatch(cell)) or isinstance(image_in(cell), bytes))


def _is_clean_image(cell: str) -> bool:
    return _is_image(cell) and (len(cell) > _MAX_PATH or not any(delimiter in cell for delimiter in _DELIMITERS))


def _is_spaced(cells: Sequence[str]) -> bool:
    return len(cells) > 1 and all(cell.startswith(" ") for cell in cells[1:])


class CsvSource(DelimitedSource):
    """A table whose cells are separated by commas."""

    delimiter = ","


class TsvSource(DelimitedSource):
    """A table whose cells are separated by tabs."""

    delimiter = "\t"


def _raise(error: EOFError) -> bytes:
    raise error


class _Lines:
    """The lines of a file as text, from a byte on. Knows where the current row and its second line start."""

    def __init__(self, file: BinaryIO, offset: int) -> None:
        file.seek(offset)
        self._next = offset
        self._ahead: deque[bytes] = deque()
        self._readline = file.readline
        self.row = self.second = offset

    def begin_row(self) -> None:
        """Marks the next line as the first line of a row."""
        self.row = self.second = self._next

    def ahead(self) -> Iterator[str]:
        """The lines that follow, which are still to be read. Ends before damage, which is raised when it is reached."""
        for line in tuple(self._ahead):
            yield line.decode("utf-8", "surrogateescape")
        try:
            while line := self._readline():
                self._ahead.append(line)
                yield line.decode("utf-8", "surrogateescape")
        except EOFError as error:
            self._readline = partial(_raise, error)

    def skip(self, number: int) -> None:
        """Reads lines of the current row."""
        for _ in range(number):
            next(self)

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else self._readline()
        if not line:
            raise StopIteration
        start, self._next = self._next, self._next + len(line)
        if self.second == self.row:
            self.second = self._next
        return line.decode("utf-8-sig" if start == 0 else "utf-8", "surrogateescape")
