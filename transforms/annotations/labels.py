"""Which phrase of a caption a label names: "dog" is "a brown dog" of "A brown dog and two cats".

Only words are compared, in singular and without articles; synonyms are not known ("person" is not "a man"). If several
phrases fit equally well, the label names none of them: it is unknown which one is meant.
"""

import re
from collections.abc import Sequence

from transforms.annotations.spans import Span, occurrences
from transforms.records import Phrase

_WORD = re.compile(r"\w+")
_ARTICLES = frozenset(("a", "an", "the"))
_IRREGULAR = {
    "men": "man",
    "women": "woman",
    "people": "person",
    "children": "child",
    "feet": "foot",
    "teeth": "tooth",
    "geese": "goose",
    "mice": "mouse",
    "knives": "knife",
    "wives": "wife",
    "leaves": "leaf",
    "loaves": "loaf",
    "shelves": "shelf",
    "wolves": "wolf",
    "scarves": "scarf",
    "buses": "bus",
    "shoes": "shoe",
}


def named_phrase(label: str, caption: str, phrases: Sequence[Phrase]) -> int | None:
    """The number of the phrase that a label names; None if no phrase fits, or if several fit equally well.

    A phrase with the words of the label fits best; else one whose head is the label's last word, and which contains all
    words of the label.
    """
    wanted = _words(label)
    if not wanted:
        return None
    equal, containing = [], []
    for number, phrase in enumerate(phrases):
        words = _words(caption[phrase.start : phrase.end])
        if wanted in (words, _words(caption[phrase.expression_start : phrase.expression_end])):
            equal.append(number)
        elif wanted[-1:] == _words(caption[phrase.head_start : phrase.head_end])[-1:] and set(wanted) <= set(words):
            containing.append(number)
    found = equal or containing
    return found[0] if len(found) == 1 else None


def named_words(label: str, caption: str, phrases: Sequence[Phrase]) -> Span | None:
    """Where a label that names no phrase is in the caption. None if it is not there, several times, or in a phrase."""
    found = occurrences(label, caption)
    if len(found) != 1:
        return None
    [(start, end)] = found
    in_phrase = any(start < phrase.end and phrase.start < end for phrase in phrases)
    return None if in_phrase else (start, end)


def _words(text: str) -> list[str]:
    return [_singular(word) for word in _WORD.findall(text.casefold()) if word not in _ARTICLES]


def _singular(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 else word
