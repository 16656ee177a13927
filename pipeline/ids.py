"""What a range and a chunk of a run are called."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RangeId:
    """A range, by its position in the plan."""

    source: int
    range: int


@dataclass(frozen=True)
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
        """Its file's name below `detections/`, without the ending."""
        return f"{self.source:05}/{self.range:05}-{self.number:05}"
