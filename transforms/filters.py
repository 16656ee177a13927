"""Filters: which pairs are rejected before a model processes them, and why.

They depend on the pair and the settings alone. A reason is a code of `Reason`. `where` and `missing_value` are followed
by what they apply to, so that the ledger counts each condition and each column: `where: punsafe < 0.5`.
"""

import json
import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from transforms.conditions import Condition
from transforms.records import Pair, Reason
from transforms.settings import FilterSettings

_MAX_SHOWN = 80  # characters of a condition or a name in a reason

_UNSPACED = re.compile(
    "([\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff])"
)
"""Characters of Chinese and Japanese, which are written without blanks."""


def count_words(caption: str) -> int:
    """The number of words, as a word processor counts them.

    Words are separated by blanks, and contain a letter or a digit: "a well-known dog - don't run!" has 5. Each Chinese
    or Japanese character is a word. A text in another script without blanks, such as Thai, is one word.
    """
    return sum(any(map(str.isalnum, word)) for word in _UNSPACED.sub(r" \1 ", caption).split())


def columns_of(pair: Pair) -> dict[str, Any]:
    """The columns that conditions see: those of the source, by name, and `caption`, `url`, `id` and `key`.

    A column of the source that has one of these four names comes before the field of the pair.
    """
    try:
        meta = json.loads(pair.meta)
    except ValueError:  # of a source from another package
        meta = None
    fields = {name: value for name in ("url", "id") if (value := getattr(pair, name))}
    return {"caption": pair.caption, "key": pair.key, **fields, **(meta if isinstance(meta, dict) else {})}


class Filters:
    """The filters of a configuration."""

    def __init__(self, settings: FilterSettings) -> None:
        self._settings = settings

    @cached_property
    def _conditions(self) -> tuple[Condition, ...]:
        return tuple(map(Condition.parse, self._settings.where))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that `filters.where` uses, each once."""
        return tuple(dict.fromkeys(name for condition in self._conditions for name in condition.names))

    def before_image(self, pair: Pair) -> str:
        """The reason of the first filter that rejects the pair and needs no image; "" if there is none."""
        settings = self._settings
        if settings.min_words is not None or settings.max_words is not None:
            words = count_words(pair.caption)
            if words < (settings.min_words or 0):
                return Reason.MIN_WORDS
            if settings.max_words is not None and words > settings.max_words:
                return Reason.MAX_WORDS
        return self._by_columns(columns_of(pair)) if self._conditions else ""

    def by_size(self, width: int, height: int) -> str:
        """The reason of the first filter that rejects an image of this size (pixels); "" if there is none."""
        shorter, longer = sorted((width, height))
        if self._settings.min_side is not None and shorter < self._settings.min_side:
            return Reason.MIN_SIDE
        if self._settings.max_aspect is not None and longer > self._settings.max_aspect * shorter:
            return Reason.MAX_ASPECT
        return ""

    def _by_columns(self, row: dict[str, Any]) -> str:
        for condition in self._conditions:
            answer = condition.holds(row)
            if answer is False:
                return f"{Reason.WHERE}: {_shortened(condition.text)}"
            if answer is None and self._settings.missing == "drop":
                return f"{Reason.MISSING_VALUE}: {_shortened(condition.missing(row))}"
        return ""


def explain(pair: Pair, reason: str) -> str:
    """What a filter saw of a pair that it rejected, for an example; "" if the caption says it, or for other reasons."""
    if reason in (Reason.MIN_SIDE, Reason.MAX_ASPECT):
        return f"{pair.width} x {pair.height} pixels"
    kind, _, condition = reason.partition(": ")
    if kind != Reason.WHERE or condition.endswith("…"):
        return ""
    row = columns_of(pair)
    values = (f"{name} = {row.get(name)!r}" for name in Condition.parse(condition).names if name != "caption")
    return _shortened(", ".join(values))


def unknown_columns(names: Iterable[str], pairs: Iterable[Pair]) -> list[str]:
    """The names that no pair has as a column. Failed pairs do not count; [] if all pairs have failed."""
    unknown, seen = dict.fromkeys(names), False
    for pair in pairs:
        if pair.error:
            continue
        seen = True
        for name in unknown.keys() & columns_of(pair).keys():
            del unknown[name]
        if not unknown:
            break
    return list(unknown) if seen else []


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"
