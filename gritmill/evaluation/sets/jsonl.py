"""Custom sets: JSON lines, or WebDataset tars whose JSON members have the same fields, such as the bundled scenes.

A row: {"image": path, "caption": text, "truth": [{"start", "end", "text", "boxes"}, ...], "absent": [text, ...]}.
docs/evaluation.md defines each field.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Annotated, Any, Self

from pydantic import Field, FiniteFloat, ValidationInfo, model_validator

from gritmill.evaluation.quality import absent_spans
from gritmill.evaluation.sets.fields import Fields
from gritmill.evaluation.sets.statements import StatementFields, to_statement
from gritmill.evaluation.sets.truth import (
    TrueCaption,
    TruePhrase,
    Truth,
    make_pair,
    normalised,
    parsing,
    picture_folder,
    read_lines,
)
from pipeline import files
from pipeline.configuration import ColumnSettings, SourceSettings
from pipeline.faults import CallError, DataFault, SourceFault
from pipeline.files import FileInfo
from pipeline.plan.find_sources import find_sources
from pipeline.sources import is_source, kind_of, open_source
from transforms.records import Pair
from transforms.settings import Names
from transforms.text.grounded_caption import Corners
from transforms.wording import counted, listed

ONE, SEVERAL = "one thing", "several things"
"""The kinds of phrases that have boxes and no `type`."""

_MAX_OVERHANG = 2.0  # pixels by which an annotated box may exceed the image

_DEFAULT_COLUMNS = ColumnSettings()

_Share = Annotated[float, Field(ge=0, le=1)]


class _Phrase(Fields):
    text: str = ""
    start: int = -1
    end: int = -1
    boxes: tuple[tuple[_Share, _Share, _Share, _Share], ...] = ()
    pixels: tuple[tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat], ...] = ()
    type: Names = ()

    @model_validator(mode="after")
    def _check_boxes(self) -> Self:
        if self.boxes and self.pixels:
            raise ValueError("boxes and pixels: both are given; give only one")
        for x1, y1, x2, y2 in (*self.boxes, *self.pixels):
            if not (x1 < x2 and y1 < y2):
                raise ValueError(f"box {listed([x1, y1, x2, y2])} is not x1, y1, x2, y2 with x1 < x2 and y1 < y2")
        return self


class _Row(Fields):
    distinct = ("truth", "absent", "statements")

    image: str = ""
    caption: str = ""
    truth: tuple[_Phrase, ...] = ()
    absent: tuple[str, ...] = ()
    statements: tuple[StatementFields, ...] | None = None
    width: Annotated[int, Field(ge=1)] | None = None
    height: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _take_columns(cls, values: Any, info: ValidationInfo) -> Any:
        """Takes image and caption from the first field that the row has: of the names in the context, then `image` and
        `caption`, as docs/evaluation.md defines them."""
        if not isinstance(values, dict) or not isinstance(info.context, ColumnSettings):
            return values
        found = {
            role: next((values[name] for name in (*getattr(info.context, role), role) if name in values), None)
            for role in ("image", "caption")
        }
        others = {name: value for name, value in values.items() if name not in found}
        return others | {role: value for role, value in found.items() if value is not None}

    @model_validator(mode="after")
    def _check_phrases(self) -> Self:
        for number, phrase in enumerate(self.truth):
            quoted = self.caption[phrase.start : phrase.end] if phrase.start >= 0 else ""
            if not (quoted or phrase.text):
                raise ValueError(f"truth {number} has neither a text nor a span in the caption")
            if quoted != phrase.text and phrase.text and phrase.start >= 0:
                raise ValueError(f"truth {number} is {phrase.text!r}, but the caption has {quoted!r} there")
            if phrase.start >= 0 and not phrase.start < phrase.end <= len(self.caption):
                stretch, length = f"{phrase.start} to {phrase.end}", counted(len(self.caption), "character")
                raise ValueError(f"truth {number} has the span {stretch}, but the caption has {length}")
            if not re.search(r"\w", quoted or phrase.text):
                raise ValueError(f"truth {number} has no word: {quoted or phrase.text!r}")
            if phrase.pixels and not (self.width and self.height):
                raise ValueError(f"truth {number} has pixels, but the row has no width and height")
            for corners in phrase.pixels:
                x1, y1, x2, y2 = normalised(corners, self.width or 0, self.height or 0)
                overhang = max(-min(corners), corners[2] - (self.width or 0), corners[3] - (self.height or 0))
                if overhang > _MAX_OVERHANG or not (x1 < x2 and y1 < y2):
                    size = f"{self.width} x {self.height}"
                    raise ValueError(f"truth {number}: {listed(corners)} is outside the image of {size} pixels")
        for text in self.absent:
            if not re.search(r"\w", text):
                raise ValueError(f"absent phrase without a word: {text!r}")
        for number, statement in enumerate(self.statements or ()):
            for start, end in statement.spans():
                if not 0 <= start < end <= len(self.caption):
                    stretch, length = f"{start} to {end}", counted(len(self.caption), "character")
                    raise ValueError(f"statement {number} has the span {stretch}, but the caption has {length}")
        return self


def load(
    paths: Sequence[str], images: str | None, split: str | None, columns: ColumnSettings = _DEFAULT_COLUMNS
) -> Truth:
    """The rows of all files.

    images: folder that image paths are relative to; default: the folder of the row's file. columns: the names of the
    fields with image and caption, as in a run.

    Raises:
      CallError: a file is missing, a row is not in this format, or a split is given (these sets have none).
    """
    if split:
        raise CallError("--split: a jsonl data set has no splits; name the files instead")
    sources = []
    for info in find_sources(paths, "--truth"):
        kind = kind_of(info.uri, SourceSettings()) if is_source(info.uri) else ""
        if kind not in ("jsonl", "webdataset"):
            raise CallError(f"--truth: {info.uri}: neither JSON lines nor a tar")
        sources.append((kind, info))
    root = picture_folder(images, "") if images else ""
    return Truth(sum(_count(*one, columns) for one in sources), _captions(sources, root, columns))


def _captions(sources: Sequence[tuple[str, FileInfo]], root: str, columns: ColumnSettings) -> Iterator[TrueCaption]:
    for kind, info in sources:
        in_tar = kind == "webdataset"
        yield from _read_tar(info, columns) if in_tar else _group_by_picture(_read_lines(info, root, columns))


def _group_by_picture(captions: Iterator[TrueCaption]) -> Iterator[TrueCaption]:
    """The captions grouped by image; images are in the order of their first caption."""
    by_picture: dict[str, list[TrueCaption]] = {}
    for caption in captions:
        by_picture.setdefault(caption.picture, []).append(caption)
    yield from chain.from_iterable(by_picture.values())


def _read_lines(info: FileInfo, root: str, columns: ColumnSettings) -> Iterator[TrueCaption]:
    for number, line in read_lines(info.uri):
        location = f"{info.uri}:{number}"
        with parsing(location):
            row = _Row.model_validate_json(line, context=columns)
        if not row.image:
            fields = listed(list(dict.fromkeys((*columns.image, "image"))))
            raise CallError(f"--truth: {location}: the row has no image in a field {fields} (source.columns.image)")
        pair = make_pair(info.uri, number - 1, row.image, root or files.parent(info.uri), row.caption)
        yield _true_caption(pair, pair.image.uri or row.image, row)


def _read_tar(info: FileInfo, columns: ColumnSettings) -> Iterator[TrueCaption]:
    source = open_source("webdataset", info, SourceSettings(columns=columns))
    try:
        for _, pair in source.read(source.ranges(1)[0].start):
            with parsing(f"{info.uri}: {pair.key}"):
                fields = {**json.loads(pair.meta), "caption": pair.caption, "image": pair.key}
                row = _Row.model_validate(fields)
            yield _true_caption(pair, f"{info.uri}/{pair.index}", row)
    except SourceFault as fault:
        raise DataFault(f"--truth: {info.uri}: {fault}") from fault


def _true_caption(pair: Pair, picture: str, row: _Row) -> TrueCaption:
    statements = None if row.statements is None else tuple(map(to_statement, row.statements))
    return TrueCaption(pair, picture, _phrases(row), row.width or 0, row.height or 0, statements)


def _phrases(row: _Row) -> tuple[TruePhrase, ...]:
    """The true phrases, then the absent ones: one per occurrence in the caption, or one without a span."""
    true = [_true_phrase(phrase, row) for phrase in row.truth]
    true_spans = [{"start": phrase.start, "end": phrase.end} for phrase in true]
    absent = []
    for text in row.absent:
        spans = list(absent_spans(row.caption, true_spans, [text])) or [(-1, -1)]
        absent += [TruePhrase(text, (), (), start, end, absent=True) for start, end in spans]
    return (*true, *absent)


def _true_phrase(phrase: _Phrase, row: _Row) -> TruePhrase:
    boxes: tuple[Corners, ...] = phrase.boxes
    boxes += tuple(normalised(corners, row.width or 0, row.height or 0) for corners in phrase.pixels)
    kinds = phrase.type or ((SEVERAL if len(boxes) > 1 else ONE,) if boxes else ())
    text = phrase.text or row.caption[phrase.start : phrase.end]
    return TruePhrase(text, boxes, kinds, phrase.start, phrase.end)


def _count(kind: str, info: FileInfo, columns: ColumnSettings) -> int:
    """The number of rows of a file. Of a tar only the headers are scanned; damage is reported when the tar is read."""
    if kind == "jsonl":
        return sum(1 for _ in read_lines(info.uri))
    count = 0
    source = open_source("webdataset", info, SourceSettings(columns=columns))
    with suppress(SourceFault):
        for _ in source.starts(source.ranges(1)[0].start):
            count += 1
    return count
