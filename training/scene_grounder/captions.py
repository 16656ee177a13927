"""Captions of scenes: sentences with known noun phrases and the things that each phrase means."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from training.scene_grounder.lexicon import pick
from training.scene_grounder.phrases import GeneratedPhrase, absent, describe
from training.scene_grounder.scenes import Kind, Thing, matching_things
from training.scene_grounder.stated import NEAR, RELATIONS, Stated, stated_claims

MAX_PHRASES = 5

_OPENINGS = (
    "A photo of {}",
    "A picture of {}",
    "This image shows {}",
    "We can see {}",
    "In this scene there {be} {}",
    "There {be} {}",
    "{}",
    "{}",
    "{}",
)
_MISSING = ("{}, waiting for {}", "{}, looking for {}", "{} without {}", "{}, dreaming of {}", "{}, far away from {}")


@dataclass(frozen=True)
class Mention:
    """A noun phrase at character `start` of the caption. Its `phrase.things` is empty if it names nothing there."""

    start: int
    phrase: GeneratedPhrase

    @property
    def end(self) -> int:
        """Index after the last character."""
        return self.start + len(self.phrase.text)


@dataclass(frozen=True)
class Caption:
    """A caption, its noun phrases in the order of the text, and what it claims about them."""

    text: str
    mentions: tuple[Mention, ...]
    claims: tuple[Stated, ...] = ()


def make_caption(things: tuple[Thing, ...], rng: np.random.Generator, *, unseen: bool = False) -> Caption:
    """Returns a sentence about the scene. One sentence in four ends with a phrase for something that is absent.

    unseen: whether that phrase may combine a colour and a noun that are held out of training.
    """
    generated = _subjects(things, rng)
    text = _Text(pick(_OPENINGS, rng))
    text.open(generated[0])
    for before, one in pairwise(generated):
        text.add(_joint(before, one, things, rng), one)
    if rng.random() < 0.25:
        missing = pick(_MISSING, rng)
        text.close(missing, absent(things, rng, unseen=unseen))
    return text.caption(things)


def _subjects(things: tuple[Thing, ...], rng: np.random.Generator) -> list[GeneratedPhrase]:
    """Returns phrases that mean different things. Together they name most things of the scene."""
    generated: list[GeneratedPhrase] = []
    named: set[int] = set()
    for number in rng.permutation(len(things)):
        if number in named or len(generated) == MAX_PHRASES:
            continue
        thing = things[number]
        kinds = _kinds(thing, rng)
        for kind in kinds:
            found = matching_things(kind, things)
            if found and not named & set(found):
                generated.append(GeneratedPhrase(describe(kind, len(found), rng), kind, tuple(found), len(found)))
                named |= set(found)
                break
    return generated


def _kinds(thing: Thing, rng: np.random.Generator) -> list[Kind]:
    """Returns descriptions of a thing, the preferred one first."""
    plain, coloured = Kind(thing.noun), Kind(thing.noun, thing.colour)
    if thing.size == "medium":
        return [coloured if rng.random() < 0.7 else plain, coloured, plain]
    sized = Kind(thing.noun, thing.colour if rng.random() < 0.7 else None, thing.size)
    return [sized if rng.random() < 0.4 else coloured, Kind(thing.noun, thing.colour, thing.size), coloured, plain]


def _joint(before: GeneratedPhrase, one: GeneratedPhrase, things: tuple[Thing, ...], rng: np.random.Generator) -> str:
    """Returns the words between two phrases: "and", a relation that is true for the boxes, or a word like "near"."""
    if rng.random() < 0.35:
        return " and "
    clear = [word for word, _, holds in RELATIONS if _all(holds, before, one, things)]
    return f" {pick(clear if clear and rng.random() < 0.8 else NEAR, rng)} "


def _all(
    holds: Callable[[Thing, Thing], bool], a: GeneratedPhrase, b: GeneratedPhrase, things: tuple[Thing, ...]
) -> bool:
    return all(holds(things[i], things[j]) for i in a.things for j in b.things)


class _Text:
    """Builds a caption phrase by phrase."""

    def __init__(self, opening: str) -> None:
        self.opening = opening
        self.text = ""
        self.mentions: list[Mention] = []
        self.joints: list[str] = []

    def open(self, first: GeneratedPhrase) -> None:
        start = self.opening.replace("{be}", "is" if len(first.things) == 1 else "are").removesuffix("{}")
        self.add(start, first)

    def add(self, before: str, phrase: GeneratedPhrase) -> None:
        if self.mentions:
            self.joints.append(before.strip(", "))
        self.text += before
        self.mentions.append(Mention(len(self.text), phrase))
        self.text += phrase.text

    def close(self, ending: str, phrase: GeneratedPhrase) -> None:
        _, before, after = ending.split("{}")
        self.add(before, phrase)
        self.text += after

    def caption(self, things: tuple[Thing, ...]) -> Caption:
        text = self.text[0].upper() + self.text[1:] + "."
        phrases = [mention.phrase for mention in self.mentions]
        return Caption(text, tuple(self.mentions), stated_claims(phrases, self.joints, things))
