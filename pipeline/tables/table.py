"""A durable table: one row a pair, one parquet file a chunk, one summary a range. `pipeline.layout` says where.

The first commit of a chunk wins: an engine may do a chunk twice, and on a GPU the last bits would differ. Paths, lists
and summaries need no pyarrow: a run with nothing left to do asks for no more.
"""

import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count, takewhile
from typing import TYPE_CHECKING, Any

from pipeline import files, layout
from pipeline.faults import EnvironmentFault, first_line
from pipeline.files.publish import Guard, always, publish_bytes
from pipeline.files.typed import publish_typed, read_typed
from pipeline.ids import ChunkId, RangeId
from pipeline.tables.range_summary import ChunkEntry, RangeSummary, Timing
from transforms.images import bytes_digest

if TYPE_CHECKING:
    import pyarrow as pa

SUMMARY_FORMAT = 1


def _row_files() -> Any:
    from pipeline.tables import row_files  # with pyarrow, which takes a while

    return row_files


@dataclass(frozen=True)
class Committed:
    """A chunk's file as it is: its digest, and whether it holds the rows that were just given."""

    digest: str
    ours: bool


@dataclass(frozen=True)
class Table:
    """A table in a folder.

    schema: gives the columns, `error` among them. version: of the schema; a file of an earlier one lacks columns, which
    then hold their defaults. parents: names of the tables whose rows the rows are made from.
    """

    uri: str
    schema: Callable[[], "pa.Schema"]
    version: int = 1
    parents: tuple[str, ...] = ()

    @cached_property
    def name(self) -> str:
        """That of its folder."""
        return files.name(self.uri)

    def chunk_uri(self, chunk: ChunkId) -> str:
        """Where a chunk is committed."""
        return files.join(self.uri, layout.chunk(chunk))

    def summary_uri(self, range_id: RangeId) -> str:
        """Where a finished range is recorded."""
        return files.join(self.uri, layout.range_summary(range_id))

    def committed_chunks(self, range_id: RangeId) -> list[ChunkId]:
        """The committed chunks of a range, in order, up to the first that is missing."""
        chunks = (range_id.chunk(number) for number in count())
        return list(takewhile(lambda chunk: files.exists(self.chunk_uri(chunk)), chunks))

    def all_chunks(self) -> list[ChunkId]:
        """The committed chunks of all ranges, in order."""
        chunks = [layout.chunk_of(info.uri) for info in files.list_folder(self.uri, layout.ALL_CHUNKS)]
        return sorted(chunk for chunk in chunks if chunk)

    def finished_ranges(self) -> set[RangeId]:
        """The ranges that are done."""
        ranges = (layout.range_of(info.uri) for info in files.list_folder(self.uri, layout.ALL_RANGE_SUMMARIES))
        return {range_id for range_id in ranges if range_id}

    def is_finished(self, range_id: RangeId) -> bool:
        """Whether a range is recorded as done."""
        return files.exists(self.summary_uri(range_id))

    def read_summary(self, range_id: RangeId) -> RangeSummary:
        """What is recorded of a finished range."""
        summary = read_typed(self.summary_uri(range_id), RangeSummary)
        if summary.format > SUMMARY_FORMAT:
            raise EnvironmentFault(f"{self.summary_uri(range_id)}: format {summary.format} is of a later gritmill")
        return summary

    def entries(self, range_id: RangeId, finished: bool) -> tuple[ChunkEntry, ...]:
        """What each committed chunk of a range holds: as recorded if it is finished, else read from the chunks."""
        if finished:
            return self.read_summary(range_id).chunks
        return tuple(self.open(chunk).entry(chunk.number) for chunk in self.committed_chunks(range_id))

    def reopen(self, ranges: Iterable[RangeId]) -> None:
        """Removes the records that ranges are done."""
        files.delete(self.summary_uri(range_id) for range_id in ranges)

    def delete_source(self, source: int) -> None:
        """Removes all rows of a source; first the records that its ranges are done, so that no part counts as all."""
        folder = layout.source_folder(source)
        infos = files.list_folder(files.join(self.uri, folder))
        infos.sort(key=lambda info: layout.range_of(info.uri) is None)
        infos += files.list_folder(files.join(self.uri, layout.TIMINGS, folder))
        files.delete(info.uri for info in infos)

    def commit(
        self,
        chunk: ChunkId,
        rows: Sequence[Mapping[str, Any]],
        metadata: Mapping[str, Any],
        parents: Mapping[str, str] | None = None,
        *,
        replaces: bool = False,
        guard: Guard = always,
    ) -> Committed | None:
        """Publishes the rows of a chunk. Returns what is committed there now; None if the guard said no.

        Args:
          metadata: JSON, kept beside the rows.
          parents: by table, the digest of the parent chunk that the rows were made from; rows made from others are
            replaced. replaces: whatever is there is.
          guard: asked right before the file becomes visible.
        """
        parents = dict(parents or {})
        if not replaces and (file := self.find(chunk, parents)):
            return Committed(file.digest, ours=False)
        about = {"format": self.version, **metadata, **({"parents": parents} if parents else {})}
        data = _row_files().encode(rows, self.schema(), about)
        published = publish_bytes(self.chunk_uri(chunk), data, guard)
        return Committed(bytes_digest(data), ours=True) if published else None

    def find(self, chunk: ChunkId, parents: Mapping[str, str]) -> "ChunkFile | None":
        """A committed chunk; None if there is none, or it was made from other parent chunks."""
        if not files.exists(self.chunk_uri(chunk)):
            return None
        file = self.open(chunk)
        return file if file.parents == dict(parents) else None

    def note_timing(self, chunk: ChunkId, pairs: int, seconds: Mapping[str, float], previous: float | None) -> None:
        """Notes what a chunk took, since no byte of its rows may depend on that.

        previous: when this worker committed the chunk before, in seconds of `time.monotonic`; for its first chunk, in
        which the models are loaded, the time that its steps took counts instead.
        """
        wall = sum(seconds.values()) if previous is None else time.monotonic() - previous
        rounded = {step: round(spent, 4) for step, spent in seconds.items()}
        worker = f"{socket.gethostname()}:{os.getpid()}"
        timing = Timing(pairs, rounded, round(wall, 4), previous is None, worker, time.time())
        publish_typed(files.join(self.uri, layout.timing(chunk)), timing)

    def finish(self, range_id: RangeId, chunks: int, faults: Sequence[str], guard: Guard = always) -> None:
        """Records a range whose `chunks` chunks are all committed: rows, digests, failed rows by reason, and what could
        not be read. Where the guard says no, chunks may be missing."""
        if guard() and not self.is_finished(range_id):
            entries = tuple(self.open(range_id.chunk(number)).entry(number) for number in range(chunks))
            rows = sum(entry.rows for entry in entries)
            summary = RangeSummary(SUMMARY_FORMAT, entries, rows, tuple(faults))
            publish_typed(self.summary_uri(range_id), summary, guard)

    def read(self, chunk: ChunkId, digest: str | None = None) -> "pa.Table":
        """The rows of a committed chunk, in order; raises as `open`."""
        return self.open(chunk, digest).rows()

    def open(self, chunk: ChunkId, digest: str | None = None) -> "ChunkFile":
        """A committed chunk. digest: what the range's summary says of it.

        Raises:
          EnvironmentFault: the file is gone, damaged, not the one that was committed, or of a later release.
        """
        uri = self.chunk_uri(chunk)
        remedy = f"remove it and {self.summary_uri(chunk.range_id)}, then ground makes it again"
        try:
            data = files.read_bytes(uri)
        except Exception as error:
            if files.is_missing(error):
                raise EnvironmentFault(f"{uri} is gone; {remedy.replace('it and ', '', 1)}") from error
            raise EnvironmentFault(f"{uri}: {type(error).__name__}: {first_line(error)}") from error
        if digest is not None and bytes_digest(data) != digest:
            raise EnvironmentFault(f"{uri} is not what was committed; {remedy}")
        try:
            metadata = _row_files().metadata_of(data)
        except Exception as error:
            raise EnvironmentFault(f"{uri} is damaged: {first_line(error)}; {remedy}") from error
        if metadata["format"] > self.version:
            raise EnvironmentFault(
                f"{uri}: format {metadata['format']} is of a later gritmill; this one reads up to {self.version}"
            )
        return ChunkFile(data, metadata, self.schema, f"{uri} is damaged", remedy)


