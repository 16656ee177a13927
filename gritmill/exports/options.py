"""The options of an export."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.faults import CallError


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


USED_BY = {
    "images": ("odvg", "mdetr", "coco", "refcoco", "flickr30k-entities", "yolo", "instructions"),
    "level": ("odvg", "mdetr", "coco", "refcoco", "yolo", "instructions"),
    "dialect": ("instructions",),
    "seed": ("instructions",),
    "per_caption": ("coco", "yolo"),
    "split": ("coco",),
    "tokenizer": ("odvg",),
}
"""The built-in formats that use an option. Formats of other packages get all options."""

_WORDS = {"level": "--phrases"}


def used_options(name: str, options: ExportOptions, *, built_in: bool) -> dict[str, Any]:
    """The options that a format uses, with its own choice of the level if none is given.

    Raises:
      CallError: an option is given that the format does not use. `--no-images` may always be given.
    """
    used = vars(options) | {"level": options.level or (Level.CHUNKS if name == "mdetr" else Level.EXPRESSIONS)}
    if not built_in:
        return used
    for option, users in USED_BY.items():
        if name in users:
            continue
        del used[option]
        if option != "images" and getattr(options, option) != getattr(ExportOptions, option):
            words = _WORDS.get(option, f"--{option.replace('_', '-')}")
            raise CallError(f"{words}: {name} does not use it; leave it out, or export to {_listed(users)}")
    return used


def _listed(names: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
