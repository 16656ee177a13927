"""`decoys/`: the table of decoys and their boxes, next to the detections. `pack` reads it if it is there."""

from collections.abc import Sequence
from itertools import count, takewhile
from typing import TYPE_CHECKING, Any

from pipeline import files, layout
from pipeline.ids import RangeId
from pipeline.tables.range_summary import ChunkEntry
from pipeline.tables.table import Listing, Table
from pipeline.tables.table_file import is_table

if TYPE_CHECKING:
    import pyarrow as pa


def open_decoys(detections: str) -> Table:
    """The table of the run that a detections folder belongs to. It may not exist."""
    return Table(files.join(files.parent(detections), layout.DECOYS), _schema, parents=(layout.DETECTIONS,))


def list_decoys(table: Table) -> Listing:
    """What the table has, without the chunks of finished ranges; nothing if there is none, or if the folder of its name
    is no table."""
    return table.listing(open_only=True) if is_table(table.uri) else Listing({}, frozenset())


def usable_chunks(listing: Listing, range_id: RangeId) -> int | None:
    """How many chunks of a range have decoys, from the first one on; None if the range is finished."""
    if range_id in listing.finished:
        return None
    return sum(1 for _ in takewhile(lambda number: range_id.chunk(number) in listing.chunks, count()))


def decoys_of(detections: str, range_id: RangeId, chunks: int | None, parents: Sequence[ChunkEntry]) -> list[str]:
    """The digest of the decoys of each chunk of a range; empty where there are none, or if they were asked for earlier
    detections.

    chunks: of `usable_chunks`. parents: the chunks of detections.
    """
    entries = open_decoys(detections).entries(range_id, chunks is None, chunks) if chunks != 0 else ()
    found = {(entry.chunk, entry.parents.get(layout.DETECTIONS)): entry.digest for entry in entries}
    return [found.get((parent.chunk, parent.digest), "") for parent in parents]


def columns() -> "list[pa.Field[Any]]":
    """`phrases`: text and head of each decoy that was asked for. `boxes`, `boxes_cut`: as in detections."""
    import pyarrow as pa

    from pipeline.tables.pair_rows import SCHEMA

    text = [pa.field(name, pa.string(), nullable=False) for name in ("text", "head")]
    phrases: pa.Field[Any] = pa.field("phrases", pa.list_(pa.struct(text)), nullable=False)
    return [phrases, SCHEMA.field("boxes"), SCHEMA.field("boxes_cut")]


def _schema() -> "pa.Schema":
    from pipeline.tables.row_files import schema_of  # imports pyarrow

    return schema_of(columns())
