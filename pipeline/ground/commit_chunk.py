"""The rows of a chunk -> their table, with metadata about how they were computed."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline.files.guards import Guard, always
from pipeline.ids import ChunkId
from pipeline.stages.base import Stage
from pipeline.tables.table import Table
from transforms.records import Chunk


@dataclass(frozen=True)
class Provenance:
    """Metadata in every file of a table: the fingerprint, and the identities of the models."""

    fingerprint: str
    model_identities: dict[str, str]


def commit_chunk(
    table: Table,
    stage: Stage,
    chunk: Chunk,
    provenance: Provenance,
    guard: Guard = always,
    previous: float | None = None,
    count: Callable[[Chunk], None] = lambda _: None,
) -> Chunk | None:
    """Commits the rows of a chunk. Their file records where the next chunk starts.

    previous: see `Table.note_timing`. count: called with the chunk and its rows, if this call commits them.

    Returns:
      The chunk as later stages see it. If an earlier attempt committed the chunk, it has the rows of that attempt. None
      if `guard` forbids the commit.
    """
    metadata = {
        "fingerprint": provenance.fingerprint,
        "models": provenance.model_identities,
        "made": chunk.recorded,
        "next": chunk.next_position,
    }
    chunk_id = ChunkId(chunk.source, chunk.range, chunk.number)
    committed = table.commit(
        chunk_id,
        [stage.encode(row) for row in chunk.rows],
        metadata,
        {name: chunk.digests[name] for name in table.parents},
        replaces=chunk.redo.get(table.name),
        guard=guard,
    )
    if committed is None:
        return None
    if committed.ours:
        count(chunk)
        table.note_timing(chunk_id, len(chunk.pairs), chunk.next_position, chunk.seconds, previous)
    else:
        chunk = stage.with_rows(chunk, stage.decode(table.read(chunk_id)))
    digests = {**chunk.digests, table.name: committed.digest}
    return replace(chunk, digests=digests, rows=(), recorded={}, seconds={})
