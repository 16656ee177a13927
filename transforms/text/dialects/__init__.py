"""The dialects of grounded text, by name: a file each.

cogvlm, ferret, florence2, internvl, kosmos2, kosmos2_paper, loc1000, markdown, minigpt_v2, normalized, paligemma,
pix2seq, pixels, qwen2_vl, qwen_json, qwen_vl, shikra   the dialects
tagged, scales   what dialects with numbers beside words share; corners to numbers and back

A package of your own adds one through the entry-point group `gritmill.dialects`: the entry's name is the dialect's, its
value a callable that takes the option (the text after ":" in "name:option", or "") and returns a `Dialect`.
"""

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points

from transforms.text.dialects import kosmos2
from transforms.text.dialects.cogvlm import CogVLM
from transforms.text.dialects.ferret import Ferret
from transforms.text.dialects.florence2 import Florence2
from transforms.text.dialects.internvl import InternVL
from transforms.text.dialects.kosmos2_paper import Kosmos2Paper
from transforms.text.dialects.loc1000 import Loc1000
from transforms.text.dialects.markdown import Markdown
from transforms.text.dialects.minigpt_v2 import MiniGPTv2
from transforms.text.dialects.normalized import Normalized
from transforms.text.dialects.paligemma import PaliGemma
from transforms.text.dialects.pix2seq import Pix2Seq
from transforms.text.dialects.pixels import Pixels
from transforms.text.dialects.qwen2_vl import Qwen2VL
from transforms.text.dialects.qwen_json import FACTOR, MAX_PIXELS, Qwen3VL, Qwen25VL
from transforms.text.dialects.qwen_vl import QwenVL
from transforms.text.dialects.shikra import Shikra
from transforms.text.grounded_caption import Dialect

GROUP = "gritmill.dialects"


def _without_option(name: str, dialect: Dialect) -> Callable[[str], Dialect]:
    """A dialect without an option."""

    def make(option: str) -> Dialect:
        if option:
            raise ValueError(f"text.dialect: {name} has no option {option!r}; it has none")
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
    "kosmos2-paper": _without_option("kosmos2-paper", Kosmos2Paper("kosmos2-paper")),
    "loc1000": _with_number("loc1000", 2, 1_000_000, 1000, Loc1000),
    "normalized": _with_number("normalized", 1, 9, 2, Normalized),
    "markdown": _without_option("markdown", Markdown("markdown")),
    "pixels": _without_option("pixels", Pixels("pixels")),
    "pix2seq": _without_option("pix2seq", Pix2Seq()),
    "shikra": _without_option("shikra", Shikra("shikra")),
    "ferret": _without_option("ferret", Ferret("ferret")),
    "qwen-vl": _without_option("qwen-vl", QwenVL("qwen-vl")),
    "qwen2-vl": _without_option("qwen2-vl", Qwen2VL("qwen2-vl")),
    "qwen2.5-vl": _with_number("qwen2.5-vl", FACTOR * FACTOR, 999_999_999, MAX_PIXELS, Qwen25VL),
    "qwen3-vl": _without_option("qwen3-vl", Qwen3VL("qwen3-vl")),
    "cogvlm": _without_option("cogvlm", CogVLM("cogvlm")),
    "internvl": _without_option("internvl", InternVL("internvl")),
    "minigpt-v2": _without_option("minigpt-v2", MiniGPTv2("minigpt-v2")),
    "florence2": _without_option("florence2", Florence2()),
    "paligemma": _without_option("paligemma", PaliGemma()),
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
