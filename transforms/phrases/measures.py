"""Nouns that measure or group what follows "of": "a couple of dogs", "a pile of books". See `measures.yaml`."""

from functools import cache
from importlib import resources
from typing import Any

import yaml

from transforms.wording import suggestion


def read_measures() -> dict[str, Any]:
    """The content of `measures.yaml`: its version, and the lists by name."""
    text = resources.files("transforms.phrases").joinpath("measures.yaml").read_text("utf-8")
    lists: dict[str, Any] = yaml.safe_load(text)
    return lists


@cache
def measure_words(lists: tuple[str, ...]) -> frozenset[str]:
    """The lower-cased words of the given lists of `measures.yaml`.

    Raises:
      ValueError: a name is not the name of a list.
    """
    known = {name: value for name, value in read_measures().items() if name != "version"}
    unknown = [name for name in lists if name not in known]
    if unknown:
        raise ValueError(f"phrases.measures: no list {unknown[0]}; {suggestion(unknown[0], known)}")
    return frozenset(word for name in lists for word in known[name])
