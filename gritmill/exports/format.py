"""The interface of an export format, and what all formats share."""

import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar, Protocol

from gritmill.exports.options import ExportOptions, Level
from gritmill.reading import Sample
from pipeline import files, layout
from pipeline.files.publish import publish
from transforms.records import Box, Grounding, Phrase
from transforms.text.grounded_caption import Corners, Span, choose_spans

ExportCounts = Counter[str]
"""Counts of what was written and left out; those of shards add up."""

ROWS_OF = {Level.EXPRESSIONS: "ref_exps", Level.CHUNKS: "noun_chunks"}
"""The field of the record that has a level's rows."""


@dataclass(frozen=True)
class ExportFolder:
    """Where an export goes. Files appear whole or not at all."""

    uri: str

    def publish(self, name: str) -> AbstractContextManager[BinaryIO]:
        """A file to write to, which appears once the block has ended without an exception."""
        return publish(files.join(self.uri, name))

    def write(self, name: str, data: bytes) -> None:
        with self.publish(name) as file:
            file.write(data)

    def write_lines(self, name: str, lines: Iterable[str]) -> None:
        with self.publish(name) as file:
            for line in lines:
                file.write(f"{line}\n".encode())

    def lines(self, name: str) -> Iterator[str]:
        with files.open_read(files.join(self.uri, name)) as file:
            for line in file:
                yield line.decode().removesuffix("\n")


class Format(Protocol):
    """One format. A shard of the run is written at a time, each into files of its own; whole files come last."""

    @property
    @abstractmethod
    def description(self) -> str:
        """What reads it and how, a few lines of Markdown for the data card."""

    @property
    def data_files(self) -> str:
        """Glob pattern of what `datasets` and the hub are to load; empty if they have no reader for the format."""

    def shard(self, number: int, samples: Iterator[Sample], folder: ExportFolder) -> ExportCounts:
        """Writes the samples of one shard, holding no more than one picture. The same samples give the same bytes.

        Returns:
          Counts to show, "samples" among them.
        """

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> None:
        """Writes what takes all shards together, from the files of the shards. shards: their numbers; maybe none."""


@dataclass(frozen=True)
class LineFormat(Format):
    """A format that collects rows, one or more a sample, as lines until all shards are written.

    file_name: of all lines; a format that makes something else of them has a `finish` of its own.
    image_path: of a picture, from the key. By default the folder is the shard's five digits, as mmdetection's GRIT
      has it.
    """

    options: ExportOptions

    file_name: ClassVar[str] = ""
    image_path: ClassVar[str] = "images/{0:.5}/{0}.jpg"

    @property
    def data_files(self) -> str:
        return self.file_name if self.file_name.endswith(".jsonl") else ""

    def shard(self, number: int, samples: Iterator[Sample], folder: ExportFolder) -> ExportCounts:
        counts = ExportCounts()
        rows = (row for sample in samples for row in self._export(sample, folder, counts))
        folder.write_lines(layout.export_part(number), map(_as_line, rows))
        return counts

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> None:
        folder.write_lines(self.file_name, all_lines(shards, folder))

    def _export(self, sample: Sample, folder: ExportFolder, counts: ExportCounts) -> Iterator[Mapping[str, Any] | str]:
        if kind := self.left_out(sample.caption):
            counts[f"{kind}, left out"] += 1
            return
        if self.options.images:
            folder.write(self.image_name(sample), sample.jpeg)
        counts["samples"] += 1
        yield from self.rows(sample, folder, counts)

    def image_name(self, sample: Sample) -> str:
        """The picture's path below the export's folder."""
        return self.image_path.format(sample.key)

    def left_out(self, caption: str) -> str:
        """What a caption that the format cannot carry is counted as; empty: it is carried."""
        return ""

    @abstractmethod
    def rows(self, sample: Sample, folder: ExportFolder, counts: ExportCounts) -> Iterator[Mapping[str, Any] | str]:
        """The rows of a sample, JSON objects or plain lines; files of its own are written on the way."""


def _as_line(row: Mapping[str, Any] | str) -> str:
    return row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)


def all_lines(shards: Sequence[int], folder: ExportFolder) -> Iterator[str]:
    """The lines of all shards."""
    for number in shards:
        yield from folder.lines(layout.export_part(number))


def all_parts(shards: Sequence[int], folder: ExportFolder) -> Iterator[dict[str, Any]]:
    """The same, where every line is a JSON object."""
    yield from map(json.loads, all_lines(shards, folder))


def origin_fields(record: Mapping[str, Any]) -> dict[str, Any]:
    """Where a pair comes from; a licence given by its source is in `meta`, a JSON object as text."""
    return {name: record[name] for name in ("uid", "source_key", "url", "meta")}


@dataclass(frozen=True)
class Region:
    """One row of a record: its span [start, end) of the caption, the text there, and the text of its head noun.

    box: normalised, with the score. pixel_box: x1, y1, x2, y2 in pixels, unrounded.
    """

    start: int
    end: int
    text: str
    head: str
    box: Box
    pixel_box: Corners


def read_regions(record: Mapping[str, Any], level: Level) -> list[Region]:
    """The rows of a record, in its own order."""
    width, height, caption = record["width"], record["height"], record["caption"]
    return [
        Region(
            start,
            end,
            caption[start:end],
            caption[slice(*head)],
            Box(0, x1, y1, x2, y2, score),
            (x1 * width, y1 * height, x2 * width, y2 * height),
        )
        for (start, end, x1, y1, x2, y2, score), head in zip(record[ROWS_OF[level]], record["heads"], strict=True)
    ]


def disjoint_spans(record: Mapping[str, Any], level: Level) -> tuple[Span, ...]:
    """The spans of a record that one text can hold, as Kosmos-2 chooses them."""
    parts = zip(record["noun_chunks"], record[ROWS_OF[level]], record["heads"], strict=True)
    groundings = [Grounding(Phrase(*chunk[:2], *head, *row[:2]), Box(0, *chunk[2:])) for chunk, row, head in parts]
    return choose_spans(groundings, "longest")
