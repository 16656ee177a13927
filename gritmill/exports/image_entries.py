"""Formats that list images: the samples of one image are one entry, with the boxes of all of its captions."""

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
import xxhash
from pydantic_core import from_json

from gritmill.exports.format import ExportCounts, ExportFolder, LineFormat, as_json, read_classes, read_regions
from gritmill.reading import Sample
from pipeline import files, layout
from transforms.selection.select_boxes import SAME_BOX_IOU, ious
from transforms.text.grounded_caption import Corners

_OPEN_PARTS = 64  # the lines of an image may be in any of thousands of shards
_BLOCK = 128  # boxes compared at once with all that remain: an image may have thousands of captions

SampleLine = dict[str, Any]
"""The line of a sample in `parts/`: `same_image` (equal for the samples of one entry), `key`, `caption`, `boxes`, and
what `describe` returns. A box has `class`, `phrase`, `span`, `corners` (fractions of the sides) and `score`."""


BoxPlace = tuple[int, int]
"""The number of a line of an image, and the number of a box in it."""


class ImageEntries(LineFormat):
    """A format that lists images. Samples whose images have equal bytes are one entry, whose image file is that of the
    first sample. With `per_caption`, each sample is an entry.

    If boxes of two captions of the image have the same class and nearly the same place, only the box with the higher
    score remains. In memory are about 200 bytes per caption, and the lines of one image.
    """

    @abstractmethod
    def describe(self, sample: Sample) -> Mapping[str, Any]:
        """The fields that the format adds to the line of a sample."""

    def rows(self, sample: Sample, folder: ExportFolder, counts: ExportCounts) -> Iterator[SampleLine]:
        """Yields the line of a sample."""
        record = self.select_rows(sample.record, counts)
        same_image = sample.key if self.options.per_caption else xxhash.xxh3_128_hexdigest(sample.jpeg)
        ids = {"same_image": same_image, "key": sample.key, "caption": sample.caption}
        yield {**ids, **self.describe(sample), "boxes": self._boxes(record)}

    def select_rows(self, record: Mapping[str, Any], counts: ExportCounts) -> Mapping[str, Any]:
        """The record with the rows to export. Adds those that are left out to the counts."""
        return record

    def shard(self, number: int, samples: Iterator[Sample], folder: ExportFolder) -> ExportCounts:
        """See `Format`. An image that several samples of the shard have is written once."""
        counts = ExportCounts(samples=0)
        folder.write_lines(layout.export_part(number), self._lines(samples, folder, counts))
        return counts

    def merge(
        self, lines: list[SampleLine], remaining: Mapping[BoxPlace, BoxPlace], counts: ExportCounts
    ) -> list[SampleLine]:
        """The lines of an image with the boxes to write. Adds to the counts. remaining: see `remaining_boxes`."""
        counts["images"] += 1
        merged: list[SampleLine] = []
        for number, line in enumerate(lines):
            boxes = [box for index, box in enumerate(line["boxes"]) if remaining[number, index] == (number, index)]
            counts["boxes"] += len(boxes)
            if left_out := len(line["boxes"]) - len(boxes):
                counts["boxes that another caption of the image has too, left out"] += left_out
            merged.append({**line, "boxes": boxes})
        return merged

    def image_path_of(self, key: str) -> str:
        """The path of the image of a sample, below the export's folder."""
        return self.image_path.format(key)

    def image_name(self, sample: Sample) -> str:
        return self.image_path_of(sample.key)

    def _lines(self, samples: Iterator[Sample], folder: ExportFolder, counts: ExportCounts) -> Iterator[str]:
        written: set[str] = set()
        for sample in samples:
            if kind := self.left_out(sample.caption):
                counts[f"{kind}, left out"] += 1
                continue
            counts["samples"] += 1
            for line in self.rows(sample, folder, counts):
                if self.options.images and line["same_image"] not in written:
                    folder.write(self.image_name(sample), sample.jpeg)
                written.add(line["same_image"])
                yield as_json(line)

    def _boxes(self, record: Mapping[str, Any]) -> list[dict[str, Any]]:
        regions = read_regions(record, self.options.level)
        return [
            {
                "class": name,
                "phrase": region.text,
                "span": [region.start, region.end],
                "corners": region.box.corners,
                "score": region.box.score,
            }
            for region, name in zip(regions, read_classes(record), strict=True)
        ]


