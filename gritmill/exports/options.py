"""What a user can set about an export."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """Which spans of a record become an export's phrases."""

    EXPRESSIONS = "expressions"
    CHUNKS = "chunks"


@dataclass(frozen=True)
class ExportOptions:
    """What a user can set about an export.

    images: whether pictures are written as files of their own, for formats that name files. dialect, seed: of
    instructions.
    """

    images: bool = True
    level: Level = Level.EXPRESSIONS
    dialect: str = "kosmos2"
    seed: int = 0
