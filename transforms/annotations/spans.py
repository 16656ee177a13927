"""Where a given phrase is in the caption, and which word is its head.

An item of a list of phrases is a text, offsets `[start, end, …]` (GRIT's rows begin with them), or an object with
`start` and `end`, with `span`, with `tokens_positive` (MDETR, ODVG), or with a text under `phrase`, `text` or `name`.
Offsets count characters of the caption, end exclusive.
"""

import re
from collections.abc import Iterable
from typing import Any

from transforms.annotations.columns import BadCell

Span = tuple[int, int]

TEXTS = ("phrase", "text", "name")
_WORD = re.compile(r"\w+(?:['’.-]\w+)*")
_AFTER_HEAD = re.compile(
    "of|in|on|at|with|without|for|from|to|by|near|next|under|over|above|below|behind|beside|between|inside|outside|"
    "through|into|onto|against|around|along|across|among|atop|that|who|whom|whose|which|while|where|as",
    re.IGNORECASE,
)


def spans_of(items: Iterable[Any], caption: str) -> list[Span | None]:
    """The span of each item. None for a text that is not in the caption.

    A text is looked for as whole words, first with the same case. The same text again is its next occurrence, or the
    only one.

    Raises:
      BadCell: an item is nothing of the above, or its offsets are not in the caption.
    """
    spans: list[Span | None] = []
    seen: dict[str, int] = {}
    for number, item in enumerate(items, 1):
        span = span_in(item, caption)
        if span is None:
            text = item if isinstance(item, str) else text_in(item, TEXTS)
            if text is None:
                raise BadCell(f"its item {number} is neither a text nor offsets: {str(item)[:40]}")
            found = occurrences(text, caption)
            at = seen[text] = seen.get(text, -1) + 1
            span = found[min(at, len(found) - 1)] if found and (at < len(found) or len(found) == 1) else None
        spans.append(span)
    return spans


def span_in(item: Any, caption: str) -> Span | None:
    """The offsets that an item contains; None if it contains none. Raises BadCell if they are not in the caption."""
    offsets = item
    if isinstance(item, dict):
        offsets = item.get("span") or item.get("tokens_positive") or [item.get("start"), item.get("end")]
    if not isinstance(offsets, list) or not offsets:
        return None
    if all(isinstance(part, list) and len(part) == 2 for part in offsets):  # tokens_positive: parts of one phrase
        offsets = [min(part[0] for part in offsets), max(part[1] for part in offsets)]
    if len(offsets) < 2 or not all(_is_whole(offset) for offset in offsets[:2]):
        return None
    start, end = int(offsets[0]), int(offsets[1])
    if not 0 <= start < end <= len(caption):
        raise BadCell(f"offsets {start} to {end} are not in the caption, which has {len(caption)} characters")
    return start, end


def text_in(item: Any, names: Iterable[str]) -> str | None:
    """The first text under one of the names in an object; None if there is none."""
    values = (item.get(name) for name in names) if isinstance(item, dict) else ()
    return next((value for value in values if isinstance(value, str) and value.strip()), None)


def occurrences(text: str, caption: str) -> list[Span]:
    """Where a text is in a caption, as whole words: with the same case, else with any case."""
    if not text.strip():
        return []
    words = r"\s+".join(map(re.escape, text.split()))
    pattern = rf"(?<!\w){words}(?!\w)"
    found = [match.span() for match in re.finditer(pattern, caption)]
    return found or [match.span() for match in re.finditer(pattern, caption, re.IGNORECASE)]


def head_in(caption: str, span: Span) -> Span:
    """The head of a phrase without a parser: the last word before the first preposition or relative pronoun.

    "cup" of "a cup of tea", "man" of "a tall man in a red hat". The whole phrase if it has no word.
    """
    start, end = span
    head: Span | None = None
    for word in _WORD.finditer(caption, start, end):
        if head and _AFTER_HEAD.fullmatch(word[0]):
            break
        head = word.span()
    return head or span


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer()
