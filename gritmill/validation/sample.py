"""Checks one sample: its members, its record and its texts."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pyarrow as pa
from PIL import Image
from pydantic import ValidationError

from gritmill.validation.record import Claim, Record, Row, record_model
from pipeline.files.typed import first_fault
from transforms import grit_record
from transforms.records import AT_LEAST, EXACTLY, NONE
from transforms.text import dialects
from transforms.text.grounded_caption import Carries, Span


@dataclass(frozen=True)
class Rules:
    """The rules that all samples share, from the manifest.

    dialects: the first is that of `.grounded.txt`. densest: whether `text.spans` is "densest".
    """

    dialects: tuple[str, ...]
    densest: bool
    max_pixels: int
    max_scans: int | None = None
    record: type[Record] = field(default_factory=record_model)
    index: pa.Schema = field(default_factory=grit_record.index_schema)

    def __reduce__(self) -> tuple[Any, ...]:
        return Rules, (self.dialects, self.densest, self.max_pixels, self.max_scans)  # the model cannot be pickled

    def allow_pixels(self) -> None:
        """Pillow's limit is global. It must not reject images that the run accepted."""
        if Image.MAX_IMAGE_PIXELS is not None:
            Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, self.max_pixels)


def check_texts(
    key: str,
    shard: str,
    members: Mapping[str, bytes],
    row: dict[str, Any] | None,
    rules: Rules,
    also: Callable[[Record], Iterable[str]] = lambda record: (),
) -> tuple[Record | None, list[str]]:
    """The record of a sample, and the faults of all but its image, one line each. None: the record cannot be read.

    Args:
      shard: five digits. members: bytes by ending. row: the sample's row of the index; None if there is none.
      also: further faults of the record; called only if it obeys the rules.
    """
    expected = {"jpg", "json", "txt", *map(_member_ending, range(len(rules.dialects)), rules.dialects)}
    if set(members) != expected:
        return None, [f"members {', '.join(sorted(members))}; expected {', '.join(sorted(expected))}"]
    faults = []
    if not (key.startswith(shard) and len(key) == 9 and key.isdecimal()):
        faults.append(f"the key is not {shard} plus four digits")
    try:
        record = rules.record.model_validate_json(members["json"])
    except ValidationError as error:
        return None, [*faults, f"json: {fault_line(error)}"]
    faults += [*_record_faults(key, record)] or [f"json: {text}" for text in also(record)]
    if row is None or not _agrees(row, record, rules.index):
        faults.append("the row of the index differs from the record")
    if members["txt"].decode("utf-8", "replace") != record.caption:
        faults.append("txt differs from the record's caption")
    for number, name in enumerate(rules.dialects):
        ending = _member_ending(number, name)
        faults += [f"{ending}: {text}" for text in _text_faults(members[ending], record, name, rules.densest)]
    return record, faults


def fault_line(error: ValidationError) -> str:
    """The first error of a validation and the number of further errors, in one line."""
    more = error.error_count() - 1
    return first_fault(error) + (f" ({more} more)" if more else "")


def _member_ending(number: int, dialect: str) -> str:
    return "grounded.txt" if number == 0 else f"{dialects.suffix(dialect)}.txt"


def _agrees(row: dict[str, Any], record: Record, index: pa.Schema) -> bool:
    """Whether a row of the index equals the record, after conversion to the index's types.

    The index has doubles where JSON has integers, and floats as Arrow rounds them.
    """
    values = record.model_dump(mode="json")
    if row == values:
        return True
    try:  # takes 0.3 ms, a hundred times as long as the comparison above
        return pa.RecordBatch.from_pylist([values], index).to_pylist() == [row]
    except (pa.ArrowException, OverflowError):  # the index's types cannot represent the record
        return False


def _record_faults(key: str, record: Record) -> Iterator[str]:
    if record.key != key:
        yield f"json: the record's key is {record.key}"
    chunks, expressions, heads = record.noun_chunks, record.ref_exps, record.heads
    if not len(chunks) == len(expressions) == len(heads):
        yield f"json: {len(chunks)} noun_chunks, {len(expressions)} ref_exps, {len(heads)} heads"
        return
    if any((a[0], a[1], -a[6]) > (b[0], b[1], -b[6]) for a, b in pairwise(chunks)):
        yield "json: noun_chunks are not sorted"
    try:
        if not isinstance(json.loads(record.meta), dict):
            yield "json: meta is not a JSON object"
    except (ValueError, RecursionError):
        yield "json: meta is not a JSON object"
    if len(set(record.absent)) < len(record.absent):
        yield "json: absent has a phrase twice"
    for number, claim in enumerate(record.claims):
        yield from (f"json: claim {number}: {text}" for text in _claim_faults(claim, len(record.caption)))
    for number, (chunk, expression, head) in enumerate(zip(chunks, expressions, heads, strict=True)):
        yield from (f"json: row {number}: {text}" for text in _row_faults(chunk, expression, head, len(record.caption)))


