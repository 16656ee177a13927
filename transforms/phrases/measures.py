"""Nouns that measure or group what follows "of": "a couple of dogs", "a pile of books". See `measures.yaml`."""

from functools import cache

from transforms.phrases.word_lists import chosen_lists


@cache
def measure_words(lists: tuple[str, ...]) -> frozenset[str]:
    """The lower-cased words of the given lists of `measures.yaml`.

    Raises:
      ValueError: a name is not the name of a list.
    """
    return frozenset(word for words in chosen_lists("measures", lists).values() for word in words)
