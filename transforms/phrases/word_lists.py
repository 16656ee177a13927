"""Lists of words that settings choose by name: the YAML files of this folder."""

from collections.abc import Sequence
from typing import Any

from transforms import bundled
from transforms.wording import suggestion


def read_lists(file: str) -> dict[str, Any]:
    """The content of a file, such as `measures`: its version, and the lists by name."""
    return bundled.read_words("transforms.phrases", file)


def chosen_lists(file: str, names: Sequence[str]) -> dict[str, list[str]]:
    """The lists of a file that its setting, `phrases.<file>`, names, in this order.

    Raises:
      ValueError: a name is not the name of a list.
    """
    known = {name: words for name, words in read_lists(file).items() if name != "version"}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"phrases.{file}: no list {unknown[0]}; {suggestion(unknown[0], known)}")
    return {name: known[name] for name in names}
