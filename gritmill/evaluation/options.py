"""Options of the evaluation commands. This module must import fast."""

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Annotated

from gritmill.options import Option, PathOrUri, PathsOrUris
from pipeline.faults import CallError


class TruthFormat(StrEnum):
    """The format of a data set with true boxes or statements."""

    FLICKR30K = "flickr30k"
    REFCOCO = "refcoco"
    VSR = "vsr"
    JSONL = "jsonl"


class Nms(StrEnum):
    """Which boxes compete in non-maximum suppression at `selection.nms_iou`: those of a phrase, or of a caption."""

    NONE = "none"
    PHRASE = "phrase"
    CAPTION = "caption"


Truth = Annotated[
    PathsOrUris, Option("--truth", "Annotated data set: its folder or its files.", "PATH...", cli_type=list[str])
]
OptionalTruth = Annotated[
    PathsOrUris | None,
    Option("--truth", "Annotated data set: its folder or its files.", "PATH...", cli_type=list[str] | None),
]
WithoutTruth = Annotated[
    PathOrUri | None,
    Option("--without-truth", "Run folder: finds the threshold from stated numbers.", "DIR", cli_type=str | None),
]
ClicksFile = Annotated[
    PathOrUri | None,
    Option(
        "--clicks", "Answers saved by the page of view: finds the threshold from them.", "FILE", cli_type=str | None
    ),
]
On = Annotated[str, Option("--on", "Format of the data set; vsr only for eval --relations.", cli_type=TruthFormat)]
Images = Annotated[PathOrUri | None, Option("--images", "Folder of the images.", "DIR", cli_type=str | None)]
Split = Annotated[str | None, Option("--split", "Split of the data set: val, test, testA, ...", "NAME")]
LimitPictures = Annotated[int | None, Option("--limit", "Use only the first N images.", "N", min=1)]
LimitCalibration = Annotated[
    int | None,
    Option("--limit", "Use only the first N images; with --without-truth, about N pairs (20,000).", "N", min=1),
]
ResultFile = Annotated[PathOrUri | None, Option("--output", "JSON file for all figures.", "FILE", cli_type=str | None)]
CalibrationFolder = Annotated[
    PathOrUri, Option("--output", "Folder for calibration.json and calibration.html.", "DIR", cli_type=str)
]
PhrasesOnly = Annotated[bool, Option("--phrases", "Measure extracted phrases instead of boxes.")]
Relations = Annotated[
    bool, Option("--relations", "Measure what captions state about numbers and places instead of boxes.")
]
CocoBoxes = Annotated[
    PathsOrUris | None,
    Option("--boxes", "COCO's instances_*.json with the boxes of VSR's images.", "FILE...", cli_type=list[str] | None),
]
Detect = Annotated[bool, Option("--detect", "With --relations: check statements on the detector's boxes, too.")]
Alone = Annotated[bool, Option("--alone", "Query each phrase in its own prompt.")]
NmsOf = Annotated[
    str, Option("--nms", "Non-maximum suppression before ranking: within a phrase or a caption.", cli_type=Nms)
]
Precision = Annotated[
    float, Option("--precision", "Target precision: share of boxes that are correct.", "SHARE", min=0, max=1)
]
Seed = Annotated[int, Option("--seed", "Seed of the bootstrap.", "N", min=0)]

_USED_BY = {
    **dict.fromkeys(("on", "images", "split"), ("--truth",)),
    "precision": ("--truth", "--clicks"),
    **dict.fromkeys(("config", "limit", "seed"), ("--truth", "--without-truth")),
}
"""The ways of `calibrate` that use an option; all of them use the others."""


def check_used(way: str, given: Iterable[str]) -> None:
    """Raises CallError if `calibrate` does not use an option. way: --truth, --without-truth or --clicks. given: names
    of the options that are given."""
    for name in given:
        if way not in _USED_BY.get(name, (way,)):
            shown = "CONFIG" if name == "config" else f"--{name}"
            raise CallError(f"{shown}: calibrate {way} does not use it; leave it out")


def check_measured(phrases_only: bool, relations: bool, detect: bool, given: Collection[str]) -> None:
    """Raises CallError if `eval` does not use an option. given: names of the options that are given."""
    if phrases_only and relations:
        raise CallError("--phrases and --relations: give only one of them")
    if detect and not relations:
        raise CallError("--detect: only with --relations")
    if relations and "images" in given and not detect:
        raise CallError("--images: with --relations, images are used only with --detect")
    way, unused = ("--phrases", ("alone", "nms", "images")) if phrases_only else ("--relations", ("alone", "nms"))
    if (phrases_only or relations) and (found := [name for name in unused if name in given]):
        raise CallError(f"--{found[0]}: eval {way} does not use it; leave it out")


def check_changes(way: str, keys: Iterable[str]) -> None:
    """Raises CallError if `calibrate` does not use a key of the configuration. keys: such as selection.score."""
    for key in keys:
        if way == "--clicks" or (way == "--without-truth" and not key.startswith("selection.")):
            only = ", which uses only selection," if way == "--without-truth" else ""
            raise CallError(f"--set: {key}: calibrate {way}{only} does not use it; leave it out")
