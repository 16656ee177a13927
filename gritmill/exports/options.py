"""The options of an export."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """The spans of a record that become the phrases of an export."""

    EXPRESSIONS = "expressions"
    CHUNKS = "chunks"


@dataclass(frozen=True)
class ExportOptions:
    """The options of an export.

    images: write image files, if the format refers to files. dialect, seed: for the format `instructions` only.
    per_caption: for `coco` and `yolo`: an entry per caption, also if several captions have the same image. split: for
    `coco` only: the name of the split in the names of files and folders, as in COCO's own release.
    """

    images: bool = True
    level: Level = Level.EXPRESSIONS
    dialect: str = "kosmos2"
    seed: int = 0
    per_caption: bool = False
    split: str = ""