@dataclass(frozen=True)
class ChunkFile:
    """A committed chunk, read once.

    metadata: what `Table.commit` was given beside the rows, with `format`, the schema's version, and `parents`.
    damaged, remedy: what to say if its rows cannot be read.
    """

    data: bytes
    metadata: dict[str, Any]
    schema: Callable[[], "pa.Schema"]
    damaged: str
    remedy: str

    @cached_property
    def digest(self) -> str:
        """Of the file."""
        return bytes_digest(self.data)

    @property
    def parents(self) -> dict[str, str]:
        """By table, the digest of the parent chunk that the rows were made from."""
        return dict(self.metadata.get("parents", {}))

    def rows(self) -> "pa.Table":
        """In order, with all columns of the schema."""
        table: pa.Table = self._read(lambda: _row_files().decode(self.data, self.schema()))
        return table

    def entry(self, number: int) -> ChunkEntry:
        """What the range's summary says of it."""
        reasons = self._read(lambda: _row_files().failure_reasons(self.data))
        failed = Counter(reason for reason in reasons if reason)
        return ChunkEntry(number, len(reasons), self.digest, dict(sorted(failed.items())), self.parents)

    def _read(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except Exception as error:  # whatever Arrow says of damaged bytes
            raise EnvironmentFault(f"{self.damaged}: {first_line(error)}; {self.remedy}") from error
