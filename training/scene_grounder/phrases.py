"""Noun phrases for the things of a scene, and for things that are absent from it."""

from dataclasses import dataclass

import numpy as np

from training.scene_grounder.lexicon import (
    COUNTS,
    PLURAL_ARTICLES,
    SINGULAR_ARTICLES,
    Noun,
    article,
    held_out,
    lexicon,
    pick,
    plural_of,
)
from training.scene_grounder.scenes import Kind, Thing, matching_things


@dataclass(frozen=True)
class GeneratedPhrase:
    """A noun phrase, its description, and the numbers of the things that it means; empty if these are absent.

    number: of things that it speaks of, also if they are absent.
    """

    text: str
    kind: Kind
    things: tuple[int, ...] = ()
    number: int = 1


def describe(kind: Kind, number: int, rng: np.random.Generator) -> str:
    """Returns a noun phrase for `number` things of a kind."""
    noun = lexicon().nouns[kind.noun]
    words = [*_size_word(kind, rng), *([kind.colour] if kind.colour else []), _name(noun, number, rng)]
    if rng.random() < 0.04:
        words.insert(0, pick(lexicon().ornaments, rng))
    return " ".join([*_opening(words[0], number, rng), *words])


def present(things: tuple[Thing, ...], rng: np.random.Generator) -> GeneratedPhrase:
    """Returns a phrase for one of the things. It means all things that the description fits."""
    for _ in range(20):
        thing = things[rng.integers(len(things))]
        kind = _random_kind(thing, rng)
        found = matching_things(kind, things)
        if found:
            return GeneratedPhrase(describe(kind, len(found), rng), kind, tuple(found), len(found))
    thing = things[0]
    kind = Kind(thing.noun)
    found = matching_things(kind, things) or [0]
    return GeneratedPhrase(describe(kind, len(found), rng), kind, tuple(found), len(found))


def absent(things: tuple[Thing, ...], rng: np.random.Generator, *, unseen: bool = True) -> GeneratedPhrase:
    """Returns a phrase for something that is absent from the scene, usually a near miss.

    unseen: whether the phrase may combine a colour and a noun that are held out of training.

    Raises:
      ValueError: no such phrase is found.
    """
    for _ in range(50):
        kind = _near_miss(things, rng) if rng.random() < 0.6 else _anything(rng)
        if kind is None or (not unseen and kind.colour and held_out(kind.colour, kind.noun)):
            continue
        if matching_things(kind, things) == []:
            number = 2 if rng.random() < 0.2 else 1
            return GeneratedPhrase(describe(kind, number, rng), kind, (), number)
    raise ValueError("no phrase found that is absent from the scene")


def _random_kind(thing: Thing, rng: np.random.Generator) -> Kind:
    colour = thing.colour if rng.random() < 0.7 else None
    sized = thing.size != "medium" and rng.random() < 0.4
    return Kind(thing.noun, colour, thing.size if sized else None)


def _near_miss(things: tuple[Thing, ...], rng: np.random.Generator) -> Kind | None:
    """Returns a noun of the scene in a wrong colour or size, or a colour of the scene on another noun."""
    coloured = [thing for thing in things if thing.colour]
    some = coloured if coloured and rng.random() < 0.5 else things
    thing = some[rng.integers(len(some))]
    lex = lexicon()
    choice = rng.random()
    if thing.colour and choice < 0.45:
        others = [colour for colour in lex.colours_of(lex.nouns[thing.noun]) if colour != thing.colour]
        sized = thing.size != "medium" and rng.random() < 0.15
        return Kind(thing.noun, pick(others, rng), thing.size if sized else None)
    if thing.colour and choice < 0.75:
        fitting = [noun.name for noun in lex.nouns.values() if thing.colour in lex.colours_of(noun)]
        return Kind(pick(fitting, rng), thing.colour)
    if thing.size == "medium":
        return None
    return Kind(thing.noun, thing.colour if rng.random() < 0.3 else None, _other(thing.size))


def _other(size: str) -> str:
    return "large" if size == "small" else "small"


def _anything(rng: np.random.Generator) -> Kind:
    lex = lexicon()
    noun = lex.nouns[pick(tuple(lex.nouns), rng)]
    colours = lex.colours_of(noun)
    colour = pick(colours, rng) if colours and rng.random() < 0.6 else None
    return Kind(noun.name, colour, pick(("small", "large"), rng) if rng.random() < 0.15 else None)


def _size_word(kind: Kind, rng: np.random.Generator) -> list[str]:
    return [pick(lexicon().sizes[kind.size].names, rng)] if kind.size else []


def _name(noun: Noun, number: int, rng: np.random.Generator) -> str:
    name = pick(noun.others, rng) if noun.others and rng.random() < 0.35 else noun.name
    return name if number == 1 else plural_of(noun, name)


def _opening(word: str, number: int, rng: np.random.Generator) -> list[str]:
    """Returns the words before the adjectives: an article, a count, or none."""
    if rng.random() < 0.08:
        return []
    if number == 1:
        return [article(word)] if rng.random() < 0.55 else [_singular(word, rng)]
    if number == 2 and rng.random() < 0.15:
        return ["a", "pair", "of"]
    if number in COUNTS and rng.random() < 0.6:
        return ["the", COUNTS[number]] if rng.random() < 0.15 else [COUNTS[number]]
    return [pick(("some", "the") if number == 2 else (*PLURAL_ARTICLES, "the"), rng)]


def _singular(word: str, rng: np.random.Generator) -> str:
    chosen = pick((*SINGULAR_ARTICLES, "the", "the"), rng)
    return article(word) if chosen == "a" else chosen
