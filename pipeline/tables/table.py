"""A durable table: one row per pair, one parquet file per chunk, one summary per range. Paths: see `pipeline.layout`.

The first commit of a chunk wins, because an engine may process a chunk twice, and on a GPU the last bits could differ.
Paths, listings and summaries do not import pyarrow, so a finished run does not need it.
"""

import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import count, takewhile
from typing import TYPE_CHECKING, Any

from pipeline import files, layout
from pipeline.faults import EnvironmentFault, first_line
from pipeline.files.guards import Guard, always
from pipeline.files.publish import delete_if_unfinished, publish_bytes
from pipeline.files.typed import publish_typed, read_typed
from pipeline.ids import ChunkId, RangeId
from pipeline.tables.range_summary import ChunkEntry, RangeSummary, Timing
from transforms.images import bytes_digest

if TYPE_CHECKING:
    import pyarrow as pa

SUMMARY_FORMAT = 1


def _row_files() -> Any:
    from pipeline.tables import row_files  # imports pyarrow, which is slow

    return row_files


@dataclass(frozen=True)
class Committed:
    """A committed chunk file. ours: whether it contains the rows of this call of `commit`."""

    digest: str
    ours: bool


@dataclass(frozen=True)
class Listing:
    """The files of a table at one time. chunks: when the file of each committed chunk was written; those of finished
    ranges may be left out. finished: the ranges that have a summary."""

    chunks: Mapping[ChunkId, float]
    finished: frozenset[RangeId]


