"""Options of the evaluation commands. This module imports fast."""

from enum import StrEnum


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
