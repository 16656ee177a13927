"""Words of messages: lists, counts, types, and the known name that is most similar to an unknown one."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

_WHAT_IT_TAKES = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    "int_parsing_size": "must be a smaller number",
    **dict.fromkeys(("float_type", "float_parsing"), "must be a number"),
    "finite_number": "must be a finite number",
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    "string_type": "must be a text",
    **dict.fromkeys(("byte_size", "byte_size_unit"), "must be a number of bytes, for example 128MiB"),
    **dict.fromkeys(("tuple_type", "list_type"), "must be a list, or one text"),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "must be a section: keys with values"),
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be more than {gt}",
    "less_than": "must be less than {lt}",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have {max_length} or fewer entries",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "missing": "must be set",
}
"""What a setting takes, by the type of pydantic's error; in braces, a key of its context."""


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


def what_it_takes(error: Mapping[str, Any]) -> str:
    """The words of one of pydantic's errors about a setting: what it must be. Messages of gritmill's own checks, and
    those of types that gritmill does not use, are as they are."""
    context = {
        key: f"{value:g}" if isinstance(value, float) else str(value).replace("'", "")
        for key, value in error.get("ctx", {}).items()
    }
    message = str(error["msg"]).removeprefix("Value error, ")
    words = _WHAT_IT_TAKES.get(error["type"])
    return words.format(**context) if words else f"{message[:1].lower()}{message[1:]}"
