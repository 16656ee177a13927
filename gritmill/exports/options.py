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

    images: write image files, if the format refers to files. level: None is the format's own choice: expressions,
    but chunks for `mdetr`; a format of another package never gets None. dialect, seed: for the format `instructions`
    only. tokenizer: for the format `odvg` only: path of the `tokenizer.json` of the text encoder that will be trained;
    empty: numbers of tokens are estimated.
    per_caption: for `coco` and `yolo`: an entry per caption, also if several captions have the same image. split: for
    `coco` only: the name of the split in the names of files and folders, as in COCO's own release.
    """

    images: bool = True
    level: Level | None = None
    dialect: str = "kosmos2"
    seed: int = 0
    per_caption: bool = False
    split: str = ""
    tokenizer: str = ""