def _claim_faults(claim: Claim, length: int) -> Iterator[str]:
    if not claim.words[0] <= claim.words[1] <= length:
        yield f"words {list(claim.words)} are not inside the caption"
    for start, end in (claim.subject, *(claim.object or ())):
        if not start < end <= length:
            yield f"span {[start, end]} is not inside the caption"
    if claim.kind == "relation":
        if claim.number or claim.object == []:
            yield "a relation has an object or null, and the number 0"
    elif claim.object != []:
        yield f"a {claim.kind} has no object"
    elif (claim.number == 0) != (claim.predicate == NONE):
        yield f"{claim.predicate} with the number {claim.number}"
    if claim.kind == "count" and claim.predicate not in (EXACTLY, AT_LEAST, NONE):
        yield f"{claim.predicate} is no count"
    try:
        measured = json.loads(claim.measured)
    except (ValueError, RecursionError):
        measured = None
    # Python reads NaN and Infinity, which are not JSON.
    if not isinstance(measured, dict) or not all(_is_finite(value) for value in measured.values()):
        yield "measured is not a JSON object of numbers"


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _row_faults(chunk: Row, expression: Row, head: tuple[int, int], length: int) -> Iterator[str]:
    if chunk[2:] != expression[2:]:
        yield "noun chunk and expression differ in box or score"
    if not 0 <= expression[0] <= chunk[0] <= head[0] < head[1] <= chunk[1] <= expression[1] <= length:
        yield f"spans {list(expression[:2])}, {list(chunk[:2])}, {list(head)} are not nested inside the caption"
    x1, y1, x2, y2 = chunk[2:6]
    if not (x1 < x2 and y1 < y2):
        yield f"box {list(chunk[2:6])} has no area"


def _text_faults(data: bytes, record: Record, name: str, densest: bool) -> Iterator[str]:
    """Checks that a text decodes to the part of the record that its dialect carries.

    This part is the caption, the spans or words, and the boxes within the dialect's rounding.
    """
    dialect = dialects.find(name)
    try:
        decoded = dialect.decode(data.decode(), record.width, record.height)
    except ValueError as error:
        yield str(error)
        return
    carries_caption = dialect.carries in (Carries.SPANS, Carries.ENDS)
    if carries_caption and decoded.caption != record.caption:
        yield "does not decode to the caption"
    if any(a.end > b.start for a, b in pairwise(decoded.spans)):
        yield "spans overlap"
    if not decoded.spans:
        yield "has no box"
    candidates = [*record.ref_exps, *(record.noun_chunks if densest else [])]
    if dialect.carries is Carries.SPANS and not all(_covered(row, decoded.spans) for row in candidates):
        yield "lacks a phrase of the record, and no span overlaps that phrase"
    possible, margin = _possible_boxes(record, dialect.carries), dialect.error(record.width, record.height)
    for span in _one_box_each(decoded.spans) if dialect.carries is Carries.BOXES else decoded.spans:
        key = (span.start, span.end) if carries_caption else decoded.caption[span.start : span.end]
        if not any(_same_boxes(span.boxes, expected, margin) for expected in possible.get(key, ())):
            yield f"span {span.start}..{span.end} or its boxes differ from the record"


def _covered(row: Row, spans: Sequence[Span]) -> bool:
    return any(row[0] < span.end and span.start < row[1] for span in spans)


def _one_box_each(spans: Sequence[Span]) -> Iterator[Span]:
    """Splits each span into one span per box."""
    yield from (replace(span, boxes=(box,)) for span in spans for box in span.boxes)


RowSet = frozenset[tuple[float, tuple[float, ...], int]]
"""Negative score, corners and number of each row. Sorted, they have the order of the boxes in a text."""


def _possible_boxes(record: Record, carries: Carries) -> dict[object, list[RowSet]]:
    """The sets of rows that a span of a text can represent, by span as the dialect carries it, or by words."""
    of_expressions, of_chunks = _rows_by_span(record.ref_exps), _rows_by_span(record.noun_chunks)
    possible: dict[object, list[RowSet]] = {}
    for span in {**of_expressions, **of_chunks}:
        expected = of_expressions.get(span, RowSet())
        # Kosmos-2's spans are expressions. Qwen-VL's are expressions or chunks, or both with the boxes of both.
        options = [expected, expected | of_chunks.get(span, RowSet())]
        if carries in (Carries.LABELS, Carries.BOXES):
            options = [RowSet([row]) for row in options[1]]
        text = record.caption[slice(*span)]
        key = {Carries.SPANS: span, Carries.ENDS: (span[1], span[1]), Carries.BOXES: ""}.get(carries, text)
        possible.setdefault(key, []).extend(options)
    return possible


def _rows_by_span(rows: Sequence[Row]) -> dict[tuple[int, int], RowSet]:
    by_span: dict[tuple[int, int], list[tuple[float, tuple[float, ...], int]]] = {}
    for number, row in enumerate(rows):
        by_span.setdefault((row[0], row[1]), []).append((-row[6], row[2:6], number))
    return {span: RowSet(found) for span, found in by_span.items()}


def _same_boxes(boxes: Sequence[Sequence[float]], expected: RowSet, margin: tuple[float, float]) -> bool:
    """Whether the boxes, best first, equal those of the rows within the margin."""
    return len(boxes) == len(expected) > 0 and all(
        _within(box, corners, margin) for box, (_, corners, _) in zip(boxes, sorted(expected), strict=True)
    )


def _within(box: Sequence[float], other: Sequence[float], margin: tuple[float, float]) -> bool:
    """Whether no corner differs by more than the margin."""
    wide, high = (share + 1e-6 for share in margin)
    distances = [abs(a - b) for a, b in zip(box, other, strict=True)]
    return max(distances[0], distances[2]) <= wide and max(distances[1], distances[3]) <= high
