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

from transforms.text.dialects.florence2 import FLORENCE2
from transforms.text.dialects.kosmos2 import KOSMOS2, KOSMOS2_TRAINING
from transforms.text.dialects.paligemma import PALIGEMMA
from transforms.text.dialects.pix2seq import PIX2SEQ
from transforms.text.dialects.qwen_json import FACTOR, MAX_PIXELS, QWEN3_VL, qwen25_vl
from transforms.text.dialects.templates import TEMPLATES, loc1000, normalized
from transforms.text.grounded_caption import Dialect

GROUP = "gritmill.dialects"

_FIXED: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        *(KOSMOS2, KOSMOS2_TRAINING, loc1000("loc1000", 1000), normalized("normalized", 2), *TEMPLATES),
        *(PIX2SEQ, qwen25_vl("qwen2.5-vl", MAX_PIXELS), QWEN3_VL, FLORENCE2, PALIGEMMA),
    )
}
"""By name, with the option where it has one."""

_NUMBERED: dict[str, tuple[Callable[[str, int], Dialect], int, int]] = {
    "loc1000": (loc1000, 2, 1_000_000),
    "normalized": (normalized, 1, 9),
    "qwen2.5-vl": (qwen25_vl, FACTOR * FACTOR, 999_999_999),
}
"""Those whose option is a number: how one is made, the lowest number and the highest."""


@cache
def find(name: str) -> Dialect:
    """The dialect called `name`, "kosmos2" or with an option "kosmos2:training".

    Raises:
      ValueError: there is none of that name, or it has no such option.
    """
    if fixed := _FIXED.get(name.removesuffix(":")):
        return fixed
    base, _, option = name.partition(":")
    if base in _NUMBERED:
        make, lowest, highest = _NUMBERED[base]
        if option.isdecimal() and len(option) < 10 and lowest <= int(option) <= highest:
            return make(name, int(option))
        raise ValueError(f"text.dialect: {base} has no option {option!r}; it takes a number, {lowest} to {highest}")
    if base in _FIXED:
        options = ", ".join(one.partition(":")[2] for one in _FIXED if one.startswith(f"{base}:")) or "none"
        raise ValueError(f"text.dialect: {base} has no option {option!r}; it has {options}")
    for entry in entry_points(group=GROUP):
        if entry.name == base:
            dialect: Dialect = entry.load()(option)
            return dialect
    raise ValueError(f"text.dialect: no dialect {base}; there are {', '.join(sorted(names()))}")


def names() -> set[str]:
    """The names of all dialects, the built-in ones and those of installed packages."""
    return {*(name for name in _FIXED if ":" not in name), *(entry.name for entry in entry_points(group=GROUP))}


def by_caption(name: str) -> bool:
    """Whether the caption alone decides if a text can be written in a dialect."""
    return bool(getattr(find(name), "by_caption", False))


def suffix(name: str) -> str:
    """The member name's ending for a further dialect: "kosmos2:training" -> "kosmos2-training"."""
    return name.replace(":", "-").replace(".", "_")
