"""Where a given phrase is in the caption, and which word is its head.

An item of a list of phrases is a text, offsets `[start, end, …]` (GRIT's rows begin with them), or an object with
`start` and `end`, with `span`, with `tokens_positive` (MDETR, ODVG), or with a text under `phrase`, `text`, ….
Offsets count characters of the caption, end exclusive.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Any

from transforms.annotations.cells import LABELS, is_number, text_in
from transforms.annotations.columns import BadCell
from transforms.records import CharSpan

_WORD = re.compile(r"\w+(?:['’.-]\w+)*")
_AFTER_HEAD = re.compile(
    "of|in|on|at|with|without|for|from|to|by|near|next|under|over|above|below|behind|beside|between|inside|outside|"
    "through|into|onto|against|around|along|across|among|atop|that|who|whom|whose|which|while|where|as",
    re.IGNORECASE,
)
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
"""Scripts whose words are not separated by blanks, and Korean, whose particles follow without one."""


def spans_of(items: Iterable[Any], caption: str) -> list[CharSpan | None]:
    """The span of each item. None for a text that is not in the caption.

    A text is looked for as whole words, first with the same case. The same text again is its next occurrence, or the
    only one.

    Raises:
      BadCell: an item is nothing of the above, or its offsets are not those of words in the caption.
    """
    spans: list[CharSpan | None] = []
    places: dict[str, list[CharSpan]] = {}
    seen: Counter[str] = Counter()
    for number, item in enumerate(items, 1):
        try:
            span = span_in(item, caption)
        except BadCell as error:
            raise BadCell(f"item {number}: {error}") from None
        if span is None:
            text = item if isinstance(item, str) else text_in(item, LABELS)
            if text is None:
                raise BadCell(f"item {number}: neither a text nor offsets: {str(item)[:40]}")
            if text not in places:
                places[text] = occurrences(text, caption)
            found = places[text]
            span = found[0] if len(found) == 1 else next(iter(found[seen[text] :]), None)
            seen[text] += 1
        spans.append(span)
    return spans


def span_in(item: Any, caption: str) -> CharSpan | None:
    """The offsets that an item contains, without blanks around them; None if it contains none.

    Of several parts in `tokens_positive`, the first ones count, as far as only blanks are between them: further ones
    are other mentions.

    Raises:
      BadCell: the offsets are not in the caption, contain no word, or cut a word.
    """
    offsets = item
    if isinstance(item, dict):
        offsets = item.get("span") or item.get("tokens_positive") or [item.get("start"), item.get("end")]
    if not isinstance(offsets, list) or not offsets:
        return None
    if all(isinstance(part, list) and len(part) == 2 and all(map(_is_whole, part)) for part in offsets):
        offsets = mentions(offsets, caption)[0]
    if len(offsets) < 2 or not all(map(_is_whole, offsets[:2])):
        return None
    start, end = int(offsets[0]), int(offsets[1])
    if not 0 <= start < end <= len(caption):
        raise BadCell(f"offsets {start} to {end} are not in the caption, which has {len(caption)} characters")
    text = caption[start:end]
    start, end = start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())
    if start >= end:
        raise BadCell(f"offsets {offsets[0]:g} to {offsets[1]:g} contain only blanks")
    if cuts_word(caption, start) or cuts_word(caption, end):
        raise BadCell(f"offsets {start} to {end} cut a word: {caption[start:end][:40]!r}; they count characters")
    return start, end


def mentions(parts: Iterable[list[float] | tuple[float, ...]], caption: str) -> list[list[float]]:
    """The spans of the parts in `tokens_positive`, in order: parts with only blanks between them are one mention."""
    found: list[list[float]] = []
    for start, end in sorted(map(tuple, parts)):
        if found and not caption[int(found[-1][1]) : int(start)].strip():
            found[-1][1] = max(found[-1][1], end)
        else:
            found.append([start, end])
    return found


def occurrences(text: str, caption: str) -> list[CharSpan]:
    """Where a text is in a caption, as whole words: with the same case, else with any case."""
    words = r"\s+".join(map(re.escape, text.split()))
    if not words:
        return []
    for flags in (re.NOFLAG, re.IGNORECASE):
        spans = [match.span() for match in re.finditer(words, caption, flags)]
        found = [span for span in spans if not cuts_word(caption, span[0]) and not cuts_word(caption, span[1])]
        if found:
            return found
    return []


def cuts_word(caption: str, place: int) -> bool:
    """Whether the characters before and after a place belong to one word."""
    if place in (0, len(caption)):
        return False
    before, after = caption[place - 1], caption[place]
    if unicodedata.category(after).startswith("M"):  # a vowel or an accent of the character before it
        return True
    letters = (before.isalpha() or unicodedata.category(before).startswith("M")) and after.isalpha()
    digits = before.isdigit() and after.isdigit()
    return (letters or digits) and not _UNSPACED.match(before) and not _UNSPACED.match(after)


def head_in(caption: str, span: CharSpan) -> CharSpan:
    """The head of a phrase without a parser: the last word before the first preposition or relative pronoun.

    "cup" of "a cup of tea", "man" of "a tall man in a red hat". The whole phrase if it has no word.
    """
    start, end = span
    head: CharSpan | None = None
    for word in _WORD.finditer(caption, start, end):
        if head and _AFTER_HEAD.fullmatch(word[0]):
            break
        head = word.span()
    return head or span


def _is_whole(value: Any) -> bool:
    return is_number(value) and float(value).is_integer()
