"""Compares what a library saw in an export with the samples of the run."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import gritmill
from gritmill.exports.format import read_classes
from gritmill.exports.options import USED_BY
from gritmill.reading import Sample
from interop.consumers.pixels import thumbnail
from interop.finished_run import EXPORTS, SHARDS
from interop.seen import Picture, Reading, Thing
from transforms.records import Box, Grounding, Phrase
from transforms.selection.select_boxes import SAME_BOX_IOU, ious
from transforms.text import dialects
from transforms.text.grounded_caption import Corners, choose_spans

_MAX_LEVELS = 4.0
"""By which a cell of a thumbnail may differ between two decoders, in levels of 0..255. Of two scenes, some cell differs
by 50 or more."""


@dataclass
class Found:
    """What was compared. The numbers are those of the library. problems: what is wrong, a line each."""

    images: int = 0
    captions: int = 0
    boxes: int = 0
    words: int = 0
    classes: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Entry:
    """An image that an export must have. rows: its boxes, with words and classes."""

    sample: Sample
    captions: list[str]
    rows: list[Thing]


def check(work: Path, reading: Reading, seen: Iterable[Picture], counts: Mapping[str, int]) -> Found:
    """Compares what a library saw with the run in `work/shards`. counts: of the export; empty for the run itself."""
    found = Found()
    entries = {entry.sample.key: entry for entry in _entries(work / SHARDS, reading)}
    left_out, reads_boxes = 0, False  # left_out: boxes
    for picture in seen:
        entry = entries.pop(picture.key, None)
        if entry is None:
            found.problems.append(f"{picture.key}: no such image, or twice")
            continue
        found.images += 1
        found.captions += len(picture.captions or ())
        found.problems += [f"{picture.key}: {problem}" for problem in _compare_image(picture, entry, reading)]
        things = picture.things or []
        found.boxes += len(things)
        found.words += sum(thing.words is not None for thing in things)
        found.classes += sum(thing.label is not None for thing in things)
        if picture.things is None:
            continue
        reads_boxes = True
        matched, unmatched, problems = _match(things, entry, reading)
        left_out += len(unmatched)
        if _is_merged(reading) and not reading.some:
            problems += [f"no box for {row.words!r}" for row in unmatched if not _is_repeated(row, matched)]
        found.problems += [f"{picture.key}: {problem}" for problem in problems]
    left_out += sum(len(entry.rows) for entry in entries.values())
    found.problems += _compare_counts(found, entries, left_out if reads_boxes else None, reading, counts)
    return found


def _compare_counts(
    found: Found, missing: Mapping[str, _Entry], left_out: int | None, reading: Reading, counts: Mapping[str, int]
) -> Iterator[str]:
    """What is not there must have been counted as left out. left_out: boxes; None if the library reads none."""
    told = {kind: sum(n for name, n in counts.items() if _is_left_out(name, kind)) for kind in ("captions", "boxes")}
    if reading.some:
        if found.boxes != counts.get("refs", found.boxes):
            yield f"{found.boxes} boxes, but the export has {counts['refs']} expressions"
        return
    if len(missing) != told["captions"]:
        yield f"no images {', '.join(missing) or '-'}, but {told['captions']} captions were left out"
    if left_out is not None and left_out != told["boxes"]:
        yield f"{left_out} boxes are missing, but {told['boxes']} were left out"


def _is_left_out(name: str, kind: str) -> bool:
    return name.startswith(kind) and name.endswith(", left out")


def _is_merged(reading: Reading) -> bool:
    """Whether samples with the same image are one image of the export."""
    to, options = EXPORTS.get(reading.export, ("", None))
    return to in USED_BY["per_caption"] and not (options and options.per_caption)


def _entries(run: Path, reading: Reading) -> Iterator[_Entry]:
    groups: dict[bytes | str, list[Sample]] = {}
    for sample in gritmill.read(run):
        groups.setdefault(sample.jpeg if _is_merged(reading) else sample.key, []).append(sample)
    for samples in groups.values():
        rows = [row for sample in samples for row in _rows(sample, reading)]
        yield _Entry(samples[0], [sample.caption for sample in samples], rows)


def _rows(sample: Sample, reading: Reading) -> Iterator[Thing]:
    record, caption = sample.record, sample.caption
    width, height = record["width"], record["height"]
    if reading.dialect:
        parts = zip(record["noun_chunks"], record["ref_exps"], record["heads"], strict=True)
        groundings = [Grounding(Phrase(*chunk[:2], *head, *row[:2]), Box(0, *chunk[2:])) for chunk, row, head in parts]
        for span in choose_spans(groundings, "longest", caption, dialects.banned(reading.dialect)):
            for x1, y1, x2, y2 in span.boxes:
                yield Thing((x1 * width, y1 * height, x2 * width, y2 * height), caption[span.start : span.end])
        return
    for (start, end, x1, y1, x2, y2, _), label in zip(record[reading.level], read_classes(record), strict=True):
        yield Thing((x1 * width, y1 * height, x2 * width, y2 * height), caption[start:end], label)


def _compare_image(picture: Picture, entry: _Entry, reading: Reading) -> Iterator[str]:
    record = entry.sample.record
    if picture.size is not None and tuple(picture.size) != (size := (record["width"], record["height"])):
        yield f"the size {tuple(picture.size)}, not {size}"
    if picture.thumbnail is not None:
        pairs = zip(picture.thumbnail, thumbnail(entry.sample.image), strict=True)
        if (levels := max(abs(a - b) for a, b in pairs)) > _MAX_LEVELS:
            yield f"another picture: {levels:.0f} levels differ"
    if picture.captions is not None:
        texts, wanted = ([_as_compared(one, reading) for one in texts] for texts in (picture.captions, entry.captions))
        if sorted(texts) != sorted(wanted):
            yield f"the captions {texts}, not {wanted}"


def _as_compared(text: str, reading: Reading) -> str:
    text = text if reading.text == "same" else text.strip()
    return text.lower() if reading.text == "lowered" else text


def _match(things: Iterable[Thing], entry: _Entry, reading: Reading) -> tuple[list[Thing], list[Thing], list[str]]:
    """Finds the row of each box. Returns the rows with a box, the rows without one, and as problems other boxes."""
    matched: list[Thing] = []
    remaining, problems = list(entry.rows), []
    width, height = entry.sample.record["width"], entry.sample.record["height"]
    limits = [reading.pixels + reading.fraction * side for side in (width, height)] * 2
    for thing in things:
        near = [
            (max(abs(a - b) for a, b in zip(thing.box, row.box, strict=True)), number)
            for number, row in enumerate(remaining)
            if _is_same(thing, row, reading)
            and (
                all(abs(a - b) <= limit for a, b, limit in zip(thing.box, row.box, limits, strict=True))
                or (reading.fused and _iou(thing, row) >= SAME_BOX_IOU)
            )
        ]
        if near:
            matched.append(remaining.pop(min(near)[1]))
        else:
            box = ", ".join(f"{corner:.2f}" for corner in thing.box)
            problems.append(f"no row for {thing.words or ''!r} of the class {thing.label!r} at {box}")
    return matched, remaining, problems


def _is_same(thing: Thing, row: Thing, reading: Reading) -> bool:
    assert row.words is not None
    same_words = thing.words is None or _as_compared(thing.words, reading) == _as_compared(row.words, reading)
    return same_words and thing.label in (None, row.label)


def _is_repeated(row: Thing, matched: Iterable[Thing]) -> bool:
    """Whether a row with a box has the same class and nearly the same place."""
    return any(other.label == row.label and _iou(other, row) >= SAME_BOX_IOU for other in matched)


def _iou(thing: Thing, row: Thing) -> float:
    boxes = cast(Corners, thing.box), cast(Corners, row.box)
    return float(ious(boxes[:1], boxes[1:])[0, 0])
