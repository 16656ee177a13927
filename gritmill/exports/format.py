"""What a format is, and what all of them share."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from gritmill.reading import Sample
from pipeline import files
from pipeline.publish import publish, publish_bytes

Figures = Counter[str]
"""Counts of what was written and left out; those of shards add up."""


class Level(StrEnum):
    """Which spans of a record become an export's phrases."""

    EXPRESSIONS = "expressions"
    CHUNKS = "chunks"


@dataclass(frozen=True)
class Options:
    """What a user can say about an export.

    images: whether pictures are written as files of their own, for formats that name files. dialect, seed: of
    instructions.
    """

    images: bool = True
    level: Level = Level.EXPRESSIONS
    dialect: str = "kosmos2"
    seed: int = 0


@dataclass(frozen=True)
class Folder:
    """Where an export goes. Files appear whole or not at all."""

    uri: str

    def write(self, name: str, data: bytes) -> None:
        """A file of the export."""
        publish_bytes(files.join(self.uri, name), data)

    def write_lines(self, name: str, lines: Iterable[str]) -> None:
        """A text file, a line each."""
        with publish(files.join(self.uri, name)) as file:
            for line in lines:
                file.write(f"{line}\n".encode())

    def lines(self, name: str) -> Iterator[str]:
        """The lines of a file that was written."""
        with files.open_read(files.join(self.uri, name)) as file:
            for line in file:
                yield line.decode().removesuffix("\n")


class Format(Protocol):
    """One format. A shard of the run is written at a time, each into files of its own; whole files come last."""

    @property
    def about(self) -> str:
        """For the data card: what reads it and how, a few lines of Markdown."""
        ...

    def shard(self, number: int, samples: Iterator[Sample], folder: Folder) -> Figures:
        """Writes the samples of one shard, holding no more than one picture. The same samples give the same bytes."""
        ...

    def finish(self, shards: Sequence[int], folder: Folder) -> None:
        """Writes what takes all shards together, from the files of the shards."""
        ...


def image_name(sample: Sample) -> str:
    """`images/00037/000370938.jpg`: the folder is the shard's five digits, as mmdetection's GRIT has it."""
    return f"images/{sample.key[:5]}/{sample.key}.jpg"


def provenance(record: Mapping[str, Any]) -> dict[str, Any]:
    """Where a pair comes from; what its source said of a licence stands in `meta`, a JSON object as text."""
    return {name: record[name] for name in ("uid", "source_key", "url", "meta")}


def write_image(sample: Sample, folder: Folder, options: Options) -> None:
    """The picture as a file, if pictures are wanted."""
    if options.images:
        folder.write(image_name(sample), sample.jpeg)


def part_name(number: int) -> str:
    """Where a format may keep the lines of a shard until all are there."""
    return f"parts/{number:05}.jsonl"


@dataclass(frozen=True)
class Region:
    """One box of a record. words: of its span [start, end) of the caption. box: x1, y1, x2, y2 in pixels, unrounded."""

    start: int
    end: int
    words: str
    box: tuple[float, float, float, float]
    score: float
    head: str


def regions(record: dict[str, Any], options: Options) -> list[Region]:
    """The rows of a record, in its own order."""
    width, height, caption = record["width"], record["height"], record["caption"]
    found = []
    rows = record["ref_exps" if options.level is Level.EXPRESSIONS else "noun_chunks"]
    for row, (first, last) in zip(rows, record["heads"], strict=True):
        start, end, x1, y1, x2, y2, score = row
        box = (x1 * width, y1 * height, x2 * width, y2 * height)
        found.append(Region(start, end, caption[start:end], box, score, caption[first:last]))
    return found
