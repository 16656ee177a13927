"""A pair -> the pair with its given phrases, or with its given boxes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from transforms.annotations.boxes import GivenBox, annotated_size, box_items, is_one_box, read_boxes, span_of_box
from transforms.annotations.cells import LABELS, is_crowd, items_of, text_in
from transforms.annotations.columns import AnnotationColumns, BadCell, bad_cell, first
from transforms.annotations.labels import named_phrase, named_words
from transforms.annotations.spans import head_in, occurrences, spans_of
from transforms.records import Box, CharSpan, Drop, Dropped, Pair, Phrase
from transforms.wording import counted

PHRASES_LEFT_OUT = "phrases that are not in their caption"
BOXES_LEFT_OUT = "boxes without a phrase or an area"


def with_given_phrases(pair: Pair, columns: AnnotationColumns) -> Pair | None:
    """The pair with the phrases that its source brings, each span once. None if it brings none, so that a parser must
    find them.

    They come from the column of phrases, else from boxes that all have a span. Texts that are not in the caption are
    dropped as `not_in_caption`, at offset 0. If a cell does not fit, the pair fails.
    """
    row = columns.row(pair)
    name, cell = first(row, columns.phrases)
    boxes, boxes_cell = first(row, columns.boxes)
    if cell is None and boxes_cell is None:
        return None
    try:
        if cell is not None:
            spans = spans_of(items_of(cell, texts=True), pair.caption)
        else:
            name = boxes
            spans = _spans_of_boxes(boxes_cell, columns, pair.caption)
            if not spans:
                return None
        name, cell = first(row, columns.expressions)
        expressions = _beside(spans, cell, pair.caption, inside=False)
        name, cell = first(row, columns.heads)
        heads = _beside(spans, cell, pair.caption, inside=True)
    except Exception as error:  # of any value that a source can bring: it fails its pair, and not the run
        return bad_cell(pair, name, error)
    phrases: dict[CharSpan, Phrase] = {}
    for span, expression, head in zip(spans, expressions, heads, strict=True):
        if span is not None:
            phrases.setdefault(span, _phrase(pair.caption, span, expression, head))
    missing = (Dropped(0, 0, Drop.NOT_IN_CAPTION),) * spans.count(None)
    return replace(pair, phrases=tuple(phrases[span] for span in sorted(phrases)), dropped=missing)


def has_given_boxes(pair: Pair, columns: AnnotationColumns) -> bool:
    """Whether the source brings the pair's boxes."""
    return bool(columns.boxes) and first(columns.row(pair), columns.boxes)[1] is not None


def with_given_boxes(pair: Pair, columns: AnnotationColumns) -> Pair:
    """The pair, which has phrases, with the boxes that its source brings. If the cell does not fit, the pair fails.

    A box belongs to the phrase at its span; or to the item with its number in the list of phrases; or to the phrase
    that its label names. Boxes without a phrase or an area are left out and counted in `boxes_cut`.
    """
    pair = replace(pair, data=b"")
    phrases = list(pair.phrases)
    try:
        given = list(_linked(pair, columns, phrases))
    except Exception as error:  # see above
        return bad_cell(pair, first(columns.row(pair), columns.boxes)[0], error)
    phrases.sort(key=lambda phrase: (phrase.start, phrase.end))
    numbers = {phrase: number for number, phrase in enumerate(phrases)}
    found = (Box(numbers[phrase], *box.corners, box.score) for box, phrase in given if phrase and box.corners)
    ordered = tuple(sorted(found, key=lambda box: (box.phrase, -box.score)))
    return replace(pair, phrases=tuple(phrases), boxes=ordered, boxes_cut=len(given) - len(ordered))


@dataclass(frozen=True)
class GivenLinks:
    """How the boxes of a source belong to the phrases of a pair.

    given: whether it brings some. labels: whether labels say whose they are. These say nothing of attributes: "dog" is
    also a dog that "two brown dogs" does not name. crowds: the spans of phrases with a box that is marked as one around
    several things.
    """

    given: bool = False
    labels: bool = False
    crowds: frozenset[CharSpan] = frozenset()


NO_LINKS = GivenLinks()
"""Of a pair that comes without boxes."""


def given_links(pair: Pair, columns: AnnotationColumns) -> GivenLinks:
    """How the boxes that the source brings belong to the phrases of a pair."""
    if not has_given_boxes(pair, columns):
        return NO_LINKS
    try:
        items = box_items(first(columns.row(pair), columns.boxes)[1])
        labels = any(text_in(item, LABELS) and span_of_box(item, columns, pair.caption) is None for item in items)
        if not any(map(is_crowd, items)):
            return GivenLinks(True, labels)
        linked = _linked(pair, columns, list(pair.phrases))
        return GivenLinks(True, labels, frozenset((one.start, one.end) for box, one in linked if box.crowd and one))
    except Exception:  # of a cell that does not fit: then the pair has failed, and has no boxes
        return GivenLinks(True)


def with_given(pair: Pair, columns: AnnotationColumns) -> Pair:
    """The pair with everything that its source brings. Without a parser, labels name only words of the caption."""
    pair = with_given_phrases(pair, columns) or pair
    return with_given_boxes(pair, columns) if not pair.error and has_given_boxes(pair, columns) else pair


