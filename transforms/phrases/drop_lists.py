"""Heads of noun phrases that name nothing one can draw a box around, always or in some contexts: the lists of
`drop_lists.yaml` and `drop_in_context.yaml`."""

from functools import cache
from importlib import resources
from typing import Any

import yaml

from transforms.records import Drop
from transforms.wording import suggestion


def read_drop_lists() -> dict[str, Any]:
    """The content of `drop_lists.yaml`: its version, and the lists of heads by name."""
    text = resources.files("transforms.phrases").joinpath("drop_lists.yaml").read_text("utf-8")
    lists: dict[str, Any] = yaml.safe_load(text)
    return lists


@cache
def drop_heads(lists: tuple[str, ...]) -> dict[str, Drop]:
    """Lower-cased head -> reason, for the given lists of `drop_lists.yaml`. The first list that contains a head wins.

    Raises:
      ValueError: a name is not the name of a list.
    """
    known = {name: value for name, value in read_drop_lists().items() if name != "version"}
    unknown = [name for name in lists if name not in known]
    if unknown:
        raise ValueError(f"phrases.drop_lists: no list {unknown[0]}; {suggestion(unknown[0], known)}")
    return {head: Drop(name.partition("_")[0]) for name in reversed(lists) for head in known[name]}


def read_drop_in_context() -> dict[str, Any]:
    """The content of `drop_in_context.yaml`: its version, and the lists by name."""
    text = resources.files("transforms.phrases").joinpath("drop_in_context.yaml").read_text("utf-8")
    lists: dict[str, Any] = yaml.safe_load(text)
    return lists


@cache
def drop_in_context(lists: tuple[str, ...]) -> dict[str, tuple[Drop, str]]:
    """Lower-cased head -> reason and context, for the given lists of `drop_in_context.yaml`.

    Raises:
      ValueError: a name is not the name of a list.
    """
    known = {name: value for name, value in read_drop_in_context().items() if name != "version"}
    unknown = [name for name in lists if name not in known]
    if unknown:
        raise ValueError(f"phrases.drop_in_context: no list {unknown[0]}; {suggestion(unknown[0], known)}")
    rules = {name: (Drop(name.partition("_")[0]), name.partition("_")[2]) for name in lists}
    return {head: rules[name] for name in reversed(lists) for head in known[name]}
