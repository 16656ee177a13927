"""The interface of an export format, and code that the formats share."""

import json
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import compress
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Protocol, runtime_checkable

from gritmill.exports.options import ExportOptions, Level
from gritmill.reading import Sample
from pipeline import files, layout
from pipeline.files.publish import publish
from transforms.phrases.class_names import class_name, goes_on
from transforms.records import Box, Grounding, Phrase
from transforms.text.grounded_caption import Corners, Span, choose_spans

if TYPE_CHECKING:
    from pipeline.pack.manifest import Manifest

ExportCounts = Counter[str]
"""Counts of what was written and of what was left out. The counts of an export are the sums over its shards."""

WORDS_TWICE = "boxes of words that the caption has twice, left out"
"""What `certain_rows` counts."""

ROWS = ("noun_chunks", "ref_exps", "heads")
"""The fields of a record that have one entry per row."""

ROWS_OF = {None: "ref_exps", Level.EXPRESSIONS: "ref_exps", Level.CHUNKS: "noun_chunks"}
"""The field of the record that has the rows of a level. None: the level was not chosen."""

COPIED = 1 << 20
"""Bytes at a time."""


@dataclass(frozen=True)
class ExportFolder:
    """The output folder of an export. Files are published atomically: a reader never sees a part of one.

    During an export, they surely survive a power failure only when `shard` or `finish` has returned.
    """

    uri: str

    def publish(self, name: str) -> AbstractContextManager[BinaryIO]:
        """A file to write to. It is published when the `with` block ends without an exception."""
        return publish(files.join(self.uri, name))

    def write(self, name: str, data: bytes) -> None:
        with self.publish(name) as file:
            file.write(data)

    def write_lines(self, name: str, lines: Iterable[str]) -> None:
        with self.publish(name) as file:
            for line in lines:
                file.write(f"{line}\n".encode())

    def join_lines(self, name: str, shards: Iterable[int]) -> None:
        """Writes the lines of shards to one file."""
        with self.publish(name) as file:
            for number in shards:
                with files.open_read(files.join(self.uri, layout.export_part(number))) as part:
                    copyfileobj(part, file, COPIED)

    def write_list(self, name: str, lines: Iterable[str]) -> None:
        """Writes JSON objects, each a line, as one JSON list."""
        with self.publish(name) as file:
            file.write(b"[")
            for number, line in enumerate(lines):
                file.write((",\n" * (number > 0) + line).encode())
            file.write(b"]\n")

    def scratch(self) -> AbstractContextManager[BinaryIO]:
        """An empty file without a name, to write to and to read from. It ends with the `with` block, or the process."""
        return TemporaryFile(dir=self.uri if files.is_local(self.uri) else None)

    def delete(self, *names: str) -> None:
        """Removes files. A missing file is not an error."""
        files.delete(files.join(self.uri, name) for name in names)

    def lines(self, name: str) -> Iterator[str]:
        with files.open_read(files.join(self.uri, name)) as file:
            for line in file:
                yield line.decode().removesuffix("\n")


class Format(Protocol):
    """An export format. Each shard is written to its own files; files over all shards come last.

    Several processes may write shards at the same time, each with an object of its own, and `finish` may be called on
    another one. So `shard` keeps nothing in the object that `finish` or another `shard` needs.
    """

    @property
    @abstractmethod
    def description(self) -> str:
        """What reads the format and how: a few lines of Markdown for the data card."""

    @property
    def data_files(self) -> str:
        """Glob pattern of the files that `datasets` and the hub should load; empty if they cannot read the format."""

    def shard(self, number: int, samples: Iterator[Sample], folder: ExportFolder) -> ExportCounts:
        """Writes the samples of one shard, with at most one image in memory. The same samples give the same bytes.

        Returns:
          Counts to show, including "samples".
        """

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> ExportCounts | None:
        """Writes the files that need all shards, from the files of the shards.

        Args:
          shards: their numbers; may be empty.

        Returns:
          Counts that no single shard can know, to add to theirs, if there are any.
        """


@runtime_checkable
class ChecksRun(Protocol):
    """A built-in format that cannot be made from every run."""

    def check_run(self, manifest: "Manifest") -> None:
        """Is called first, with the manifest of the run.

        Raises:
          CallError: the format cannot be made from it.
        """


@runtime_checkable
class MeasuresTruth(Protocol):
    """A format that knows more about the truth of its files than the run does, such as an accuracy without images."""

    def truth_lines(self, counts: ExportCounts) -> Iterable[str]:
        """Lines of Markdown for the truth sheet of the data card. counts: of the finished export."""


