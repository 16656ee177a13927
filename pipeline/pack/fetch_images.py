"""Encoded images from where they lie: a container is read forward once, image files are prefetched."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, Protocol

import pyarrow.parquet as pq

from pipeline import files
from pipeline.configuration import ColumnSettings
from pipeline.faults import EnvironmentFault
from pipeline.sources.base import Columns
from transforms import images
from transforms.records import FailureStage, Fault, ImageRef, Reason
from transforms.selection.judge import Kept

_MAX_SKIP = 1 << 20  # a gap that is cheaper to read through than a new request to an object store
_LOADERS = 8
_MAX_PREFETCH = 32
_MAX_PREFETCH_BYTES = 64 << 20  # or a single image

Fetched = tuple[Kept, bytes | Fault]


def fetch(kept: Iterable[Kept], columns: ColumnSettings) -> Iterator[Fetched]:
    """Each kept pair with its image's bytes, in order; a `Fault` where the image is gone or has changed since `ground`.

    Raises:
      EnvironmentFault: a container is missing.
    """
    pending: deque[tuple[Kept, Future[bytes | None]]] = deque()
    pending_bytes = 0
    with closing(_Loaders(columns)) as loaders:
        for item in kept:
            pending.append((item, loaders.load(item.pair.image)))
            pending_bytes += item.pair.image.length
            while len(pending) > _MAX_PREFETCH or (pending_bytes > _MAX_PREFETCH_BYTES and len(pending) > 1):
                pending_bytes -= pending[0][0].pair.image.length
                yield _result(*pending.popleft())
        while pending:
            yield _result(*pending.popleft())


def is_separate_file(image: ImageRef) -> bool:
    """Whether the image is a file of its own; in a tar a header precedes it."""
    return image.row < 0 and image.offset == 0


def _result(item: Kept, future: "Future[bytes | None]") -> Fetched:
    image = item.pair.image
    try:
        data = future.result()
    except Exception as error:
        if is_separate_file(image) and files.is_missing(error):
            return item, Fault.from_error(FailureStage.FETCH, Reason.GONE, image.uri)
        if is_separate_file(image) and files.is_forbidden(image.uri):
            return item, Fault.from_error(FailureStage.FETCH, Reason.FORBIDDEN, image.uri)
        raise EnvironmentFault(f"{image.uri}: {type(error).__name__}: {error}") from error
    return item, Fault.from_error(FailureStage.FETCH, Reason.CHANGED, image.uri) if data is None else data


class _Loaders:
    """Threads that read ahead: several for image files, one for containers, which are read forward."""

    def __init__(self, columns: ColumnSettings) -> None:
        self._containers = _Containers(columns)
        self._forward = ThreadPoolExecutor(1, thread_name_prefix="container")
        self._pool = ThreadPoolExecutor(_LOADERS, thread_name_prefix="images")
        self._last: tuple[ImageRef, Future[bytes | None]] | None = None

    def load(self, image: ImageRef) -> "Future[bytes | None]":
        """Its bytes, or None if they are not those that were grounded; the same image again costs nothing."""
        if self._last is None or self._last[0] != image:
            is_file = is_separate_file(image)
            future = (
                self._pool.submit(self._read_file, image) if is_file else self._forward.submit(self._read_member, image)
            )
            self._last = image, future
        return self._last[1]

    def close(self) -> None:
        """Stops reading, and closes what is open."""
        self._pool.shutdown(cancel_futures=True)
        self._forward.shutdown(cancel_futures=True)
        self._containers.close()

    def _read_file(self, image: ImageRef) -> bytes | None:
        return _unchanged(files.read_bytes(image.uri), image)

    def _read_member(self, image: ImageRef) -> bytes | None:
        return _unchanged(self._containers.read(image), image)


def _unchanged(data: bytes, image: ImageRef) -> bytes | None:
    return data if images.matches_digest(data, image.digest) else None


class _Container(Protocol):
    def read(self, image: ImageRef) -> bytes: ...
    def close(self) -> None: ...


class _Containers:
    """One open container at a time: kept pairs come in input order, so each is opened once a shard."""

    def __init__(self, columns: ColumnSettings) -> None:
        self._columns = columns
        self._uri = ""
        self._open: _Container | None = None

    def read(self, image: ImageRef) -> bytes:
        """The bytes of one image."""
        if self._open is None or self._uri != image.uri:
            self.close()
            self._open = _Parquet(image.uri, self._columns) if image.row >= 0 else _Tar(image.uri)
            self._uri = image.uri
        return self._open.read(image)

    def close(self) -> None:
        """Closes what is open."""
        if self._open:
            self._open.close()
            self._open = None


class _Tar:
    """Plain or gzipped; offsets are those of the unpacked tar."""

    def __init__(self, uri: str) -> None:
        self._raw = files.open_read(uri)
        self._file = files.gunzipped(self._raw)
        self._offset = 0

    def read(self, image: ImageRef) -> bytes:
        gap = image.offset - self._offset
        if 0 <= gap <= _MAX_SKIP:
            self._file.read(gap)
        else:
            self._file.seek(image.offset)
        data = self._file.read(image.length)
        self._offset = image.offset + len(data)
        return data

    def close(self) -> None:
        self._raw.close()


class _Parquet:
    """Reads the image column batch by batch, forward."""

    def __init__(self, uri: str, columns: ColumnSettings) -> None:
        self._file = pq.ParquetFile(files.open_read(uri), buffer_size=1 << 20, pre_buffer=False)
        self._column = Columns.pick(self._file.schema_arrow.names, columns, uri).image
        self._first = self._group_end = 0
        self._batches: Iterator[Any] = iter(())
        self._batch: Any = None
        self._restart(0)

    def read(self, image: ImageRef) -> bytes:
        if image.row >= self._file.metadata.num_rows:
            return b""  # fewer rows than there were: not the file that was grounded
        if image.row < self._first:
            self._restart(0)
        while image.row >= self._first + self._batch.num_rows:
            if image.row >= self._group_end:
                self._restart(image.row)
                continue
            self._first += self._batch.num_rows
            self._batch = next(self._batches)
        cell: Any = self._batch.column(0)[image.row - self._first].as_py()
        data = cell["bytes"] if isinstance(cell, dict) else cell
        return data or b""

    def close(self) -> None:
        self._file.close(force=True)

    def _restart(self, row: int) -> None:
        """Goes to the row group of `row`."""
        metadata = self._file.metadata
        first = group = 0
        while group < metadata.num_row_groups - 1 and row >= first + metadata.row_group(group).num_rows:
            first += metadata.row_group(group).num_rows
            group += 1
        self._group_end = first + metadata.row_group(group).num_rows
        self._batches = self._file.iter_batches(batch_size=64, row_groups=[group], columns=[self._column])
        self._first = first
        self._batch = next(self._batches)
