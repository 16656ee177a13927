"""Words of messages: lists, counts, types, and the known name that is most similar to an unknown one."""

import difflib
from collections.abc import Iterable
from typing import Any


def listed(value: Any) -> str:
    """A value of a configuration, as messages show it: a list without brackets, None and an empty list as "none"."""
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(listed, value)) or "none"
    return "none" if value is None else str(value)


def article(noun: str) -> str:
    """A noun with "a" or "an"."""
    return f"{'an' if noun[0] in 'AEIOUaeiou' else 'a'} {noun}"


def type_of(value: Any) -> str:
    """The type of a value: "an int", "None", "the class Box"."""
    if value is None:
        return "None"
    return f"the class {value.__name__}" if isinstance(value, type) else article(type(value).__name__)


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 pair", "2,000 boxes"."""
    return f"{number:,} {noun}{'' if number == 1 else 'es' if noun.endswith(('s', 'x')) else 's'}"


def closest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known name that is most similar to a word, ignoring case; "" if none is similar."""
    by_folded = {name.casefold(): name for name in known}
    return by_folded[match[0]] if (match := difflib.get_close_matches(word.casefold(), by_folded, 1, cutoff)) else ""


def suggestion(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the most similar known name, or a list of all of them."""
    known = list(known)
    close = closest(word, known)
    return f"did you mean {close}?" if close else f"use one of {listed(known)}"