def _linked(pair: Pair, columns: AnnotationColumns, phrases: list[Phrase]) -> Iterator[tuple[GivenBox, Phrase | None]]:
    """Yields the boxes that the source brings, each with its phrase, if it has one. It is added to `phrases` if none of
    them has its span.

    Raises:
      BadCell: the cell does not fit. Values of a source can raise other exceptions, too.
    """
    row = columns.row(pair)
    _, cell = first(row, columns.boxes)
    given = read_boxes(cell, columns, pair.caption, annotated_size(row, pair.width, pair.height))
    listed = _listed_spans(pair, columns, row, cell)
    for box in given:
        yield box, _phrase_of(box, pair, phrases, listed) if box.corners else None


def given_kinds(pair: Pair, columns: AnnotationColumns) -> Iterator[str]:
    """Which of "phrases" and "boxes" the source brings."""
    if with_given_phrases(pair, columns) is not None:
        yield "phrases"
    if has_given_boxes(pair, columns):
        yield "boxes"


def left_out(pair: Pair, columns: AnnotationColumns) -> Iterator[tuple[str, int]]:
    """What the source brings but the pair does not have, by kind, and how much of it."""
    if not columns.names:
        return
    if missing := sum(dropped.reason == Drop.NOT_IN_CAPTION for dropped in pair.dropped):
        yield PHRASES_LEFT_OUT, missing
    if pair.boxes_cut and has_given_boxes(pair, columns):
        yield BOXES_LEFT_OUT, pair.boxes_cut


def _beside(spans: Sequence[CharSpan | None], cell: Any, caption: str, inside: bool) -> list[CharSpan | None]:
    """The expressions or heads of phrases, from their cell; None where there is none. inside: whether they are in the
    phrase, as heads are, or around it.

    Raises:
      BadCell: there is not one for each phrase, or one is elsewhere.
    """
    if cell is None:
        return [None] * len(spans)
    items = items_of(cell)
    if len(items) != len(spans):
        raise BadCell(f"{counted(len(items), 'item')} for {counted(len(spans), 'phrase')}")
    found: list[CharSpan | None] = []
    for number, (span, item) in enumerate(zip(spans, items, strict=True), 1):
        places = occurrences(item, caption) if isinstance(item, str) else spans_of([item], caption)
        fitting = [
            place for place in places if span and place and _contains(*((span, place) if inside else (place, span)))
        ]
        if span and not fitting:
            raise BadCell(f"item {number} is not {'in' if inside else 'around'} its phrase: {str(item)[:40]}")
        found.append(fitting[0] if fitting else None)
    return found


def _contains(outer: CharSpan, inner: CharSpan) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _phrase_of(box: GivenBox, pair: Pair, phrases: list[Phrase], listed: Sequence[CharSpan | None]) -> Phrase | None:
    """The phrase of a box. It is added to `phrases` if none of them has its span."""
    span = box.span
    if span is None and box.label is not None:
        if (number := named_phrase(box.label, pair.caption, phrases)) is not None:
            return phrases[number]
        others = [(one.start, one.end) for one in phrases]
        others += [(one.start, one.end) for one in pair.dropped if one.reason == Drop.ABSENT]
        span = named_words(box.label, pair.caption, others)
    elif span is None and listed:
        span = listed[box.item]
    if span is None:
        return None
    found = next((phrase for phrase in phrases if (phrase.start, phrase.end) == span), None)
    if found is None:
        phrases.append(found := _phrase(pair.caption, span))
    return found


def _listed_spans(pair: Pair, columns: AnnotationColumns, row: dict[str, Any], cell: Any) -> list[CharSpan | None]:
    """The span of the phrase of each item of a cell with boxes, by its number; [] if the items say it themselves.

    Raises:
      BadCell: there are boxes without a label, and not one for each item of the column of phrases.
    """
    items = box_items(cell)
    if columns.format == "grit" or all(isinstance(item, dict) for item in items):
        return []
    _, phrases = first(row, columns.phrases)
    if phrases is None and is_one_box(items_of(cell)):
        return [_whole(pair.caption)]
    spans = [] if phrases is None else spans_of(items_of(phrases, texts=True), pair.caption)
    if len(spans) != len(items):
        cure = "give each a label, or one for each phrase"
        raise BadCell(f"{counted(len(items), 'box')} without labels for {counted(len(spans), 'phrase')}; {cure}")
    return spans


def _spans_of_boxes(cell: Any, columns: AnnotationColumns, caption: str) -> list[CharSpan | None]:
    """The spans of boxes. [] if a parser must find phrases, because not every box has a span."""
    if columns.format != "grit" and is_one_box(items_of(cell)):
        return [_whole(caption)]
    spans = [span_of_box(item, columns, caption) for item in box_items(cell)]
    return [] if None in spans else spans


def _whole(caption: str) -> CharSpan:
    """The caption without blanks around it."""
    start = len(caption) - len(caption.lstrip())
    return start, len(caption.rstrip())


def _phrase(caption: str, span: CharSpan, expression: CharSpan | None = None, head: CharSpan | None = None) -> Phrase:
    return Phrase(*span, *(head or head_in(caption, span)), *(expression or span))
