"""Parquet with image bytes (a binary column, or Hugging Face's struct<bytes, path>) or with image paths."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, islice, repeat
from typing import Any, BinaryIO, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import files
from pipeline.configuration import ColumnSettings
from pipeline.faults import SourceFault, first_line
from pipeline.sources.base import Position, RangeSpec, captions_of, image_reference
from pipeline.sources.columns import Columns
from pipeline.sources.image_cells import bytes_in, image_in
from pipeline.sources.parquet_cells import Unreadable, images_of, is_damage, values_of
from pipeline.sources.read_images import opened_once
from pipeline.sources.table import Row, TableSource
from transforms.records import FailureStage, Fault, ImageRef, Reason

_BATCH = 64  # rows at a time: with images of 1 MB this keeps 64 MB in memory


class ParquetSource(TableSource):
    """A position contains `row` (its number, from 0), `skip` (number of earlier captions in the row), and `index`."""

    def column_names(self) -> list[str]:
        """The column names from the footer."""
        with self._open() as file:
            return list(file.schema_arrow.names)

    def ranges(self, rows: int) -> list[RangeSpec]:
        """Joins row groups up to `rows` rows, and splits larger row groups."""
        self.check_images(islice(self._first_texts(self.columns.image), _BATCH))
        ranges: list[RangeSpec] = []
        index = 0
        counts = self._captions()
        for first, last in self._slices(rows):
            pairs = int(counts[first:last].sum()) if counts is not None else last - first
            ranges.append(RangeSpec({"row": first, "skip": 0, "index": index}, pairs))
            index += pairs
        return ranges

    def starts(self, start: Position) -> Iterator[Position]:
        """Reads only the lengths of the caption lists. `start` must be the first pair of a row."""
        counts = self._captions()
        with self._open() as file:
            total = file.metadata.num_rows
        index = start["index"]
        for row in range(start["row"], total):
            for skip in range(int(counts[row]) if counts is not None else 1):
                yield {"row": row, "skip": skip, "index": index}
                index += 1

    def positioned_rows(self, start: Position) -> Iterator[tuple[Position, Row]]:
        """Streams the row groups from the one with `start` on."""
        index = start["index"] - start["skip"]
        for number, cells in self.rows(start["row"]):
            caption = cells[self.columns.caption]
            row = f"column {self.columns.caption}: {caption}" if isinstance(caption, Unreadable) else cells
            yield {"row": number, "skip": 0, "index": index}, row
            index += self.count(row)

    def image(self, row: dict[str, Any], position: Position) -> tuple[ImageRef | Fault, bytes]:
        """A cell that cannot be read is a fault of the row."""
        for name in filter(None, vars(self.columns).values()):
            if isinstance(value := row.get(name), Unreadable):
                problem = f"row {position['row'] + 1}: column {name}: {value}"
                return Fault.from_error(FailureStage.READ, Reason.BROKEN_ROW, problem), b""
        return super().image(row, position)

    @contextmanager
    def cell_reader(self) -> Iterator[Callable[[ImageRef], bytes]]:
        """Reads the column forward, batch by batch."""
        with opened_once(self.uri, self.image_column) as column:
            yield lambda image: column().read(image)

    def image_column(self, file: BinaryIO) -> "ImageColumn":
        """The image column of the open file."""
        return _ImageColumn(file, self.settings.columns, self.uri)

    def rows(self, first: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """The rows from number `first` on, with their numbers."""
        with self._open() as file:
            groups, number = _groups_from(file.metadata, first)
            for group in groups:
                rows = file.metadata.row_group(group).num_rows
                if number + rows > first:
                    yield from self._rows_of_group(file, group, number, max(first - number, 0))
                number += rows

    def _rows_of_group(
        self, file: pq.ParquetFile, group: int, number: int, skip: int
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """The rows of a row group with their numbers. number: of its first row. skip: rows to leave out.

        Where a page cannot be read, the cells in it and in later pages of its column chunk are `Unreadable`.
        """
        names = unique(file.schema_arrow.names)
        convert = [images_of if name == self.columns.image else values_of for name in names]
        done = 0
        try:
            for batch in file.iter_batches(batch_size=_BATCH, row_groups=[group]):
                values = [of(column) for of, column in zip(convert, batch.columns, strict=True)]
                for row in zip(*values, strict=True):
                    if done >= skip:
                        yield number + done, dict(zip(names, row, strict=True))
                    done += 1
        except (pa.ArrowException, OSError) as error:
            if not is_damage(error):
                raise
        if done < file.metadata.row_group(group).num_rows:
            columns = [_column(file, group, position, of) for position, of in enumerate(convert)]
            for offset, row in enumerate(zip(*columns, strict=True)):
                if offset >= max(done, skip):
                    yield number + offset, dict(zip(names, row, strict=True))

    def _slices(self, rows: int) -> Iterator[tuple[int, int]]:
        with self._open() as file:
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
        start = end = 0
        for size in sizes:
            if end > start and end - start + size > rows:
                yield start, end
                start = end
            end += size
            while end - start > rows:
                yield start, start + rows
                start += rows
        if end > start:
            yield start, end

    def first_images(self) -> Iterator[ImageRef | Fault]:
        """Paths, if the column has texts. Others are in the file."""
        found = map(image_in, islice(self._first_texts(self.columns.image), _BATCH))
        return (image_reference(image, self.root) for image in found if isinstance(image, str))

    def _first_texts(self, name: str) -> Iterator[Any]:
        """The cells of a column of texts in the first row group. Nothing if the column has other cells."""
        with self._open() as file:
            field = file.schema_arrow.field(name)
            if field.type in (pa.string(), pa.large_string()) and file.metadata.num_row_groups:
                yield from _column(file, 0, file.schema_arrow.names.index(name))

    def _captions(self) -> Any:
        """The number of captions per row (int64) if they are lists. None if each row has one caption."""
        name = self.columns.caption
        with self._open() as file:
            if not _is_list(file.schema_arrow.field(name).type):
                return None
            groups = [_caption_counts(file, group, name) for group in range(file.metadata.num_row_groups)]
        return np.concatenate([np.zeros(0, "int64"), *groups])

    def _open(self) -> pq.ParquetFile:
        file = files.open_read(self.uri)
        try:
            return pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            if not is_damage(error):
                raise
            raise SourceFault(f"not a parquet file: {first_line(error)}") from error


class ImageColumn(Protocol):
    """The images of a file."""

    def read(self, image: ImageRef) -> bytes:
        """The encoded image that `image` refers to. Empty if it is no longer there."""


class _ImageColumn:
    """The image column of an open file. Reads rows forward, and skips row groups that are not needed."""

    def __init__(self, file: BinaryIO, columns: ColumnSettings, uri: str) -> None:
        self._file = pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
        self._name = Columns.pick(self._file.schema_arrow.names, columns, uri).image
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._batch: Any = ()
        self._first = self._group_end = 0

    def read(self, image: ImageRef) -> bytes:
        metadata = self._file.metadata
        if image.row >= metadata.num_rows:
            return b""  # the file has fewer rows than the one that was grounded
        if not self._first <= image.row < self._group_end:
            (group, *_), self._first = _groups_from(metadata, image.row)
            self._group_end = self._first + metadata.row_group(group).num_rows
            self._batches = self._file.iter_batches(batch_size=_BATCH, row_groups=[group], columns=[self._name])
            self._batch = ()
        while image.row >= self._first + len(self._batch):
            self._first += len(self._batch)
            batch = next(self._batches, None)
            if batch is None:  # of a file that has changed
                return b""
            self._batch = batch.column(0)
        return image_bytes(self._batch.slice(image.row - self._first, 1))


def image_bytes(column: Any) -> bytes:
    """The encoded image in a column of one cell. Empty if there is none."""
    [cell] = images_of(column)
    return bytes_in(cell)


def _caption_counts(file: pq.ParquetFile, group: int, name: str) -> Any:
    """The number of captions of each row of a row group (int64)."""
    try:
        lengths = pc.list_value_length(file.read_row_group(group, columns=[name]).column(0).combine_chunks())
    except (pa.ArrowException, OSError) as error:
        if not is_damage(error):
            raise
        lengths = ()
    if len(lengths) < file.metadata.row_group(group).num_rows:  # damaged
        cells = _column(file, group, file.schema_arrow.names.index(name))
        return np.array([len(captions_of(cell)) for cell in cells], "int64")
    # An empty or missing list still gives one pair, which is rejected later because it has no caption.
    return pc.max_element_wise(lengths, 1).to_numpy(zero_copy_only=False).astype("int64")


def _column(
    file: pq.ParquetFile, group: int, position: int, convert: Callable[[Any], list[Any]] = values_of
) -> Iterator[Any]:
    """The cells of one column of a row group. From the first batch on that cannot be read, they are `Unreadable`.

    With a damaged count of values, Arrow ends early without an error.
    """
    names = file.schema_arrow.names
    name, same = names[position], names[:position].count(names[position])
    left = file.metadata.row_group(group).num_rows
    problem = "it has fewer rows than it says"
    try:
        for batch in file.iter_batches(batch_size=_BATCH, row_groups=[group], columns=[name]):
            yield from convert(batch.column(same))
            left -= batch.num_rows
    except (pa.ArrowException, OSError) as error:
        if not is_damage(error):
            raise
        problem = first_line(error)
    yield from repeat(Unreadable(f"row group {group} cannot be read from here on: {problem}"), left)


def unique(names: Sequence[str]) -> list[str]:
    """The names of columns, the second one of a name with a number."""
    return [f"{name} ({names[:n].count(name) + 1})" if name in names[:n] else name for n, name in enumerate(names)]


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return any(is_kind(kind) for is_kind in (types.is_list, types.is_large_list, types.is_fixed_size_list))


def _groups_from(metadata: pq.FileMetaData, row: int) -> tuple[list[int], int]:
    """The row groups from the one with `row` on, and the number of their first row."""
    sizes = (metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
    starts = list(accumulate(sizes, initial=0))
    group = bisect_right(starts, row, lo=1) - 1
    return list(range(group, metadata.num_row_groups)), starts[group]
