"""Arrow files, as `save_to_disk` of Hugging Face's `datasets` writes them: the streaming format, and the file format.

The columns are those of parquet. Batches are read in order, because the streaming format has no index. From a damaged
file, everything before the damage is read, and a SourceFault is raised at the end.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice, repeat
from typing import Any, BinaryIO, cast

import pyarrow as pa

from pipeline import files
from pipeline.faults import SourceFault, first_line
from pipeline.sources.base import Position, RangeSpec, captions_of
from pipeline.sources.parquet import ParquetSource, image_bytes, unique
from pipeline.sources.parquet_cells import Unreadable, Value, images_of, is_damage, values_of
from transforms.records import ImageRef

_ROWS = 64  # at a time: with images of 1 MB this keeps 64 MB in memory
_FILE_MARK = b"ARROW1"
_MESSAGE_MARK = b"\xff\xff\xff\xff"
_MAX_SCHEMA = 1 << 20  # bytes
_END_MARK = b"\xff\xff\xff\xff\0\0\0\0"


class ArrowSource(ParquetSource):
    """A position is that of a parquet file: `row`, `skip` and `index`."""

    def column_names(self) -> list[str]:
        """The column names from the start of the file."""
        with files.open_read(self.uri) as file:
            return _ArrowFile(self.uri, file).names

    def ranges(self, rows: int) -> list[RangeSpec]:
        """One range with the whole file. Reads its columns and, if images are texts, the first of them, so that an
        invalid file and a table of URLs are found before a run starts."""
        self.check_images(islice(self._first_texts(self.columns.image), _ROWS))
        return [RangeSpec({"row": 0, "skip": 0, "index": 0}, None)]

    def starts(self, start: Position) -> Iterator[Position]:
        """Converts only captions. `start` must be the first pair of a row."""
        index = start["index"]
        with files.open_read(self.uri) as file:
            arrow = _ArrowFile(self.uri, file)
            for number, batch in arrow.batches(start["row"]):
                skipped = max(start["row"] - number, 0)
                captions = _cells(batch.column(arrow.names.index(self.columns.caption)), skipped)
                for row, caption in enumerate(captions, number + skipped):
                    for skip in range(len(captions_of(caption))):
                        yield {"row": row, "skip": skip, "index": index}
                        index += 1

    def rows(self, first: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """The rows from number `first` on, with their numbers."""
        with files.open_read(self.uri) as file:
            arrow = _ArrowFile(self.uri, file)
            names = unique(arrow.names)
            for number, batch in arrow.batches(first):
                skipped = max(first - number, 0)
                columns = [
                    _cells(column, skipped, images_of if name == self.columns.image else values_of)
                    for name, column in zip(names, batch.columns, strict=True)
                ]
                for row, cells in enumerate(zip(*columns, strict=True), number + skipped):
                    yield row, dict(zip(names, cells, strict=True))

    def _first_texts(self, name: str) -> Iterator[Value]:
        """The cells of a column of texts up to the first damage. Nothing if the column has other cells."""
        with files.open_read(self.uri) as file:
            arrow = _ArrowFile(self.uri, file)
            position = arrow.names.index(name)
            if arrow.has_texts(position):
                with suppress(SourceFault):
                    for _, batch in arrow.batches(0):
                        yield from _cells(batch.column(position), 0)

    def image_column(self, file: BinaryIO) -> "_ImageColumn":
        """The image column of the open file."""
        return _ImageColumn(self.uri, file, self.columns.image)


class _ArrowFile:
    """An open file. If it is local, it is mapped, so that memory contains only those images of a batch that are used.

    Raises:
      SourceFault: it does not begin as an Arrow file.
    """

    def __init__(self, uri: str, file: BinaryIO) -> None:
        self._has_footer = False
        try:
            self._file = pa.memory_map(uri) if files.is_local(uri) else pa.PythonFile(cast(Any, file), "r")
            self._reader = self._open()
            self.names: list[str] = self._reader.schema.names
            for field in self._reader.schema:
                _check_names(field.type)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            if isinstance(error, OSError) and not is_damage(error):
                raise
            raise SourceFault(f"not an Arrow file: {first_line(error)}") from error

    def _open(self) -> Any:
        """In the file format, a stream follows the mark and two bytes of padding. It is read up to damage, also without
        the footer. polars 2.1 writes no schema there: such a file is read by its footer."""
        has_mark = self._file.read(len(_FILE_MARK)) == _FILE_MARK
        self._file.seek(len(_FILE_MARK) + 2 if has_mark else 0)
        try:
            return pa.ipc.open_stream(self._file)
        except (pa.ArrowException, OSError) as error:
            if not has_mark or not is_damage(error):
                raise
            try:
                reader = pa.ipc.open_file(self._file)
            except pa.ArrowException:
                raise error from None
            self._has_footer = True
            return reader

    def _batches(self) -> Iterator[pa.RecordBatch]:
        if not self._has_footer:
            yield from self._reader
            return
        for number in range(self._reader.num_record_batches):
            yield self._reader.get_batch(number)

    def has_texts(self, position: int) -> bool:
        """Whether a column has texts, as they are or in a dictionary."""
        kind = self._reader.schema.field(position).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))

    def batches(self, row: int) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The batches from the one with `row` on, each with the number of its first row.

        Raises:
          SourceFault: the file is damaged after the last batch.
        """
        number = 0
        try:
            for batch in self._batches():
                if any(len(column) != batch.num_rows for column in batch.columns):
                    raise pa.ArrowInvalid("columns of different lengths")
                if number + batch.num_rows > row:
                    yield number, batch
                number += batch.num_rows
            if self._has_footer:
                self._check_footer()
                return
        except (pa.ArrowException, OSError) as error:
            if not is_damage(error):
                raise
            raise SourceFault(f"truncated or damaged after row {number}: {first_line(error)}") from error
        self._file.seek(max(self._file.tell() - len(_END_MARK), 0))
        if self._file.read(len(_END_MARK)) != _END_MARK:
            raise SourceFault(f"no end mark after row {number}: the file may be cut short")

    def _check_footer(self) -> None:
        """Raises ArrowInvalid if the footer does not list every batch: one changed bit there can hide some."""
        self._file.seek(0)
        head = self._file.read(_MAX_SCHEMA)
        self._file.seek(next((at for at in range(8, len(head), 8) if head.startswith(_MESSAGE_MARK, at)), 0))
        found = sum(message.type == "record batch" for message in pa.ipc.MessageReader.open_stream(self._file))
        if found != self._reader.num_record_batches:
            raise pa.ArrowInvalid(f"its footer lists {self._reader.num_record_batches} of {found} batches")


