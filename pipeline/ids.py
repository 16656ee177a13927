"""What a range and a chunk of a run are called."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class RangeId:
    """A range, by its position in the plan."""

    source: int
    range: int

    @property
    def stem(self) -> str:
        """How the names of its files below a table's folder begin."""
        return f"{self.source:05}/{self.range:05}"

    def chunk(self, number: int) -> "ChunkId":
        """One of its chunks."""
        return ChunkId(self.source, self.range, number)


@dataclass(frozen=True, order=True)
class ChunkId:
    """A chunk, by its position in the plan."""

    source: int
    range: int
    number: int

    @property
    def range_id(self) -> RangeId:
        """The range that it is part of."""
        return RangeId(self.source, self.range)

    @property
    def stem(self) -> str:
        """Its file's name below a table's folder, without the ending."""
        return f"{self.range_id.stem}-{self.number:05}"
