"""The options of an export."""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.faults import CallError


class Level(StrEnum):
    """The spans of a record that become the phrases of an export."""

    EXPRESSIONS = "expressions"
    CHUNKS = "chunks"


class RelationForm(StrEnum):
    """The forms of the rows of `relations`: of Visual Spatial Reasoning, or conversations of All-Seeing v2."""

    VSR = "vsr"
    AS_V2 = "as-v2"


@dataclass(frozen=True)
class ExportOptions:
    """The options of an export.

    images: write image files, if the format refers to files. level: None is the format's own choice: expressions,
    but chunks for `mdetr`; a format of another package never gets None. dialect: for the format `instructions` only.
    seed: for `instructions` and `relations`. tokenizer: for the format `odvg` only: path of the `tokenizer.json` of the
    text encoder that will be trained; empty: numbers of tokens are estimated.
    per_caption: for `coco`, `refcoco`, `flickr30k-entities` and `yolo`: an entry per caption, also if several captions
    have the same image. split: for `coco` only: the name of the split in the names of files and folders, as in COCO's
    own release.
    form, quads, with_decoys, allow_blind: for `relations` only: the form of the rows; each statement about left and
    right also of the mirrored picture; also statements about decoys that were not found; no failure if too many
    statements are answered right without the picture.
    """

    images: bool = True
    level: Level | None = None
    dialect: str = "kosmos2"
    seed: int = 0
    per_caption: bool = False
    split: str = ""
    tokenizer: str = ""
    form: RelationForm = RelationForm.VSR
    quads: bool = False
    with_decoys: bool = False
    allow_blind: bool = False


USED_BY = {
    "images": ("odvg", "mdetr", "coco", "refcoco", "flickr30k-entities", "yolo", "instructions", "relations"),
    "level": ("odvg", "mdetr", "coco", "refcoco", "yolo", "instructions"),
    "dialect": ("instructions",),
    "seed": ("instructions", "relations"),
    "per_caption": ("coco", "refcoco", "flickr30k-entities", "yolo"),
    "split": ("coco",),
    "tokenizer": ("odvg",),
    **dict.fromkeys(("form", "quads", "with_decoys", "allow_blind"), ("relations",)),
}
"""The built-in formats that use an option. Formats of other packages get all options."""

FORMER_OPTIONS = ("images", "level", "dialect", "seed", "per_caption", "split", "tokenizer")
"""The options of release 0.2.0.dev0."""

_WORDS = {"level": "--phrases"}


def used_options(name: str, options: ExportOptions, *, built_in: bool) -> dict[str, Any]:
    """The options that a format uses, with its own choice of the level if none is given.

    Raises:
      CallError: an option is given that the format does not use. `--no-images` may always be given.
    """
    used = vars(options) | {"level": options.level or (Level.CHUNKS if name == "mdetr" else Level.EXPRESSIONS)}
    if not built_in:
        return used
    check_used(name, [option for option in used if getattr(options, option) != getattr(ExportOptions, option)])
    return {option: value for option, value in used.items() if name in USED_BY[option]}


def check_used(name: str, given: Iterable[str]) -> None:
    """Raises CallError if a built-in format does not use one of the options that are given; `images` may always be."""
    for option in given:
        users = USED_BY.get(option, (name,))
        if name not in users and option != "images":
            raise CallError(f"{_flag(option)}: {name} does not use it; leave it out, or export to {_listed(users)}")


def as_command(name: str, used: Mapping[str, Any]) -> str:
    """The command of an export to `name`, with all options that the format uses except flags that are not set.

    Paths are words in capitals: a card that shows the command must not tell how folders of a machine are called.
    """
    words = ["gritmill", "export", "RUN", "--to", name, "--output", "FOLDER"]
    for option, value in used.items():
        if option == "images":
            words += () if value else ("--no-images",)
        elif value is True:
            words.append(_flag(option))
        elif value is not False and value != "":
            words += (_flag(option), "FILE" if option == "tokenizer" else str(value))
    return shlex.join(words)


def _flag(option: str) -> str:
    return _WORDS.get(option, f"--{option.replace('_', '-')}")


def _listed(names: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
