"""The words of the scenes: nouns with glyphs, shapes, colours, sizes, and the combinations held out of training."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import yaml

SINGULAR_ARTICLES = ("a", "the", "one", "another", "my", "this", "her", "his", "that", "its")
PLURAL_ARTICLES = ("some", "several", "the", "many", "these", "those")
COUNTS = {2: "two", 3: "three", 4: "four", 5: "five"}

_HELD_OUT = 8
"""One in this many combinations of colour and noun is held out of training."""


@dataclass(frozen=True)
class Noun:
    """A kind of thing. `others` are synonyms of `name`. Shapes have an `aspect` (width over height), others glyphs."""

    name: str
    plural: str
    others: tuple[str, ...] = ()
    glyphs: tuple[str, ...] = ()
    tinted: bool = False
    aspect: tuple[float, float] | None = None

    @property
    def coloured(self) -> bool:
        """Whether a description of it can name a colour."""
        return self.tinted or self.aspect is not None


@dataclass(frozen=True)
class Colour:
    """Ranges of hue (degrees), saturation and value (0..1)."""

    hue: tuple[float, float]
    saturation: tuple[float, float]
    value: tuple[float, float]


@dataclass(frozen=True)
class Size:
    """Range of side lengths (square root of the area; 1 is the picture's) and words. "medium" has no word."""

    side: tuple[float, float]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Lexicon:
    """All words, by name."""

    nouns: dict[str, Noun]
    colours: dict[str, Colour]
    hues: tuple[str, ...]
    sizes: dict[str, Size]
    ornaments: tuple[str, ...]

    def colours_of(self, noun: Noun) -> tuple[str, ...]:
        """Returns the colours that a thing of that noun can have."""
        if noun.tinted:
            return self.hues
        return tuple(self.colours) if noun.aspect else ()


@cache
def lexicon() -> Lexicon:
    """Returns the content of `lexicon.yaml`."""
    entries = yaml.safe_load(resources.files(__package__).joinpath("lexicon.yaml").read_text("utf-8"))
    nouns = {name: _noun(name, entry) for name, entry in (entries["nouns"] | entries["shapes"]).items()}
    colours = {name: Colour(**{key: tuple(ends) for key, ends in c.items()}) for name, c in entries["colours"].items()}
    sizes = {name: Size(tuple(s["side"]), _size_names(name, s)) for name, s in entries["sizes"].items()}
    hues = tuple(name for name in colours if name not in entries["colourless"])
    return Lexicon(nouns, colours, hues, sizes, tuple(entries["ornaments"]))


def held_out(colour: str, noun: str) -> bool:
    """Whether this combination is held out of training, to test the model on it."""
    return hashlib.blake2b(f"{colour} {noun}".encode()).digest()[0] % _HELD_OUT == 0


def plural(word: str) -> str:
    """Returns the regular English plural."""
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def plural_of(noun: Noun, name: str) -> str:
    """Returns the plural of one of the noun's names."""
    return noun.plural if name == noun.name else plural(name)


def article(word: str) -> str:
    """Returns the indefinite article of the word, "a" or "an"."""
    return "an" if word[0] in "aeio" or word == "umbrella" else "a"


def pick(choices: Sequence[str], rng: np.random.Generator) -> str:
    """Returns one of the choices, drawn uniformly."""
    return choices[int(rng.integers(len(choices)))]


def words() -> list[str]:
    """Returns every word that a phrase can contain, sorted: the vocabulary of the model."""
    lex = lexicon()
    found = {*SINGULAR_ARTICLES, *PLURAL_ARTICLES, *COUNTS.values(), "an", "pair", "of", "no", "single", "few"}
    found |= {*lex.colours, *lex.ornaments, "your", "their", "our", "any"}
    for size in lex.sizes.values():
        found |= set(size.names)
    for noun in lex.nouns.values():
        for name in (noun.name, *noun.others):
            found |= {name, plural_of(noun, name)}
    return sorted(found)


def _noun(name: str, entry: dict[str, Any]) -> Noun:
    aspect = tuple(entry["aspect"]) if "aspect" in entry else None
    return Noun(
        name,
        entry.get("plural", plural(name)),
        tuple(entry.get("names", ())),
        tuple(entry.get("glyphs", ())),
        bool(entry.get("tinted")),
        aspect,
    )


def _size_names(name: str, entry: dict[str, Any]) -> tuple[str, ...]:
    return () if name == "medium" else (name, *entry["names"])
