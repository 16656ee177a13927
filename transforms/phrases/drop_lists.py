"""Heads of noun phrases that name nothing one can draw a box around, always or in some contexts: the lists of
`drop_lists.yaml` and `drop_in_context.yaml`."""

from functools import cache

from transforms.phrases.word_lists import chosen_lists
from transforms.records import Drop


@cache
def drop_heads(lists: tuple[str, ...]) -> dict[str, Drop]:
    """Lower-cased head -> reason, for the given lists of `drop_lists.yaml`. The first list that contains a head wins.

    Raises:
      ValueError: a name is not the name of a list.
    """
    chosen = chosen_lists("drop_lists", lists)
    return {head: Drop(name.partition("_")[0]) for name in reversed(lists) for head in chosen[name]}


@cache
def drop_in_context(lists: tuple[str, ...]) -> dict[str, tuple[Drop, str]]:
    """Lower-cased head -> reason and context, for the given lists of `drop_in_context.yaml`.

    Raises:
      ValueError: a name is not the name of a list.
    """
    chosen = chosen_lists("drop_in_context", lists)
    rules = {name: (Drop(name.partition("_")[0]), name.partition("_")[2]) for name in lists}
    return {head: rules[name] for name in reversed(lists) for head in chosen[name]}
