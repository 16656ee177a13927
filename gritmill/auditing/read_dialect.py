"""Texts in a dialect -> `GroundedRow`. Corners are not clamped to the image, as the readers of dialects do."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

from gritmill.auditing.formats import caption_in, picture_in, size_in
from gritmill.auditing.grounded_row import GroundedRow, WrittenBox
from pipeline.faults import CallError
from pipeline.sources.base import captions_of
from transforms.annotations.columns import BadCell
from transforms.text import dialects
from transforms.text.dialects.tagged import Scaled, Tagged
from transforms.text.grounded_caption import Carries, Corners, Dialect, GroundedCaption, Span

COLUMNS = ("grounded", "text", "caption", "conversations")
"""Columns that may have the texts. The first one that a row has is used, if none is named."""

LEFT_MARKUP = "left_markup"
"""The name of the check for what reads like a box, but not to the dialect."""

_NUMBERS = (
    r"[\[({<]\s*-?\d+(?:\.\d+)?(?:\s*[,;><]+\s*-?\d+(?:\.\d+)?){3}",
    r"\(\d+,\d+\),\(\d+,\d+\)",  # of Qwen-VL, where its tags were removed as special tokens
    r"\A\s*(?:1\d{3}\s+){4}\d+",  # of Pix2Seq
)
"""What looks like a box without a tag."""

_TAG = re.compile(r'<[^<>\s\d][^<>\s]*>|"\w*\d\w*"')
"""A tag of a dialect, or a key of its JSON that captions do not have in quotation marks."""

_ANY_MARKUP = re.compile(r"[<>{}]|```|\A\s*(?:\[|[\d\s]*\Z)")
"""What may be a part of the markup of some dialect, such as a tag that is cut off, JSON, or numbers alone."""

_BOX = (0.25, 0.5, 0.75, 1.0)
_PROBE = GroundedCaption("a dog", (Span(0, 5, (_BOX, _BOX)),))


@dataclass(frozen=True)
class _Written:
    """A scale that returns corners as written, also if they are outside of the image."""

    scale: Any

    def decode(self, numbers: Sequence[float], width: int, height: int) -> Corners:
        corners: Corners = self.scale.written(numbers, width, height)
        return corners

    def __getattr__(self, name: str) -> Any:
        return getattr(self.scale, name)


@dataclass(frozen=True)
class DialectReader:
    """Reads texts of one dialect. column: of the texts; "" for text files."""

    name: str
    column: str = ""

    def __post_init__(self) -> None:
        """Raises CallError if there is no such dialect."""
        try:
            dialects.find(self.name)
        except ValueError as error:
            raise CallError(f"--dialect: {str(error).removeprefix('text.dialect: ')}") from error

    @cached_property
    def _dialect(self) -> Dialect:
        dialect = dialects.find(self.name)
        if isinstance(dialect, Scaled) and hasattr(dialect.scale, "written"):
            dialect = replace(dialect, scale=_Written(dialect.scale))
        return dialect

    @cached_property
    def needs_size(self) -> bool:
        """Whether the numbers depend on the size of the image."""
        dialect = dialects.find(self.name)
        return (
            len({dialect.encode(replace(_PROBE, width=w, height=h)) for w, h in ((1, 1), (640, 480), (300, 900))}) > 1
        )

    def rows(self, row: Mapping[str, Any] | str, place: str) -> Iterator[GroundedRow]:
        """The texts of a row: one, or the replies of a conversation. Raises BadCell if one is malformed."""
        cells: Mapping[str, Any] = {self.column: row} if isinstance(row, str) else row
        texts = [text for text in captions_of(cells.get(self.column)) if isinstance(text, str)]
        if not texts:
            raise BadCell(f"no text in column {self.column}")
        for text in texts:
            yield self._read(text, cells, place)

    def _read(self, text: str, cells: Mapping[str, Any], place: str) -> GroundedRow:
        size = size_in(cells)
        known = not self.needs_size or size != (0, 0)
        wide, high = size if size != (0, 0) else (1, 1)
        carries = self._dialect.carries
        has_caption = carries in (Carries.SPANS, Carries.ENDS)
        try:
            decoded = self._dialect.decode(text, wide, high)
        except (ValueError, ArithmeticError, TypeError, LookupError) as error:
            if not self._is_plain(text):
                # Others than ValueError: of a number that the scale cannot represent.
                is_told = isinstance(error, ValueError)
                raise BadCell(str(error) if is_told else f"{self.name}: malformed: {type(error).__name__}") from error
            decoded = GroundedCaption(text, ())
        others = {name: value for name, value in cells.items() if name != self.column}
        caption = decoded.caption if has_caption else caption_in(others) or None
        boxes = []
        for number, span in enumerate(decoded.spans):
            words = None if has_caption else decoded.caption[span.start : span.end] or None
            place_in_text = (float(span.start), float(span.end)) if has_caption else None
            boxes += [WrittenBox(f"phrase {number + 1}", box, span=place_in_text, text=words) for box in span.boxes]
        left = self._left_markup(decoded.caption) if has_caption else ""
        return GroundedRow(
            place,
            picture_in(others, place),
            caption,
            tuple(boxes),
            sides=(1.0, 1.0) if known else None,
            size=size,
            ends=carries is Carries.ENDS,
            tolerance=self._dialect.error(wide, high),
            problems={LEFT_MARKUP: left} if left else {},
        )

    def _is_plain(self, text: str) -> bool:
        """Whether a text has no markup at all, as an answer without boxes. Some dialects cannot decode that."""
        return not _ANY_MARKUP.search(text) and not self._left_markup(text)

    def _left_markup(self, caption: str) -> str:
        """What is left in a caption that reads like markup; "" if nothing is."""
        signs = self._dialect.signs if isinstance(self._dialect, Tagged) else ()
        places = [caption.index(sign) for sign in signs if sign in caption]
        if found := _markup().search(caption):
            places.append(found.start())
        return caption[min(places) :][:60] if places else ""


@cache
def _markup() -> re.Pattern[str]:
    """What looks like a box, and the tags of all built-in dialects, with any number in them."""
    texts = (dialect.encode(_PROBE) for dialect in dialects.built_in())
    tags = {re.sub(r"\d+", r"\\d+", re.escape(tag)) for text in texts for tag in _TAG.findall(text)}
    return re.compile("|".join((*_NUMBERS, *sorted(tags))))


def column_in(row: Mapping[str, Any]) -> str:
    """The column of the texts; "" if none of `COLUMNS` is there."""
    return next((name for name in COLUMNS if row.get(name) is not None), "")