@dataclass(frozen=True)
class Table:
    """A table in a folder.

    schema: returns the columns, including `error`. version: of the schema; columns missing in a file of an earlier
    version get their defaults. parents: names of the tables that the rows are computed from.
    """

    uri: str
    schema: Callable[[], "pa.Schema"]
    version: int = 1
    parents: tuple[str, ...] = ()

    @cached_property
    def name(self) -> str:
        """The name of the table and of its folder."""
        return files.name(self.uri)

    def chunk_uri(self, chunk: ChunkId) -> str:
        """The URI of a chunk's file."""
        return files.join(self.uri, layout.chunk(chunk))

    def summary_uri(self, range_id: RangeId) -> str:
        """The URI of the summary of a finished range."""
        return files.join(self.uri, layout.range_summary(range_id))

    def committed_chunks(self, range_id: RangeId) -> list[ChunkId]:
        """The committed chunks of a range in order, up to the first missing one."""
        chunks = (range_id.chunk(number) for number in count())
        return list(takewhile(lambda chunk: files.exists(self.chunk_uri(chunk)), chunks))

    def listing(self, open_only: bool = False, sources: int | None = None, sweep: bool = False) -> Listing:
        """What is committed: one listing, of which an object store returns 1,000 files with each request.

        open_only: leave out the chunks of finished ranges. A run has several for each range. sources: their number in
        the plan; S3 then lists no more than a thousand of them at a time, and no timings. sweep: remove local files
        that killed runs left unfinished beside these. The caller must hold the lock of the run folder.
        """
        starts = [""] if sources is None else layout.source_starts(sources)
        chunks: dict[ChunkId, float] = {}
        finished: set[RangeId] = set()
        needless = layout.chunks_of_finished if open_only else lambda _: ()
        for infos in files.iter_folders(self.uri, layout.ALL_ROWS, starts, needless, layout.is_summary_name):
            for info in infos:
                if chunk := layout.chunk_of(info.uri):
                    chunks[chunk] = info.stamp
                elif range_id := layout.range_of(info.uri):
                    finished.add(range_id)
                elif sweep:
                    delete_if_unfinished(info.uri)
        return Listing(chunks, frozenset(finished))

    def all_chunks(self) -> list[ChunkId]:
        """All committed chunks of all ranges, in order."""
        return sorted(self.listing().chunks)

    def finished_ranges(self, sources: int | None = None) -> frozenset[RangeId]:
        """The ranges that have a summary. sources: as for `listing`."""
        return self.listing(open_only=True, sources=sources).finished

    def is_finished(self, range_id: RangeId) -> bool:
        """Whether a range has a summary."""
        return files.exists(self.summary_uri(range_id))

    def read_summary(self, range_id: RangeId) -> RangeSummary:
        """The summary of a finished range.

        Raises:
          EnvironmentFault: the file is invalid or was written by a later release.
        """
        uri = self.summary_uri(range_id)
        try:
            summary = read_typed(uri, RangeSummary)
        except FileNotFoundError as error:
            raise EnvironmentFault(f"{uri} is missing; run gritmill ground again") from error
        if [entry.chunk for entry in summary.chunks] != list(range(len(summary.chunks))):
            raise EnvironmentFault(f"{uri}: its chunks are not 0, 1, 2, …; {RangeSummary.REMEDY}")
        if summary.rows != sum(entry.rows for entry in summary.chunks):
            raise EnvironmentFault(f"{uri}: its rows do not add up; {RangeSummary.REMEDY}")
        if summary.format > SUMMARY_FORMAT:
            raise EnvironmentFault(
                f"{self.summary_uri(range_id)}: format {summary.format} is from a later release; update gritmill"
            )
        return summary

    def entries(self, range_id: RangeId, finished: bool, number: int | None = None) -> tuple[ChunkEntry, ...]:
        """The entry of each committed chunk of a range: from the summary if `finished`, else from the chunk files.

        number: of the chunks whose files are read; None: all that are committed.
        """
        if finished:
            return self.read_summary(range_id).chunks
        chunks = self.committed_chunks(range_id) if number is None else map(range_id.chunk, range(number))
        return tuple(self.open(chunk).entry(chunk.number) for chunk in chunks)

    def reopen(self, ranges: Collection[RangeId], listing: Listing) -> Listing:
        """Deletes the summaries of ranges, so that these are unfinished again. Returns what the table has then.

        listing: what it has now.
        """
        reopened = listing.finished.intersection(ranges)
        files.delete(map(self.summary_uri, sorted(reopened)))
        return list_table(self) if reopened else listing  # which may lack the chunks of these ranges

    def delete_source(self, source: int) -> None:
        """Deletes all rows of a source, but range summaries first, so that no incomplete range counts as finished."""
        folder = layout.source_folder(source)
        uris = [info.uri for info in files.list_folder(files.join(self.uri, folder))]
        timings = [info.uri for info in files.list_folder(files.join(self.uri, layout.TIMINGS, folder))]
        files.delete(uri for uri in uris if layout.range_of(uri))
        files.delete(uri for uri in uris if layout.chunk_of(uri))
        files.delete(uri for uri in timings if layout.is_timing(uri))

    def commit(
        self,
        chunk: ChunkId,
        rows: Sequence[Mapping[str, Any]],
        metadata: Mapping[str, Any],
        parents: Mapping[str, str] | None = None,
        *,
        replaces: str | None = None,
        guard: Guard = always,
    ) -> Committed | None:
        """Publishes the rows of a chunk, unless the chunk is already committed for the same parents.

        Args:
          metadata: JSON object, stored with the rows.
          parents: by table, the digest of the parent chunk that the rows were computed from. Existing rows of other
            parents are replaced.
          replaces: the digest of the rows to replace, as for `find`.
          guard: called right before the file becomes visible; if it returns False, nothing is published.

        Returns:
          The chunk that is committed now; None if `guard` forbids the commit.
        """
        parents = dict(parents or {})
        existing = self._existing(chunk)
        if existing and self._stays(existing, chunk, parents, replaces):
            return Committed(existing.digest, ours=False)
        about = {"format": self.version, **metadata, **({"parents": parents} if parents else {})}
        data = _row_files().encode(rows, self.schema(), about)
        digest = bytes_digest(data)
        try:
            published = publish_bytes(self.chunk_uri(chunk), data, guard, create=existing is None)
        except FileExistsError:  # another worker was faster
            first = self.open(chunk).digest
            return Committed(first, ours=first == digest)
        return Committed(digest, ours=True) if published else None

    def find(self, chunk: ChunkId, parents: Mapping[str, str], replaces: str | None = None) -> "ChunkFile | None":
        """The committed chunk; None if there is none, or if its rows are to be replaced.

        They are, if they were computed from other parent chunks, or if they have the digest `replaces`; an empty one
        is that of any rows. Other rows are those of this retry: an engine may process a chunk twice. Nothing is
        replaced in a finished range, whose summary has the digests.
        """
        file = self._existing(chunk)
        return file if file and self._stays(file, chunk, parents, replaces) else None

    def _existing(self, chunk: ChunkId) -> "ChunkFile | None":
        """The committed chunk; None if there is none."""
        try:
            data = files.read_bytes(self.chunk_uri(chunk))
        except Exception as error:
            if files.is_missing(error):
                return None
            raise EnvironmentFault(f"{self.chunk_uri(chunk)}: {type(error).__name__}: {first_line(error)}") from error
        return self._checked(data, chunk, None)

    def _stays(self, file: "ChunkFile", chunk: ChunkId, parents: Mapping[str, str], replaces: str | None) -> bool:
        if replaces is not None and replaces in ("", file.digest) and not self.is_finished(chunk.range_id):
            return False
        return file.parents == dict(parents)

    def note_timing(
        self,
        chunk: ChunkId,
        pairs: int,
        next_position: Mapping[str, Any] | None,
        seconds: Mapping[str, float],
        previous: float | None,
    ) -> None:
        """Writes the timing of a chunk to a separate file, because the file of its rows must not depend on time.

        previous: the time when this worker committed its previous chunk, from `time.monotonic`. None for its first
        chunk, which includes loading the models; the sum of `seconds` is recorded as its wall time.
        """
        wall = sum(seconds.values()) if previous is None else time.monotonic() - previous
        rounded = {step: round(spent, 4) for step, spent in seconds.items()}
        worker = f"{socket.gethostname()}:{os.getpid()}"
        timing = Timing(pairs, rounded, round(wall, 4), previous is None, worker, time.time(), next_position)
        publish_typed(files.join(self.uri, layout.timing(chunk)), timing)

    def finish(self, range_id: RangeId, chunks: int, faults: Sequence[str], guard: Guard = always) -> bool:
        """Writes the summary of a range, after all of its `chunks` chunks are committed. faults: source faults.

        Does nothing if the range is finished, or if `guard` returns False, because then chunks may be missing. Returns
        whether it wrote the summary.
        """
        if guard() and not self.is_finished(range_id):
            entries = tuple(self.open(range_id.chunk(number)).entry(number) for number in range(chunks))
            rows = sum(entry.rows for entry in entries)
            summary = RangeSummary(SUMMARY_FORMAT, entries, rows, tuple(faults))
            with suppress(FileExistsError):  # another worker was faster
                return publish_typed(self.summary_uri(range_id), summary, guard, create=True)
        return False

    def read(self, chunk: ChunkId, digest: str | None = None) -> "pa.Table":
        """The rows of a committed chunk, in order. Raises as `open`."""
        return self.open(chunk, digest).rows()

    def open(self, chunk: ChunkId, digest: str | None = None) -> "ChunkFile":
        """Reads a committed chunk. digest: the digest in the range's summary. None: the checksum in the
        file is checked.

        Raises:
          EnvironmentFault: the file is missing, damaged, changed after the commit, or was written by a later release.
        """
        uri = self.chunk_uri(chunk)
        try:
            data = files.read_bytes(uri)
        except Exception as error:
            if files.is_missing(error):
                first = "" if digest is None else f"remove {self.summary_uri(chunk.range_id)}, then "
                raise EnvironmentFault(f"{uri} is missing; {first}run gritmill ground again") from error
            raise EnvironmentFault(f"{uri}: {type(error).__name__}: {first_line(error)}") from error
        return self._checked(data, chunk, digest)

    def _checked(self, data: bytes, chunk: ChunkId, digest: str | None) -> "ChunkFile":
        uri = self.chunk_uri(chunk)
        summary = "" if digest is None else self.summary_uri(chunk.range_id)
        remedy = f"remove it{summary and ' and '}{summary}, then run gritmill ground again"
        if not (_row_files().is_intact(data) if digest is None else bytes_digest(data) == digest):
            raise EnvironmentFault(f"{uri} has changed since it was committed; {remedy}")
        try:
            metadata = _row_files().metadata_of(data)
            later = metadata["format"] > self.version
        except Exception as error:
            raise EnvironmentFault(f"{uri} is damaged: {first_line(error)}; {remedy}") from error
        if later:
            raise EnvironmentFault(
                f"{uri}: format {metadata['format']} is from a later release (this one reads up to {self.version}); "
                "update gritmill"
            )
        return ChunkFile(data, metadata, self.schema, f"{uri} is damaged", remedy)


