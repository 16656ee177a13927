"""Options of the evaluation commands. This module imports fast."""

from enum import StrEnum
from typing import Annotated

from gritmill.options import Option, PathOrUri, PathsOrUris


class TruthFormat(StrEnum):
    """The form of a set with true boxes."""

    FLICKR30K = "flickr30k"
    REFCOCO = "refcoco"
    JSONL = "jsonl"


class Nms(StrEnum):
    """Which boxes compete in non-maximum suppression at `selection.nms_iou`: those of a phrase, or of a caption."""

    NONE = "none"
    PHRASE = "phrase"
    CAPTION = "caption"


Truth = Annotated[PathsOrUris, Option("--truth", "The set: its folder, or files.", "PATH...", cli_type=list[str])]
On = Annotated[str, Option("--on", "What form the set is of.", cli_type=TruthFormat)]
Images = Annotated[PathOrUri | None, Option("--images", "Folder of the set's pictures.", "DIR", cli_type=str | None)]
Split = Annotated[str | None, Option("--split", "Of the set: val, test, testA, ...", "NAME")]
LimitPictures = Annotated[int | None, Option("--limit", "Only the first N pictures.", "N", min=1)]
ResultFile = Annotated[PathOrUri | None, Option("--output", "JSON file for all figures.", "FILE", cli_type=str | None)]
CalibrationFolder = Annotated[
    PathOrUri, Option("--output", "Folder for calibration.json and .html.", "DIR", cli_type=str)
]
PhrasesOnly = Annotated[bool, Option("--phrases", "Compare extracted phrases with marked ones, not boxes.")]
Alone = Annotated[bool, Option("--alone", "Ask for every phrase in a prompt of its own.")]
NmsOf = Annotated[str, Option("--nms", "Non-maximum suppression before boxes are ranked.", cli_type=Nms)]
Precision = Annotated[float, Option("--precision", "Share of boxes that are to be right.", min=0, max=1)]
Seed = Annotated[int, Option("--seed", "Of the bootstrap.", min=0)]
