"""Which noun phrases are dropped because their head names nothing one can draw a box around.

Some heads also name things: "a picture of a dog" and "the top of a hill" are no things, "a framed picture" and "a crop
top" are. The lists of `drop_in_context.yaml` have such words.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from transforms.phrases.parsed_caption import NOUN_TAGS, ParsedCaption
from transforms.records import Drop

_DEFINITE = frozenset(("the", "this", "that", "these", "those", "its", "his", "her", "their"))
_INDEFINITE = frozenset(("a", "an", "some", "one", "another"))
_NUMBERS = frozenset(("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "several", "many"))
_POSSESSIVE = frozenset(("my", "our", "your", "his", "her", "its", "their"))
_TIMES = frozenset(("early", "late", "last", "next", "this", "every", "each", "coming"))
_INSIDE = frozenset(("in", "for", "of"))
_AT = frozenset(("at", "on", "to", "from", "in", "near", "of", "over", "along", "by", "toward", "towards", "up"))
_TAKES = re.compile("(take|snap|get)s?|tak(ing|en)|took|snapping|getting")
_FOLLOWS_OPENER = re.compile("of|show(s|ing)?|depict(s|ing)|featur(es|ing)|with|from|taken|about|for|by|in|that|")
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
        if word not in self.in_context:
            return self.always.get(word)
        reason, context = self.in_context[word]
        words = [caption.tokens[token].lower_ for token in tokens if token < head]
        before = caption.tokens[tokens[0] - 1].lower_ if tokens[0] else ""
        after = caption.tokens[tokens[-1] + 1].lower_ if tokens[-1] + 1 < len(caption.tokens) else ""
        return reason if _CONTEXTS[context](words, before, after, tokens[0] == 0) else None


def _names_picture(words: list[str], before: str, after: str, first: bool) -> bool:
    """ "A picture of a dog", "a close up shot", "in this picture", "taking a picture"; not "a framed picture"."""
    if any(word.isdigit() or word in _NUMBERS for word in words):  # "two shots of whiskey"
        return False
    if first and (_FOLLOWS_OPENER.fullmatch(after) or not after[0].isalnum()):
        return True
    if words and all(map(_is_stock_word, words)):
        return True
    bare = all(word in _DEFINITE or word in _INDEFINITE for word in words)
    return bare and bool(before in _INSIDE or _TAKES.fullmatch(before) or (not words and not before))


def _names_place(words: list[str], before: str, after: str, first: bool) -> bool:
    """ "The top of a hill", "on top"; not "a crop top", "a white top", "a top"."""
    return all(word in _DEFINITE for word in words) and (before in _AT or after == "of" or first)


def _names_sense(words: list[str], before: str, after: str, first: bool) -> bool:
    """ "In spring", "this spring", "our goal", "the goal of"; not "a hot spring", "the goal"."""
    if not words or any(word in _TIMES or word in _POSSESSIVE for word in words):
        return True
    return after == "of" and all(word in _DEFINITE for word in words)


_CONTEXTS = {
    "always": lambda *_: True,
    "opener": _names_picture,
    "place": _names_place,
    "sense": _names_sense,
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
