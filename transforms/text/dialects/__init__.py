"""The dialects of grounded text, by name: a file each.

templates                                        those that templates say: kosmos2-paper, loc1000, normalized, markdown,
                                                 pixels, shikra, ferret, qwen-vl, qwen2-vl, cogvlm, internvl, minigpt-v2
kosmos2, pix2seq, qwen_json, florence2, paligemma   those with rules of their own; qwen_json: qwen2.5-vl and qwen3-vl
tagged    what dialects with numbers beside words share: templates, and whether a text reads back
scales    corners to numbers and back, with their rounding and error

A package of your own adds one through the entry-point group `gritmill.dialects`: the entry's name is the dialect's, its
value a callable that takes the option (the text after ":" in "name:option", or "") and returns a `Dialect`.
"""

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points

from transforms.text.dialects import kosmos2
from transforms.text.dialects.florence2 import FLORENCE2
from transforms.text.dialects.paligemma import PALIGEMMA
from transforms.text.dialects.pix2seq import PIX2SEQ
from transforms.text.dialects.qwen_json import FACTOR, MAX_PIXELS, QWEN3_VL, qwen25_vl
from transforms.text.dialects.templates import TEMPLATES, loc1000, normalized
from transforms.text.grounded_caption import Dialect

GROUP = "gritmill.dialects"


def _without_option(dialect: Dialect) -> Callable[[str], Dialect]:
    """A dialect without an option."""

    def make(option: str) -> Dialect:
        if option:
            raise ValueError(f"text.dialect: {dialect.name} has no option {option!r}; it has none")
        return dialect

    return make


def _with_number(
    name: str, minimum: int, maximum: int, default: int, make: Callable[[str, int], Dialect]
) -> Callable[[str], Dialect]:
    """A dialect whose option is a number."""

    def make_dialect(option: str) -> Dialect:
        number = int(option) if option.isdecimal() and len(option) < 10 else None if option else default
        if number is None or not minimum <= number <= maximum:
            raise ValueError(
                f"text.dialect: {name} has no option {option!r}; it takes a number, {minimum} to {maximum}"
            )
        return make(f"{name}:{number}" if option else name, number)

    return make_dialect


_BUILTIN: dict[str, Callable[[str], Dialect]] = {
    "kosmos2": kosmos2.make,
    "loc1000": _with_number("loc1000", 2, 1_000_000, 1000, loc1000),
    "normalized": _with_number("normalized", 1, 9, 2, normalized),
    "qwen2.5-vl": _with_number("qwen2.5-vl", FACTOR * FACTOR, 999_999_999, MAX_PIXELS, qwen25_vl),
    **{dialect.name: _without_option(dialect) for dialect in (*TEMPLATES, PIX2SEQ, QWEN3_VL, FLORENCE2, PALIGEMMA)},
}


@cache
def find(name: str) -> Dialect:
    """The dialect called `name`, "kosmos2" or with an option "kosmos2:training".

    Raises:
      ValueError: there is none of that name, or it has no such option.
    """
    base, _, option = name.partition(":")
    if base in _BUILTIN:
        return _BUILTIN[base](option)
    for entry in entry_points(group=GROUP):
        if entry.name == base:
            dialect: Dialect = entry.load()(option)
            return dialect
    raise ValueError(f"text.dialect: no dialect {base}; there are {', '.join(sorted(names()))}")


def names() -> set[str]:
    """The names of all dialects, the built-in ones and those of installed packages."""
    return {*_BUILTIN, *(entry.name for entry in entry_points(group=GROUP))}


def by_caption(name: str) -> bool:
    """Whether the caption alone decides if a text can be written in a dialect."""
    return bool(getattr(find(name), "by_caption", False))


def suffix(name: str) -> str:
    """The member name's ending for a further dialect: "kosmos2:training" -> "kosmos2-training"."""
    return name.replace(":", "-").replace(".", "_")
