"""Words that may name one thing, and things that are seen together: the lists of `same_things.yaml`."""

from functools import cache
from itertools import chain
from typing import Any

from transforms import bundled


@cache
def read_lists() -> dict[str, Any]:
    """The content of `same_things.yaml`: its version and its lists."""
    return bundled.read_words("transforms.phrases", "same_things")


def is_everywhere(name: str) -> bool:
    """Whether most images have such a thing. name: in lower case and in the singular."""
    return name in _everywhere()


@cache
def related(name: str) -> frozenset[str]:
    """The names whose thing may be in every image that has a thing of this name, and the name itself. It is mutual.

    name: in lower case and in the singular; may have several words.
    """
    return _linked(name, "kinds", "parts")


@cache
def same_kind(name: str) -> frozenset[str]:
    """The names that the thing of this name may have: its synonyms, its kinds, and things of this kind. It is mutual.

    name: see `related`.
    """
    return _linked(name, "kinds")


@cache
def synonyms(name: str) -> frozenset[str]:
    """The names that may be of one thing with this one, and the name itself. name: see `related`."""
    return frozenset((name,)).union(*(group for group in _groups() if name in group))


def _linked(name: str, *tables: str) -> frozenset[str]:
    found = set(synonyms(name))
    for whole, parts in chain(*map(_entries, tables)):
        if name in whole:
            found |= parts
        if name in parts:
            found |= whole
    return frozenset(found)


@cache
def _groups() -> tuple[frozenset[str], ...]:
    return tuple(frozenset(words) for words in read_lists()["same"])


@cache
def _entries(key: str) -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
    """Each entry of a table: all words for the whole or the kind, and all words for its parts or members."""
    table = read_lists()[key]
    return tuple((synonyms(whole), frozenset().union(*map(synonyms, parts))) for whole, parts in table.items())


@cache
def _everywhere() -> frozenset[str]:
    return frozenset(read_lists()["everywhere"])