@dataclass(frozen=True)
class LineFormat(Format):
    """A format of lines, one or more per sample: writes one file of lines per shard, and joins these files at the end.

    file_name: name of the joined file; a format that writes something else overrides `finish`.
    image_path: path of an image as a format string of the key. The default folder is the five digits of the shard, as
      in mmdetection's GRIT.
    """

    options: ExportOptions

    file_name: ClassVar[str] = ""
    image_path: ClassVar[str] = "images/{0:.5}/{0}.jpg"

    @property
    def data_files(self) -> str:
        return self.file_name if self.file_name.endswith(".jsonl") else ""

    def shard(self, number: int, samples: Iterator[Sample], folder: ExportFolder) -> ExportCounts:
        counts = ExportCounts(samples=0)  # the first one to be shown
        rows = (row for sample in samples for row in self._export(sample, folder, counts))
        folder.write_lines(layout.export_part(number), map(_as_line, rows))
        return counts

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> ExportCounts | None:
        folder.join_lines(self.file_name, shards)
        return None

    def _export(self, sample: Sample, folder: ExportFolder, counts: ExportCounts) -> Iterator[Mapping[str, Any] | str]:
        if kind := self.left_out(sample.caption):
            counts[f"{kind}, left out"] += 1
            return
        try:
            rows = list(self.rows(sample, folder, counts))
        except LeftOut as error:
            counts[f"{error}, left out"] += 1
            return
        if self.options.images:
            folder.write(self.image_name(sample), sample.jpeg)
        counts["samples"] += 1
        yield from rows

    def image_name(self, sample: Sample) -> str:
        """The path of the image below the export's folder."""
        return self.image_path.format(sample.key)

    def left_out(self, caption: str) -> str:
        """The name under which a caption that the format cannot carry is counted; empty if the format can carry it."""
        return ""

    @abstractmethod
    def rows(self, sample: Sample, folder: ExportFolder, counts: ExportCounts) -> Iterator[Mapping[str, Any] | str]:
        """Yields the rows of a sample, JSON objects or plain lines, and writes its separate files, if there are any.

        Raises:
          LeftOut: the format cannot carry the sample.
        """


class LeftOut(Exception):
    """A sample that a format cannot carry. The message is what it is counted as, like that of `left_out`."""


def in_order(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts in the order in which they are shown. That of a format is lost in the file of an earlier call."""
    return dict(sorted(counts.items(), key=lambda count: (count[0] != "samples", count[0])))


as_json = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps makes an encoder each time
"""A value as JSON on one line."""


def _as_line(row: Mapping[str, Any] | str) -> str:
    return row if isinstance(row, str) else as_json(row)


def all_lines(shards: Sequence[int], folder: ExportFolder) -> Iterator[str]:
    """The lines of all shards."""
    for number in shards:
        yield from folder.lines(layout.export_part(number))


def all_parts(shards: Sequence[int], folder: ExportFolder) -> Iterator[dict[str, Any]]:
    """The lines of all shards, each parsed as a JSON object."""
    return map(json.loads, all_lines(shards, folder))


def origin_fields(record: Mapping[str, Any]) -> dict[str, Any]:
    """The origin of a pair. `meta` is a JSON object as text; it has the licence if the source gives one."""
    return {name: record[name] for name in ("uid", "source_key", "url", "meta")}


@dataclass(frozen=True)
class Region:
    """One row of a record.

    start, end: span of the caption, end exclusive. text: the caption's text in the span. head: text of the head noun.
    box: normalised corners and the score. pixel_box: x1, y1, x2, y2 in pixels, not rounded.
    """

    start: int
    end: int
    text: str
    head: str
    box: Box
    pixel_box: Corners


def read_regions(record: Mapping[str, Any], level: Level | None) -> list[Region]:
    """The rows of a record, in the record's order."""
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


def read_classes(record: Mapping[str, Any]) -> list[str]:
    """The class of each row of a record; see `transforms.phrases.class_names`."""
    heads = [(int(chunk[0]), *head) for chunk, head in zip(record["noun_chunks"], record["heads"], strict=True)]
    names = {head: class_name(record["caption"], head[0], head[1:]) for head in set(heads)}  # a phrase has several rows
    return [names[head] for head in heads]


def certain_rows(record: Mapping[str, Any], counts: ExportCounts) -> dict[str, Any]:
    """The record without the rows whose place in the caption is not known; they are counted.

    In "a dog on the left and a dog on the right", the detector looks for "a dog" and finds two. Which of them is on the
    left is not known, and the record has both boxes at the first place.
    """
    spans = [(int(row[0]), int(row[1])) for row in record["noun_chunks"]]
    repeated = {span: _repeated(record["caption"], span, spans) for span in set(spans)}
    certain = [not repeated[span] for span in spans]
    if not all(certain):
        counts[WORDS_TWICE] += certain.count(False)
    return {**record, **{name: list(compress(record[name], certain)) for name in ROWS}}


def _repeated(caption: str, span: tuple[int, int], spans: Sequence[tuple[int, int]]) -> bool:
    """Whether the caption has the words of a noun chunk also at a place that has no boxes.

    Words that begin the name of another thing are no such place: "a bus at a bus stop".
    """
    words = caption[slice(*span)]
    if caption.isascii() and _is_once(words.lower(), caption.lower()):  # to compile a pattern takes 100 times as long
        return False
    places = re.finditer(rf"(?<!\w){re.escape(words)}(?![\w'’-])", caption, re.IGNORECASE)
    return any(
        not any(start <= place.start() and place.end() <= end for start, end in spans)
        and not goes_on(caption, place.start(), place.end())
        for place in places
    )


def _is_once(words: str, caption: str) -> bool:
    return caption.find(words, caption.find(words) + 1) < 0


def disjoint_spans(record: Mapping[str, Any], level: Level | None) -> tuple[Span, ...]:
    """The spans of a record that do not overlap, chosen as in Kosmos-2, so that one text can contain them."""
    parts = zip(record["noun_chunks"], record[ROWS_OF[level]], record["heads"], strict=True)
    groundings = [Grounding(Phrase(*chunk[:2], *head, *row[:2]), Box(0, *chunk[2:])) for chunk, row, head in parts]
    return choose_spans(groundings, "longest")
