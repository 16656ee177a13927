"""What consumers return: what a library says is in an export. Imports nothing: consumers run in environments without
gritmill."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Level = Literal["ref_exps", "noun_chunks"]
"""The field of a record with the rows that a library must find: referring expressions or noun chunks."""


@dataclass(frozen=True)
class Thing:
    """A box. box: x1, y1, x2, y2 in pixels of the image. words: of the caption. label: name of the class.

    words and label are None if the library does not read them from the format.
    """

    box: tuple[float, ...]
    words: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Picture:
    """An image of an export.

    key: the nine digits of its (first) sample. size: width and height in pixels. thumbnail: of the image that the
    library decodes, see `consumers.pixels`. A field is None if the library does not read it from the format.
    """

    key: str
    things: list[Thing] | None
    size: tuple[int, int] | None = None
    thumbnail: list[float] | None = None
    captions: list[str] | None = None


@dataclass(frozen=True)
class Reading:
    """How a library reads an export.

    export: the name of its folder, see `interop.finished_run`. A corner may move by `pixels`, and by `fraction` of the
    width or height. dialect: of the texts that are read; a text has only rows that do not overlap. some: the format
    does not have all rows. fused: boxes that nearly agree may be one box. text: how captions and words are compared: as
    they are, or without blanks around them, or also in lower case.
    """

    export: str
    pixels: float = 0.01
    fraction: float = 0.0
    level: Level = "ref_exps"
    dialect: str = ""
    some: bool = False
    fused: bool = False
    text: Literal["same", "stripped", "lowered"] = "same"


Read = Callable[[Path], Iterable[Picture]]
"""Gives the images in the folder of an export."""
