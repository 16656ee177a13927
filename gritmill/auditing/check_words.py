"""What the words of a span say about it, without a parser: the lists are those that phrases are dropped by."""

import re
from functools import cache, lru_cache

from transforms.annotations.spans import cuts_word, head_in, occurrences
from transforms.phrases.drop_lists import drop_heads, drop_in_context
from transforms.phrases.drops import DropRules
from transforms.phrases.measures import measure_words
from transforms.records import CharSpan, Drop
from transforms.settings import PhraseSettings

_TOKEN = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")
_OF = re.compile(r"\s+of\s", re.IGNORECASE)
_BEFORE_MEASURE = frozenset(
    (
        *("a", "an", "the", "this", "that", "these", "those", "another", "one", "two", "three", "several", "many"),
        *("some", "each", "every", "few", "couple", "different", "various", "single", "whole", "entire", "large"),
        *("big", "huge", "great", "vast", "good", "nice", "small", "little", "tiny", "long", "short", "wide", "thin"),
    )
)
"""Words before a measure. Others make it a thing: a parking lot, a family, a puzzle piece."""


def cuts(caption: str, span: CharSpan) -> bool:
    """Whether one end of a span is within a word."""
    return any(cuts_word(caption, place) for place in span)


def measures(caption: str, span: CharSpan) -> bool:
    """Whether a span is only a measure of what follows "of": "a couple" of dogs, not "a couple of dogs"."""
    words = _words(caption[slice(*span)])
    is_measure = bool(words) and words[-1] in _measures() and _BEFORE_MEASURE.issuperset(words[:-1])
    return is_measure and bool(_OF.match(caption, span[1]))


def is_place(caption: str, span: CharSpan) -> bool:
    """Whether a span names a place in the picture or the picture itself: "the left", "a photo" of a dog."""
    return _drop(caption, span) is Drop.PICTURE


def is_abstract(caption: str, span: CharSpan) -> bool:
    """Whether a span names nothing that one can see, or refers to something else: "love", "summer", "them"."""
    return _drop(caption, span) in (Drop.ABSTRACT, Drop.PRONOUN)


def is_text_of(caption: str, span: CharSpan | None, text: str) -> bool:
    """Whether a text is the words at a span, in any case; without a span, whether it is in the caption."""
    if span is None:
        return bool(occurrences(text, caption))
    return caption[max(span[0], 0) : max(span[1], 0)].casefold().split() == text.casefold().split()


@lru_cache(maxsize=64)  # two checks ask for each span of a row
def _drop(caption: str, span: CharSpan) -> Drop | None:
    start, end = head_in(caption, span)
    before, after = _words(caption[: span[0]][-40:]), _words(caption[end:][:40])
    words = _words(caption[span[0] : start])
    return _rules().reason_of_words(words, caption[start:end].casefold(), (before or [""])[-1], (after or [""])[0])


def _words(text: str) -> list[str]:
    return _TOKEN.findall(text.casefold())


@cache
def _measures() -> frozenset[str]:
    return measure_words(PhraseSettings().measures)


@cache
def _rules() -> DropRules:
    settings = PhraseSettings()
    return DropRules(drop_heads(settings.drop_lists), drop_in_context(settings.drop_in_context))
