"""Captions in other letter cases, because web texts are often in capitals, in title case or in lower case."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from training.caption_parser.silver import Parse

_SMALL = frozenset(["a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"])

SHARES = {"upper": 0.04, "title": 0.10, "lower": 0.05}
"""Share of the captions, 0..1, that get each case instead of their own. Every round draws them again."""


def maybe_recased(parse: Parse, rng: Random) -> Parse:
    """Returns the parse, or with the chances in `SHARES` the same tree in capitals, title case or lower case."""
    draw = rng.random()
    for name, share in SHARES.items():
        if draw < share:
            return recased(parse, [_word(word, name) for word in parse.words])
        draw -= share
    return parse


def recased(parse: Parse, words: Sequence[str]) -> Parse:
    """Returns the parse with other spellings of its words and the same tree."""
    text = "".join(word + " " * space for word, space in zip(words, parse.spaces, strict=True))
    return replace(parse, words=tuple(words), text=text)


def _word(word: str, case: str) -> str:
    if case == "upper":
        return word.upper() if len(word.upper()) == len(word) else word
    if case == "lower":
        return word.lower() if len(word.lower()) == len(word) else word
    return word if word.lower() in _SMALL or not word[0].isalpha() or word[0] == "'" else word[0].upper() + word[1:]
