"""The checks of one row: each says how many of its pairs, boxes, … have a fault, with a line for each.

A check is one function. `CHECKS` is the table of all of them, in the order in which they are printed. A box has at most
one fault of geometry, the first one that fits. Only boxes with an area, in the image or partly beside it, are compared
with each other.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from gritmill.auditing import check_words
from gritmill.auditing.checked_row import SAME_BOX, UNKNOWN, CheckedRow, PhraseKey
from gritmill.auditing.grounded_row import GroundedRow, WrittenBox, whole
from gritmill.auditing.read_dialect import LEFT_MARKUP
from transforms.annotations.spans import head_in
from transforms.claims.group_boxes import group_boxes
from transforms.phrases.class_names import singular

WHOLE_IMAGE = 0.95
"""A box that covers at least this share of the image is one of the whole image."""

Find = Callable[[CheckedRow], Iterable[str]]
"""A line for each fault."""


@dataclass(frozen=True)
class Check:
    """A check. of: what it counts, a key of `UNITS`. title: what it finds, in words."""

    name: str
    of: str
    title: str
    find: Find


def _geometry(name: str) -> Find:
    def find(checked: CheckedRow) -> Iterator[str]:
        if name in checked.faults:
            for box, fault in zip(checked.row.boxes, checked.faults, strict=True):
                if fault == name:
                    shown = "" if box.corners is None else f" {_rounded(box.corners)}"
                    yield f"{box.place}{shown}{_words(box, checked.row)}"

    return find


def _empty_caption(checked: CheckedRow) -> Iterator[str]:
    if checked.row.caption is not None and not checked.row.caption.strip():
        yield "the caption is empty"


def _no_boxes(checked: CheckedRow) -> Iterator[str]:
    if not checked.row.boxes:
        yield (checked.row.caption or "")[:60]


def _no_size(checked: CheckedRow) -> Iterator[str]:
    if checked.row.sides is None and checked.row.boxes:
        yield "boxes in pixels, but no width and height"


def _left_markup(checked: CheckedRow) -> Iterator[str]:
    if found := checked.row.problems.get(LEFT_MARKUP):
        yield found


def _row_counts(checked: CheckedRow) -> Iterator[str]:
    if checked.row.lines and len(set(checked.row.lines)) > 1:
        yield "{} noun_chunks, {} ref_exps".format(*checked.row.lines)


def _whole_image(checked: CheckedRow) -> Iterator[str]:
    for box, corners in checked.sound:
        x1, y1, x2, y2 = (min(max(corner, 0.0), 1.0) for corner in corners)
        if (x2 - x1) * (y2 - y1) >= WHOLE_IMAGE:
            yield f"{box.place} {_rounded(corners)}{_words(box, checked.row)}"


def _score_range(checked: CheckedRow) -> Iterator[str]:
    for box in checked.row.boxes:
        if box.score is not None and not 0 <= box.score <= 1:
            yield f"{box.place} score {box.score:g}"


def _duplicates(checked: CheckedRow) -> Iterator[str]:
    keys = checked.keys
    pairs = checked.same_boxes if len(set(keys)) < len(keys) else ()
    first = {later: earlier for later, earlier in reversed(pairs) if keys[later] == keys[earlier] != UNKNOWN}
    for number, earlier in sorted(first.items()):
        box, other = checked.sound[number][0], checked.sound[earlier][0]
        yield f"{box.place} as {other.place}{_words(box, checked.row)}"


def _shared_boxes(checked: CheckedRow) -> Iterator[str]:
    """Of several phrases with one box, those after the first one. Phrases that may name the same thing are none: with
    the same noun, one inside the other, or mentions that one annotation names together."""
    keys, places = checked.keys, [box.place for box, _ in checked.sound]
    pairs = checked.same_boxes if len(set(keys)) > 1 else ()
    first = {
        later: earlier
        for later, earlier in reversed(pairs)
        if places[later] != places[earlier] and _differ(keys[later], keys[earlier], checked.row)
    }
    for number, earlier in sorted(first.items()):
        box, other = checked.sound[number][0], checked.sound[earlier][0]
        yield f"{box.place} as {other.place}:{_words(box, checked.row)} and{_words(other, checked.row)}"


def _differ(one: PhraseKey, other: PhraseKey, row: GroundedRow) -> bool:
    if one == other:
        return False
    if isinstance(one, tuple) and isinstance(other, tuple):
        if max(one[0], other[0]) < min(one[1], other[1]):  # they overlap: "a dog", "a dog in a field"
            return False
        if row.ends:  # the words are unknown
            return True
    nouns = {_noun(one, row), _noun(other, row)}
    return len(nouns) == 2 and "" not in nouns  # "": offsets of no words, which is a fault of its own


def _noun(key: PhraseKey, row: GroundedRow) -> str:
    """The last noun of a phrase in the singular, found without a parser."""
    caption, span = (row.caption or "", key) if isinstance(key, tuple) else (key, (0, len(key)))
    start, end = head_in(caption, (max(span[0], 0), min(max(span[1], 0), len(caption))))
    return singular(caption[start:end].casefold())


def _groups(checked: CheckedRow) -> Iterator[str]:
    known = [(key, *one) for key, one in zip(checked.keys, checked.sound, strict=True) if key != UNKNOWN]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(key for key, *_ in known))}
    if len(known) - len(numbers) < 2:
        return
    phrase = np.array([numbers[key] for key, *_ in known])
    corners = np.array([corners for *_, corners in known]).T
    for number in np.flatnonzero(group_boxes(phrase, corners)).tolist():
        _, box, found = known[number]
        yield f"{box.place} {_rounded(found)}{_words(box, checked.row)}"


def _malformed_span(checked: CheckedRow) -> Iterator[str]:
    yield from (f"{box.place} {span}" for span, box in checked.spans.items() if whole(span) is None)


def _empty_span(checked: CheckedRow) -> Iterator[str]:
    caption = checked.row.caption or ""
    for span, box in checked.spans.items():
        at = whole(span)
        if at and (at[1] <= at[0] or (at[0] >= 0 and at[1] <= len(caption) and not caption[slice(*at)].strip())):
            yield f"{box.place} [{at[0]}, {at[1]}]"


def _outside_caption(checked: CheckedRow) -> Iterator[str]:
    length = len(checked.row.caption or "")
    for span, box in checked.spans.items():
        at = whole(span)
        if at and at[0] < at[1] and not (at[0] >= 0 and at[1] <= length):
            yield f"{box.place} [{at[0]}, {at[1]}] of {length} characters"


def _not_contained(checked: CheckedRow) -> Iterator[str]:
    for box in checked.row.boxes:
        span, wide = whole(box.span), box.expression
        if span and wide and not (wide[0] <= span[0] and span[1] <= wide[1]):
            yield f"{box.place} {_rounded(span)} in ref_exps {_rounded(wide)}"


def _copies_differ(checked: CheckedRow) -> Iterator[str]:
    for box in checked.row.boxes:
        if box.copy and box.copy[0] != box.copy[1] and not _both_nan(box.copy):
            yield f"{box.place} {_rounded(box.copy[0])}, in ref_exps {_rounded(box.copy[1])}"


def _both_nan(copy: tuple[tuple[float, ...], tuple[float, ...]]) -> bool:
    return len(copy[0]) == len(copy[1]) and all(a == b or (a != a and b != b) for a, b in zip(*copy, strict=True))


def _by_words(find: Callable[[str, tuple[int, int]], bool]) -> Find:
    def found(checked: CheckedRow) -> Iterator[str]:
        caption = checked.row.caption or ""
        yield from (_quoted(caption, span) for span in checked.good_spans if find(caption, span))

    return found


def _other_text(checked: CheckedRow) -> Iterator[str]:
    good = set(checked.good_spans)
    for box in _phrases_with_text(checked):
        if box.span is not None and whole(box.span) not in good:  # a fault of its own
            continue
        if not check_words.is_text_of(checked.row.caption or "", whole(box.span), box.text or ""):
            there = _words(box, checked.row) if box.span else ""
            yield f"{box.place} {box.text!r}, in the caption{there or ' nowhere'}"


def _phrases_with_text(checked: CheckedRow) -> list[WrittenBox]:
    if not (checked.row.caption or "").strip():
        return []
    return list({(box.span, box.text): box for box in checked.row.boxes if box.text is not None}.values())


UNITS: dict[str, Callable[[CheckedRow], int]] = {
    "pairs": lambda checked: 1,
    "captions": lambda checked: int(checked.row.caption is not None),
    "boxes": lambda checked: len(checked.row.boxes),
    "sound_boxes": lambda checked: len(checked.sound),
    "scores": lambda checked: sum(box.score is not None for box in checked.row.boxes),
    "phrases": lambda checked: len(checked.spans),
    "phrase_texts": lambda checked: len(_phrases_with_text(checked)),
    "paired_lists": lambda checked: int(checked.row.lines is not None),
    "expressions": lambda checked: sum(box.expression is not None for box in checked.row.boxes),
    "copies": lambda checked: sum(box.copy is not None for box in checked.row.boxes),
}
"""What checks count, and how many of it a row has."""

CHECKS = (
    Check("empty_caption", "captions", "empty captions", _empty_caption),
    Check("no_boxes", "pairs", "pairs without a box", _no_boxes),
    Check("no_size", "pairs", "boxes in pixels without the size of the image", _no_size),
    Check(LEFT_MARKUP, "captions", "texts with markup that the dialect does not read", _left_markup),
    Check("row_counts", "paired_lists", "noun_chunks and ref_exps of different lengths", _row_counts),
    Check("malformed_box", "boxes", "boxes that are not the right number of numbers", _geometry("malformed_box")),
    Check("not_finite", "boxes", "boxes with NaN or infinity", _geometry("not_finite")),
    Check("other_unit", "boxes", "boxes in pixels for fractions, or the reverse", _geometry("other_unit")),
    Check("swapped_corners", "boxes", "boxes with swapped corners", _geometry("swapped_corners")),
    Check("no_area", "boxes", "boxes without area", _geometry("no_area")),
    Check("outside", "boxes", "boxes that reach out of the image", _geometry("outside")),
    Check("score_range", "scores", "scores that are not in 0 to 1", _score_range),
    Check("copies_differ", "copies", "rows of ref_exps with another box or score", _copies_differ),
    Check("whole_image", "sound_boxes", f"boxes of at least {WHOLE_IMAGE:.0%} of the image", _whole_image),
    Check("duplicate_box", "sound_boxes", f"boxes that a phrase has twice (IoU > {SAME_BOX:g})", _duplicates),
    Check("shared_box", "sound_boxes", "boxes that another phrase has, too", _shared_boxes),
    Check("group_box", "sound_boxes", "boxes around several boxes of their phrase", _groups),
    Check("malformed_span", "phrases", "offsets that are not whole numbers", _malformed_span),
    Check("empty_span", "phrases", "spans without a word", _empty_span),
    Check("outside_caption", "phrases", "spans that end outside of the caption", _outside_caption),
    Check("cut_word", "phrases", "spans that cut a word", _by_words(check_words.cuts)),
    Check("not_contained", "expressions", "expressions that do not contain their noun chunk", _not_contained),
    Check("other_text", "phrase_texts", "phrases whose words are not those of the caption", _other_text),
    Check(
        "measure_word", "phrases", 'phrases that only measure, as "a couple" of dogs', _by_words(check_words.measures)
    ),
    Check("place_word", "phrases", "phrases that name a place or the picture", _by_words(check_words.is_place)),
    Check(
        "abstract_word",
        "phrases",
        "phrases that name nothing visible, or a pronoun",
        _by_words(check_words.is_abstract),
    ),
)
"""All checks, by what they look at: the pair, the geometry of a box, several boxes, the span, the words."""


def _rounded(numbers: Iterable[float]) -> str:
    return f"[{', '.join(f'{number:.4g}' for number in numbers)}]"


def _words(box: WrittenBox, row: GroundedRow) -> str:
    """The words of a box with a blank before them; "" if it has none."""
    span, caption = whole(box.span), row.caption or ""
    if span and 0 <= span[0] < span[1] <= len(caption):
        return f" {_quoted(caption, span)}"
    return f" {box.text!r}" if box.text and span is None else ""


def _quoted(caption: str, span: tuple[int, int]) -> str:
    return repr(caption[slice(*span)][:60])
