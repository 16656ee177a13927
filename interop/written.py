"""What producers get and what they return. Imports nothing: producers run in environments without gritmill."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Images = Literal["bytes", "pixels", "looks"]
"""How much of a picture a format keeps: its bytes, its pixels, or what it looks like (another size, JPEG again)."""


@dataclass(frozen=True)
class Given:
    """A pair to write. picture: the name of its file. second: another caption, for formats with lists of captions."""

    id: str
    picture: str
    caption: str
    second: str
    score: float


@dataclass(frozen=True)
class Written:
    """What a producer wrote.

    path: what a user would give to `--input`, relative to the folder of the format. settings: keys of `source` that a
    user has to set. images: see `Images`. fields: of `id` and `score`, those that the format has. captions: per
    picture. problems: number of pairs without a picture, by reason. without: ids of pairs that could not be written.
    """

    path: str
    settings: dict[str, Any] = field(default_factory=dict)
    images: Images = "bytes"
    fields: tuple[str, ...] = ("id", "score")
    captions: int = 1
    problems: dict[str, int] = field(default_factory=dict)
    without: tuple[str, ...] = ()


Write = Callable[[list[Given], Path, Path], Written]
"""Writes the pairs in one format. Arguments: the pairs, the folder of their pictures, the folder of the format."""
