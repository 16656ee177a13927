"""The dialects of grounded text, by name.

A package of your own adds one through the entry-point group `gritmill.dialects`: the entry's name is the dialect's, its
value a callable that takes the option (the text after ":" in "name:option", or "") and returns a `Dialect`.
"""

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points

from transforms.dialects import kosmos2
from transforms.grounded_text import Dialect

GROUP = "gritmill.dialects"

_OWN: dict[str, Callable[[str], Dialect]] = {"kosmos2": kosmos2.make}


@cache
def find(name: str) -> Dialect:
    """The dialect called `name`, "kosmos2" or with an option "kosmos2:training".

    Raises:
      ValueError: there is none of that name, or it has no such option.
    """
    base, _, option = name.partition(":")
    if base in _OWN:
        return _OWN[base](option)
    for entry in entry_points(group=GROUP):
        if entry.name == base:
            made: Dialect = entry.load()(option)
            return made
    raise ValueError(f"text.dialect: no dialect {base}; there are {', '.join(sorted(names()))}")


def names() -> set[str]:
    """The names of all dialects, ours and those of installed packages."""
    return {*_OWN, *(entry.name for entry in entry_points(group=GROUP))}


def suffix(name: str) -> str:
    """The member name's ending for a further dialect: "kosmos2:training" -> "kosmos2-training"."""
    return name.replace(":", "-").replace(".", "_")
