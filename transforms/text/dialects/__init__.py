"""The dialects of grounded text, by name.

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


def _plain(name: str, dialect: Dialect) -> Callable[[str], Dialect]:
    """A dialect without an option."""

    def make(option: str) -> Dialect:
        if option:
            raise ValueError(f"text.dialect: {name} has no option {option!r}; it has none")
        return dialect

    return make


def _numbered(
    name: str, least: int, most: int, usual: int, make: Callable[[str, int], Dialect]
) -> Callable[[str], Dialect]:
    """A dialect whose option is a number."""

    def made(option: str) -> Dialect:
        number = int(option) if option.isdecimal() and len(option) < 10 else None if option else usual
        if number is None or not least <= number <= most:
            raise ValueError(f"text.dialect: {name} has no option {option!r}; it takes a number, {least} to {most}")
        return make(f"{name}:{number}" if option else name, number)

    return made


_OWN: dict[str, Callable[[str], Dialect]] = {
    "kosmos2": kosmos2.make,
    "kosmos2-paper": _plain("kosmos2-paper", Kosmos2Paper("kosmos2-paper")),
    "loc1000": _numbered("loc1000", 2, 1_000_000, 1000, Loc1000),
    "normalized": _numbered("normalized", 1, 9, 2, Normalized),
    "markdown": _plain("markdown", Markdown("markdown")),
    "pixels": _plain("pixels", Pixels("pixels")),
    "pix2seq": _plain("pix2seq", Pix2Seq()),
    "shikra": _plain("shikra", Shikra("shikra")),
    "ferret": _plain("ferret", Ferret("ferret")),
    "qwen-vl": _plain("qwen-vl", QwenVL("qwen-vl")),
    "qwen2-vl": _plain("qwen2-vl", Qwen2VL("qwen2-vl")),
    "qwen2.5-vl": _numbered("qwen2.5-vl", FACTOR * FACTOR, 999_999_999, MAX_PIXELS, Qwen25VL),
    "qwen3-vl": _plain("qwen3-vl", Qwen3VL("qwen3-vl")),
    "cogvlm": _plain("cogvlm", CogVLM("cogvlm")),
    "internvl": _plain("internvl", InternVL("internvl")),
    "minigpt-v2": _plain("minigpt-v2", MiniGPTv2("minigpt-v2")),
    "florence2": _plain("florence2", Florence2()),
    "paligemma": _plain("paligemma", PaliGemma()),
}


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


def by_caption(name: str) -> bool:
    """Whether the caption alone decides if a text can be written in a dialect."""
    return bool(getattr(find(name), "by_caption", False))


def suffix(name: str) -> str:
    """The member name's ending for a further dialect: "kosmos2:training" -> "kosmos2-training"."""
    return name.replace(":", "-").replace(".", "_")