class _ImageColumn:
    """The image column of an open file. Reads rows forward, and starts over for an earlier row."""

    def __init__(self, uri: str, file: BinaryIO, name: str) -> None:
        self._uri, self._file, self._name = uri, file, name
        self._first = 0
        self._column: Any = pa.nulls(0)
        self._problem = ""
        self._batches: Iterator[tuple[int, pa.RecordBatch]] = iter(())

    def read(self, image: ImageRef) -> bytes:
        """The encoded image. Empty if the file no longer has its row."""
        if not self._first <= image.row < self._first + len(self._column):
            if image.row < self._first or not len(self._column):
                self._file.seek(0)
                arrow = _ArrowFile(self._uri, self._file)
                self._position = arrow.names.index(self._name)
                self._batches = arrow.batches(0)
            try:
                self._first, batch = next(batch for batch in self._batches if batch[0] + batch[1].num_rows > image.row)
            except (StopIteration, SourceFault):  # the file has fewer rows than the one that was grounded
                self._column = pa.nulls(0)
                return b""
            self._column = batch.column(self._position)
            self._problem = _problem(self._column)
        if self._problem:
            return b""
        return image_bytes(self._column.slice(image.row - self._first, 1))


def _cells(column: Any, skipped: int, convert: Callable[[Any], list[Value]] = values_of) -> Iterator[Value]:
    """The cells of a batch's column, without the first ones. All are `Unreadable` if the column is damaged."""
    if problem := _problem(column):
        yield from repeat(Unreadable(f"the batch of this row is damaged: {problem}"), len(column) - skipped)
        return
    for first in range(skipped, len(column), _ROWS):
        yield from convert(column.slice(first, _ROWS))


def _problem(column: Any) -> str:
    """Why cells of a batch's column cannot be accessed safely: offsets may lead anywhere. Empty if they can.

    The column must not be sliced: a view of a sliced struct has other cells in Arrow 25.
    """
    try:
        column.validate()  # now each buffer is as long as it must be, and `_with_bytes` is safe
        _with_bytes(column).validate(full=True)
    except pa.ArrowException as error:
        return first_line(error)
    return ""


def _with_bytes(column: Any) -> Any:
    """A column with bytes for texts: texts that are not UTF-8 are found cell by cell. Extension types are replaced by
    what stores them: to `view` a column as its own extension type ends the process in Arrow 25."""
    types, kind = pa.types, column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _with_bytes(column.storage)
    if types.is_string(kind):
        return column.view(pa.binary())
    if types.is_large_string(kind):
        return column.view(pa.large_binary())
    if types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(column.indices, _with_bytes(column.dictionary), safe=False)
    if types.is_struct(kind):
        inner = [_with_bytes(column.field(position)) for position in range(kind.num_fields)]
        fields = [field.with_type(values.type) for field, values in zip(kind, inner, strict=True)]
        return _rebuilt(column, pa.struct(fields), 1, inner)
    if types.is_fixed_size_list(kind):
        values = _with_bytes(column.values)
        return _rebuilt(column, pa.list_(kind.value_field.with_type(values.type), kind.list_size), 1, [values])
    if types.is_list(kind) or types.is_large_list(kind):
        values, list_of = _with_bytes(column.values), pa.list_ if types.is_list(kind) else pa.large_list
        return _rebuilt(column, list_of(kind.value_field.with_type(values.type)), 2, [values])
    if types.is_map(kind):
        values = _with_bytes(column.values)
        return _rebuilt(column, pa.map_(values.type.field(0), values.type.field(1)), 2, [values])
    return column


def _rebuilt(column: Any, kind: pa.DataType, buffers: int, children: list[Any]) -> Any:
    """A nested column with other children. buffers: how many of its buffers are its own."""
    own = column.buffers()[:buffers]
    return pa.Array.from_buffers(kind, len(column), own, column.null_count, column.offset, children)


def _check_names(kind: pa.DataType) -> None:
    """Raises UnicodeDecodeError if the name of an inner field is not UTF-8."""
    if isinstance(kind, pa.BaseExtensionType):
        _check_names(kind.storage_type)
    elif pa.types.is_dictionary(kind):
        _check_names(kind.value_type)
    for position in range(kind.num_fields):
        field = kind.field(position)
        _ = field.name
        _check_names(field.type)
