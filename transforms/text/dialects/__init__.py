"""The dialects of grounded text, by name.

templates   the dialects that are only templates: kosmos2-paper, loc1000, normalized, markdown, pixels, shikra, ferret,
            qwen-vl, qwen2-vl, cogvlm, internvl, minigpt-v2
kosmos2, pix2seq, qwen_json, florence2, paligemma, ofa   the dialects with code of their own; qwen_json: qwen2.5-vl,
            qwen3-vl
tagged      the base class of dialects that write numbers next to words: writes and reads the text from templates
plugin      wraps a dialect of another package: names it in errors, checks what it returns
scales      corners to numbers and back, with their rounding and error

Your package can add a dialect through the entry-point group `gritmill.dialects`. The name of the entry is the name of
the dialect. Its value is a callable that takes the option (the text after ":" in "name:option", or "") and returns a
`Dialect`.
"""

from collections.abc import Callable, Collection, Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from transforms.culprits import calling
from transforms.plugins import check_callable, check_made, load_entry, name_entry
from transforms.text.dialects.florence2 import FLORENCE2
from transforms.text.dialects.kosmos2 import KOSMOS2, KOSMOS2_TRAINING
from transforms.text.dialects.ofa import OFA
from transforms.text.dialects.paligemma import PALIGEMMA
from transforms.text.dialects.pix2seq import PIX2SEQ
from transforms.text.dialects.plugin import PluginDialect
from transforms.text.dialects.qwen_json import FACTOR, MAX_PIXELS, QWEN3_VL, qwen25_vl
from transforms.text.dialects.templates import TEMPLATES, loc1000, normalized
from transforms.text.grounded_caption import Dialect
from transforms.wording import suggestion

GROUP = "gritmill.dialects"

_FIXED: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        *(KOSMOS2, KOSMOS2_TRAINING, loc1000("loc1000", 1000), normalized("normalized", 2), *TEMPLATES),
        *(PIX2SEQ, qwen25_vl("qwen2.5-vl", MAX_PIXELS), QWEN3_VL, FLORENCE2, PALIGEMMA, OFA),
    )
}
"""The dialects without a numeric option, by their full name, "name" or "name:option"."""

_NUMBERED: dict[str, tuple[Callable[[str, int], Dialect], int, int]] = {
    "loc1000": (loc1000, 2, 1_000_000),
    "normalized": (normalized, 1, 9),
    "qwen2.5-vl": (qwen25_vl, FACTOR * FACTOR, 999_999_999),
}
"""The dialects whose option is a number: a function that builds one, the lowest and the highest number."""


@cache
def find(name: str) -> Dialect:
    """The dialect called `name`, for example "kosmos2", or "kosmos2:training" with an option.

    Raises:
      ValueError: no dialect has that name, the dialect does not have that option, or its package fails.
    """
    if fixed := _FIXED.get(name.removesuffix(":")):
        return fixed
    base, _, option = name.partition(":")
    if base in _NUMBERED:
        make, lowest, highest = _NUMBERED[base]
        if option.isdecimal() and len(option) < 10 and lowest <= int(option) <= highest:
            return make(name, int(option))
        raise ValueError(f"text.dialect: {base} has no option {option!r}; use a number from {lowest} to {highest}")
    if base in _FIXED:
        options = ", ".join(one.partition(":")[2] for one in _FIXED if one.startswith(f"{base}:")) or "none"
        raise ValueError(f"text.dialect: {base} has no option {option!r}; its options: {options}")
    for entry in entry_points(group=GROUP):
        if entry.name == base:
            return _make_plugin(entry, name, option)
    raise ValueError(f"text.dialect: {base}: no such dialect; {suggestion(base, sorted(names()))}")


def _make_plugin(entry: EntryPoint, name: str, option: str) -> Dialect:
    with calling(f"text.dialect: {name}: {name_entry(entry)}"):
        make = load_entry(entry, f"text.dialect: {name}")
        check_callable(make)
        dialect = make(option)
        check_made(dialect, "it", "encode", "decode", "error", attributes=("name", "carries", "rounding"))
    return PluginDialect(dialect, name)


def names() -> set[str]:
    """The names of all dialects, without options: the built-in ones and those of installed packages."""
    return {*(name for name in _FIXED if ":" not in name), *(entry.name for entry in entry_points(group=GROUP))}


def built_in() -> Iterable[Dialect]:
    """The dialects of this package, each with its default options, and with those that are no number."""
    return _FIXED.values()


def by_caption(name: str) -> bool:
    """Whether the caption alone decides if a dialect can write a text; see `Dialect`."""
    return bool(getattr(find(name), "by_caption", False))


def banned(name: str) -> Collection[str]:
    """The phrases that the model's own reader drops; see `Dialect`."""
    found: Collection[str] = getattr(find(name), "banned", ())
    return found


def suffix(name: str) -> str:
    """The end of the member name for a dialect that is not the first: "kosmos2:training" -> "kosmos2-training"."""
    return name.replace(":", "-").replace(".", "_")
