"""Ids of ranges and chunks, and the file names derived from them."""

from typing import NamedTuple

# Tuples: a driver compares, sorts and hashes hundreds of thousands of them, which takes dataclasses ten times as long.


class RangeId(NamedTuple):
    """A range, identified by its position in the plan."""

    source: int
    range: int

    @property
    def stem(self) -> str:
        """The start of the names of its files, below a table's folder."""
        return f"{self.source:05}/{self.range:05}"

    def chunk(self, number: int) -> "ChunkId":
        """The id of chunk `number` of this range."""
        return ChunkId(self.source, self.range, number)


class ChunkId(NamedTuple):
    """A chunk, identified by its position in the plan."""

    source: int
    range: int
    number: int

    @property
    def range_id(self) -> RangeId:
        """The range that contains the chunk."""
        return RangeId(self.source, self.range)

    @property
    def stem(self) -> str:
        """The name of its file below a table's folder, without the extension."""
        return f"{self.range_id.stem}-{self.number:05}"
