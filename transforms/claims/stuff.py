"""Nouns that have no instances: a picture has sky and grass, but not two of them."""

from functools import cache

from transforms.claims.word_lists import words_of


@cache
def _stuff() -> frozenset[str]:
    return words_of("stuff", "stuff")


def is_stuff(head_word: str) -> bool:
    """Whether the head of a noun chunk, in any case, names a region or a material that has no instances."""
    return head_word.lower() in _stuff()
