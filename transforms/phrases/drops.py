"""Which noun phrases are dropped because their head names nothing one can draw a box around.

Some heads also name things: "a picture of a dog" and "the top of a hill" are no things, "a framed picture" and "a crop
top" are. The lists of `drop_in_context.yaml` have such words.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from transforms.phrases.class_names import compounds, singular
from transforms.phrases.parsed_caption import NOUN_TAGS, ParsedCaption
from transforms.records import Drop

_DEFINITE = frozenset(("the", "this", "that", "these", "those"))
_POSSESSIVE = frozenset(("my", "our", "your", "his", "her", "its", "their"))
_INDEFINITE = frozenset(("a", "an", "some", "one", "another", "each", "every", "any"))
_NUMBERS = frozenset(("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "several", "many"))
_TIMES = frozenset(("early", "late", "last", "next", "this", "every", "each", "coming"))
_INSIDE = frozenset(("in", "for", "of"))
_AT = frozenset(("at", "on", "to", "from", "in", "near", "of", "over", "along", "by", "toward", "towards", "up"))
_IN = frozenset(("at", "for", "from", "in", "into", "of", "on", "out", "to", "under"))
_INTRODUCES = frozenset(("is", "'s", "’s", "are", "was", "were", "see", "am", "here"))
_TAKES = re.compile("(take|snap|get)s?|tak(ing|en)|took|snapping|getting")
_FOLLOWS_OPENER = re.compile(
    "of|with|from|about|for|by|in|that|is|was|are|were|taken|(show|depict|feature|contain|capture|illustrate|portray|"
    "present|display)(s|ed)?|(show|depict|featur|contain|captur|illustrat|portray|present|display)ing"
)
_STOCK = re.compile("stock|royalty|free|royalty-free|vector|clip|clipart|editorial")
_ENDS_STOCK = re.compile(
    "(photo|photograph|image|illustration|picture|vector|wallpaper|video|template|graphic)s?|photography|clipart|art|"
    "footage"
)


@dataclass(frozen=True)
class DropRules:
    """Lower-cased heads that are dropped. always: with the reason. in_context: with the reason and the context."""

    always: Mapping[str, Drop]
    in_context: Mapping[str, tuple[Drop, str]]

    def reason(self, caption: ParsedCaption, tokens: range, head: int) -> Drop | None:
        """Why a phrase is dropped; None if it is kept."""
        word = caption.tokens[head].lower_
        if word not in self.in_context and word not in self.always:
            return None
        words = [caption.tokens[token].lower_ for token in tokens if token < head]
        return self.reason_of_words(words, word, caption.word_beside(tokens[0], -1), caption.word_beside(tokens[-1], 1))

    def reason_of_words(self, words: list[str], head: str, before: str, after: str) -> Drop | None:
        """The same of a phrase as words in lower case: those before its head, its head, and the words or signs beside
        the phrase, "" where the caption ends."""
        if self.in_context and words and f"{words[-1]} {singular(head)}" in compounds():  # a road way
            return None
        if head not in self.in_context:
            return self.always.get(head)
        reason, context = self.in_context[head]
        return reason if _CONTEXTS[context](words, head, before, after) else None


def _names_picture(words: list[str], head: str, before: str, after: str) -> bool:
    """ "A picture of a dog", "There is a photo of", "in this picture", "taking a picture", "Red Dress - Photo"; not "a
    framed picture on the wall"."""
    if any(word.isdigit() or word in _NUMBERS for word in words):  # "two shots of whiskey"
        return False
    starts = not _is_word(before)
    if (starts or before in _INTRODUCES) and (_FOLLOWS_OPENER.fullmatch(after) or not _is_word(after)):
        return True
    if not words and not head.endswith("s"):
        return True
    if words and all(map(_is_stock_word, words)):
        return True
    determined = _DEFINITE | _INDEFINITE | _POSSESSIVE
    if starts and not determined.intersection(words) and (after == "by" or not _is_word(after)):
        return True
    return determined.issuperset(words) and bool(words) and bool(before in _INSIDE or _TAKES.fullmatch(before))


def _names_place(words: list[str], head: str, before: str, after: str) -> bool:
    """ "The top of a hill", "on top"; not "a crop top", "a white top", "a top", "its back"."""
    return all(word in _DEFINITE for word in words) and (before in _AT or after == "of" or not _is_word(before))


def _names_sense(words: list[str], head: str, before: str, after: str) -> bool:
    """ "In spring", "this spring", "our goal", "the goal of"; not "a hot spring", "the goal"."""
    if not words or any(word in _TIMES or word in _POSSESSIVE for word in words):
        return True
    return after == "of" and all(word in _DEFINITE for word in words)


def _names_nothing(words: list[str], head: str, before: str, after: str) -> bool:
    """ "Takes place", "on display", "cut in half"; not "a place", "fruits, display"."""
    return not words and bool(before in _IN or _TAKES.fullmatch(before))


def _is_word(text: str) -> bool:
    return any(map(str.isalnum, text))


_CONTEXTS = {
    "always": lambda *_: True,
    "opener": _names_picture,
    "place": _names_place,
    "sense": _names_sense,
    "idiom": _names_nothing,
}


def _is_stock_word(word: str) -> bool:
    return bool(_STOCK.fullmatch(word) or _ENDS_STOCK.fullmatch(word))


def without_stock_words(caption: ParsedCaption, tokens: range) -> range:
    """The phrase without what stock agencies append: "Stock Photo", "Royalty Free Vector Image". Unchanged if nothing
    else would remain."""
    words = [caption.tokens[token].lower_ for token in tokens]
    end = len(words)
    while end and _is_stock_word(words[end - 1]):
        end -= 1
    tail = words[end:]
    remains = any(caption.tokens[token].pos in NOUN_TAGS for token in tokens[:end])
    return tokens[:end] if remains and any(map(_STOCK.fullmatch, tail)) and len(tail) > 1 else tokens
