"""A chunk's rows -> their table, with what is said of how they were made."""

from dataclasses import dataclass, replace

from pipeline.files.publish import Guard, always
from pipeline.ids import ChunkId
from pipeline.stages.base import Stage
from pipeline.tables.table import Table
from transforms.records import Chunk


@dataclass(frozen=True)
class Provenance:
    """What every file of a table says of how it was made: its fingerprint, and the models' identities."""

    fingerprint: str
    model_identities: dict[str, str]


def commit_chunk(
    table: Table,
    stage: Stage,
    chunk: Chunk,
    provenance: Provenance,
    guard: Guard = always,
    previous: float | None = None,
) -> Chunk | None:
    """Commits a chunk's rows; their file says where the next chunk starts. previous: as of `Table.note_timing`.

    Returns:
      The chunk as later stages see it: where another attempt had committed it before, with the rows of that one. None
      if the guard said no.
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
        replaces=table.name in chunk.redo,
        guard=guard,
    )
    if committed is None:
        return None
    if committed.ours:
        table.note_timing(chunk_id, len(chunk.pairs), chunk.seconds, previous)
    else:
        chunk = stage.with_rows(chunk, stage.decode(table.read(chunk_id)))
    digests = {**chunk.digests, table.name: committed.digest}
    return replace(chunk, digests=digests, rows=(), recorded={}, seconds={})