def list_tables(tables: Mapping[str, Table], sources: int | None = None, sweep: bool = False) -> dict[str, Listing]:
    """What the tables have, by name: one listing of each. sources: their number in the plan, if there is one. sweep: as
    for `Table.listing`."""
    return {name: list_table(table, sources, sweep) for name, table in tables.items()}


def list_table(table: Table, sources: int | None = None, sweep: bool = False) -> Listing:
    """What a table has. Chunks of finished ranges are only looked for where they may be missing: they depend on those
    of other tables. sources, sweep: as for `list_tables`."""
    return table.listing(open_only=not table.parents, sources=sources, sweep=sweep)


@dataclass(frozen=True)
class ChunkFile:
    """The file of a committed chunk, in memory.

    metadata: the metadata passed to `Table.commit`, with `format` (the version of the schema) and `parents` if any.
    damaged, remedy: parts of the error message if the rows cannot be read.
    """

    data: bytes
    metadata: dict[str, Any]
    schema: Callable[[], "pa.Schema"]
    damaged: str
    remedy: str

    @cached_property
    def digest(self) -> str:
        """The digest of the file."""
        return bytes_digest(self.data)

    @property
    def parents(self) -> dict[str, str]:
        """By table, the digest of the parent chunk that the rows were computed from."""
        return dict(self.metadata.get("parents", {}))

    def rows(self) -> "pa.Table":
        """The rows in order, with all columns of the schema."""
        table: pa.Table = self._read(lambda: _row_files().decode(self.data, self.schema()))
        return table

    def entry(self, number: int) -> ChunkEntry:
        """The entry of this chunk in the summary of its range. number: of the chunk."""
        reasons = self._read(lambda: _row_files().failure_reasons(self.data))
        failed = Counter(reason for reason in reasons if reason)
        return ChunkEntry(number, len(reasons), self.digest, dict(sorted(failed.items())), self.parents)

    def _read(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except Exception as error:  # Arrow raises several types for damaged bytes
            raise EnvironmentFault(f"{self.damaged}: {first_line(error)}; {self.remedy}") from error
