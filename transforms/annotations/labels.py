"""Which phrase of a caption a label names: "dog" is "a brown dog" of "A brown dog and two cats".

Only words are compared, in singular and without articles; synonyms are not known ("person" is not "a man"). If several
phrases fit, the label names none of them: it is unknown which one is meant.
"""

import re
from collections.abc import Iterable, Sequence

from transforms.annotations.spans import occurrences
from transforms.records import CharSpan, Phrase

_WORD = re.compile(r"[^\W_]+")
_ARTICLES = frozenset(("a", "an", "the"))
_IRREGULAR = {
    "people": "person",
    "children": "child",
    "feet": "foot",
    "teeth": "tooth",
    "geese": "goose",
    "mice": "mouse",
    "oxen": "ox",
}
_ENDINGS = (("ies", "y"), ("ies", "ie"), ("ves", "f"), ("ves", "fe"), ("men", "man"), ("es", ""), ("s", ""))
"""Ends of plurals, and those of the singular. Which one is right is not known, so words are equal if one fits."""

Word = frozenset[str]


def named_phrase(label: str, caption: str, phrases: Sequence[Phrase]) -> int | None:
    """The number of the phrase that a label names; None if no phrase fits, or if several do.

    A phrase fits if its head is the label's last word and it contains all words of the label, or if its expression has
    the words of the label.
    """
    wanted = _words(label)
    found = []
    for number, phrase in enumerate(phrases if wanted else ()):
        words = _words(caption[phrase.start : phrase.end])
        expression = _words(caption[phrase.expression_start : phrase.expression_end])
        head = _words(caption[phrase.head_start : phrase.head_end])
        contains = _are_equal(wanted[-1:], head[-1:]) and all(any(word & other for other in words) for word in wanted)
        if contains or _are_equal(wanted, expression):
            found.append(number)
    return found[0] if len(found) == 1 else None


def named_words(label: str, caption: str, others: Iterable[CharSpan]) -> CharSpan | None:
    """Where a label that names no phrase is in the caption. None if it is not there, several times, or in one of the
    others: the phrases, and what the caption says is not there, as in "no dog"."""
    found = occurrences(label, caption) if _words(label) else []
    if len(found) != 1:
        return None
    [(start, end)] = found
    return None if any(start < last and first < end for first, last in others) else (start, end)


def _are_equal(words: Sequence[Word], others: Sequence[Word]) -> bool:
    return len(words) == len(others) and all(word & other for word, other in zip(words, others, strict=True))


def _words(text: str) -> list[Word]:
    """The words of a text without articles, each with its possible singulars."""
    return [_singulars(word) for word in _WORD.findall(text.casefold()) if word not in _ARTICLES]


def _singulars(word: str) -> Word:
    singulars = {word, _IRREGULAR.get(word, word)}
    for plural, singular in _ENDINGS:
        if word.endswith(plural) and len(word) > len(plural) + 1 and not word.endswith("ss"):
            singulars.add(word.removesuffix(plural) + singular)
    return frozenset(singulars)