class Entries:
    """The lines of each image that is an entry, with the boxes that remain, in the order of the last samples. Can be
    iterated over once. Meanwhile, the files of images that are also in an earlier shard are removed.

    classes: their numbers from 1, in the order of their first occurrence in the entries so far. counts: what `merge`
    has counted so far.
    """

    def __init__(self, export_format: ImageEntries, shards: Sequence[int], folder: ExportFolder) -> None:
        self._format = export_format
        self._shards = shards
        self._folder = folder
        self.counts = ExportCounts(images=0)
        self.classes: dict[str, int] = {}

    def __iter__(self) -> Iterator[list[SampleLine]]:
        for lines in _lines_by_image([files.join(self._folder.uri, layout.export_part(n)) for n in self._shards]):
            if self._format.options.images:
                first_of = {line["key"][:5]: line["key"] for line in reversed(lines)}
                others = (key for key in first_of.values() if key != lines[0]["key"])
                self._folder.delete(*map(self._format.image_path_of, others))
            entry = self._format.merge(lines, remaining_boxes(lines), self.counts)
            for line in entry:
                for box in line["boxes"]:
                    self.classes.setdefault(box["class"], len(self.classes) + 1)
            yield entry


def _lines_by_image(parts: Sequence[str]) -> Iterator[list[SampleLine]]:
    """The lines of each image, in the order of their last lines. Only places of lines are in memory."""
    starts: list[int] = []  # A place is an offset in all parts, one after the other.
    place = 0
    last: dict[int, int] = {}  # by image: an integer needs half the memory of its digits
    previous: dict[int, int] = {}
    for part in parts:
        starts.append(place)
        with files.open_read(part) as file:
            for line in file:
                image = int(line.split(b'"', 4)[3], 16)  # the first field is `same_image`
                if image in last:
                    previous[place] = last[image]
                last[image] = place
                place += len(line)
    ends = sorted(last.values())
    last.clear()
    opened: dict[int, BinaryIO] = {}
    try:
        for end in ends:
            places = [end]
            while places[-1] in previous:
                places.append(previous[places[-1]])
            lines = []
            for place in reversed(places):
                number = bisect_right(starts, place) - 1
                if number not in opened:
                    if len(opened) == _OPEN_PARTS:
                        opened.pop(next(iter(opened))).close()
                    opened[number] = files.open_read(parts[number])
                opened[number].seek(place - starts[number])
                lines.append(from_json(opened[number].readline(), cache_strings="keys"))
            yield lines
    finally:
        for file in opened.values():
            file.close()


def remaining_boxes(lines: Sequence[SampleLine]) -> dict[BoxPlace, BoxPlace]:
    """For each box of an image the box that remains for it: one of another caption that it repeats, or itself."""
    places: dict[str, list[BoxPlace]] = {}
    for number, line in enumerate(lines):
        for index, box in enumerate(line["boxes"]):
            places.setdefault(box["class"], []).append((number, index))
    if len(lines) == 1:
        return {place: place for same_class in places.values() for place in same_class}
    remaining: dict[BoxPlace, BoxPlace] = {}
    for same_class in places.values():
        same_class.sort(key=lambda place: -lines[place[0]]["boxes"][place[1]]["score"])
        captions = np.array([number for number, _ in same_class])
        corners = [lines[number]["boxes"][index]["corners"] for number, index in same_class]
        firsts = _first_of_each(captions, corners)
        remaining.update((place, same_class[first]) for place, first in zip(same_class, firsts, strict=True))
    return remaining


def _first_of_each(captions: np.ndarray, corners: Sequence[Corners]) -> list[int]:
    """For each box the index of the first box of another caption that remains and that it repeats; its own if there is
    none, so that it remains. captions: int [boxes]."""
    firsts: list[int] = []
    remaining: list[int] = []
    for start in range(0, len(corners), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(corners)))
        earlier = np.array([*remaining, *block])
        repeats: np.ndarray = ious(corners[start : start + _BLOCK], [corners[i] for i in earlier]) >= SAME_BOX_IOU
        repeats &= captions[block][:, None] != captions[earlier]
        found: np.ndarray = repeats & (earlier < start)
        waiting: np.ndarray = np.logical_not(found.any(axis=1))
        for row, own in enumerate(range(len(remaining), len(earlier))):
            if waiting[row]:  # it repeats none of those that remain
                found[:, own] = waiting & repeats[:, own]
                found[row, own] = True
                waiting &= ~found[:, own]
        firsts += earlier[found.argmax(axis=1)].tolist()
        remaining += [index for index in block.tolist() if firsts[index] == index]
    return firsts
