"""The interface of an export format, and what all formats share."""

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gritmill.exports.options import Level, Options
from gritmill.reading import Sample
from pipeline import files
from pipeline.files.publish import publish, publish_bytes
from transforms.records import Box, Grounding, Phrase
from transforms.text.grounded_caption import Corners, Span, choose_spans

ExportCounts = Counter[str]
"""Counts of what was written and left out; those of shards add up."""


@dataclass(frozen=True)
class ExportFolder:
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
    def description(self) -> str:
        """For the data card: what reads it and how, a few lines of Markdown."""
        ...

    def shard(self, number: int, samples: Iterator[Sample], folder: ExportFolder) -> ExportCounts:
        """Writes the samples of one shard, holding no more than one picture. The same samples give the same bytes."""
        ...

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> None:
        """Writes what takes all shards together, from the files of the shards."""
        ...


@dataclass(frozen=True)
class LineFormat(ABC):
    """A format that collects lines of text, one or more a sample, until all shards are written."""

    options: Options

    def shard(self, number: int, samples: Iterator[Sample], folder: ExportFolder) -> ExportCounts:
        """See `Format`."""
        counts = ExportCounts()
        folder.write_lines(part_name(number), self.lines(samples, folder, counts))
        return counts

    @abstractmethod
    def lines(self, samples: Iterator[Sample], folder: ExportFolder, counts: ExportCounts) -> Iterator[str]:
        """The lines of samples; what else belongs to them, such as pictures, is written and counted on the way."""


def all_lines(shards: Sequence[int], folder: ExportFolder) -> Iterator[str]:
    """The lines of all shards."""
    for number in shards:
        yield from folder.lines(part_name(number))


def all_parts(shards: Sequence[int], folder: ExportFolder) -> Iterator[dict[str, Any]]:
    """The same, where every line is a JSON object."""
    yield from map(json.loads, all_lines(shards, folder))


def part_name(number: int) -> str:
    """File of a shard's lines until all shards are written."""
    return f"parts/{number:05}.jsonl"


def image_name(sample: Sample) -> str:
    """`images/00037/000370938.jpg`: the folder is the shard's five digits, as mmdetection's GRIT has it."""
    return f"images/{sample.key[:5]}/{sample.key}.jpg"


def origin_fields(record: Mapping[str, Any]) -> dict[str, Any]:
    """Where a pair comes from; a licence given by its source is in `meta`, a JSON object as text."""
    return {name: record[name] for name in ("uid", "source_key", "url", "meta")}


def write_image(sample: Sample, folder: ExportFolder, options: Options) -> None:
    """Writes the picture as a file, unless the options turn that off."""
    if options.images:
        folder.write(image_name(sample), sample.jpeg)


@dataclass(frozen=True)
class Region:
    """One box of a record. text: its span [start, end) of the caption.

    normalized_box, pixel_box: x1, y1, x2, y2, normalised and in pixels, unrounded.
    """

    start: int
    end: int
    text: str
    normalized_box: Corners
    pixel_box: Corners
    score: float
    head: str


def read_regions(record: dict[str, Any], options: Options) -> list[Region]:
    """The rows of a record, in its own order."""
    width, height, caption = record["width"], record["height"], record["caption"]
    regions = []
    for (start, end, *corners, score), (head_start, head_end) in zip(
        rows_of_level(record, options.level), record["heads"], strict=True
    ):
        x1, y1, x2, y2 = corners
        pixel_box = (x1 * width, y1 * height, x2 * width, y2 * height)
        regions.append(
            Region(start, end, caption[start:end], (x1, y1, x2, y2), pixel_box, score, caption[head_start:head_end])
        )
    return regions


def disjoint_spans(record: dict[str, Any], level: Level) -> tuple[Span, ...]:
    """The spans of a record that one text can hold, as Kosmos-2 chooses them."""
    parts = zip(record["noun_chunks"], rows_of_level(record, level), record["heads"], strict=True)
    groundings = [Grounding(Phrase(*chunk[:2], *head, *row[:2]), Box(0, *chunk[2:])) for chunk, row, head in parts]
    return choose_spans(groundings, "longest")


def rows_of_level(record: dict[str, Any], level: Level) -> list[Any]:
    """The record's rows [start, end, x1, y1, x2, y2, score] of a level."""
    rows: list[Any] = record["ref_exps" if level is Level.EXPRESSIONS else "noun_chunks"]
    return rows
