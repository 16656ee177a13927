"""The lists of words in this folder, in the form that the rules use."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

from transforms import bundled

LISTS = ("predicates", "quantities", "stuff")
"""The files of this folder that claims are read with."""

_VOWELS = "aeiou"
_PICTURE = "PICTURE"  # in a wording, any word for a picture


@dataclass(frozen=True, slots=True)
class Wording:
    """Words that state a relation. kind: the section of `predicates.yaml` that they are from."""

    words: tuple[str, ...]
    kind: str
    predicate: str


@cache
def read_list(file: str) -> dict[str, Any]:
    """The content of a file, such as `predicates`: its sections by name."""
    return bundled.read_words("transforms.claims", file)


@cache
def words_of(file: str, section: str) -> frozenset[str]:
    """The words of a section that is a list."""
    return frozenset(map(str, read_list(file)[section]))


@dataclass(slots=True)
class Node:
    """A tree of wordings, word by word. ends: the wordings that end here."""

    following: dict[str, "Node"] = field(default_factory=dict)
    ends: list[Wording] = field(default_factory=list)


@cache
def wordings() -> Node:
    """The wordings of relations. There are thousands of them, so a walk along the words of a caption finds them."""
    root = Node()
    for kind in ("prepositions", "verbs", "predicative", "mutual", "places", "bare_places", "ordinals_from"):
        for predicate, patterns in read_list("predicates")[kind].items():
            for words in (words for pattern in patterns for words in expanded(pattern)):
                node = root
                for word in words:
                    node = node.following.setdefault(word, Node())
                node.ends.append(Wording(words, kind, predicate))
    return root


def wordings_at(words: Sequence[str], token: int) -> list[Wording]:
    """The wordings that the words from a token on begin with, the shortest first."""
    node = wordings().following.get(words[token])
    found: list[Wording] = []
    while node is not None:
        if node.ends:
            found += node.ends
        token += 1
        if token == len(words):
            break
        node = node.following.get(words[token]) or (_picture_after(node, words[token]) if node.following else None)
    return found


def _picture_after(node: Node, word: str) -> Node | None:
    return node.following.get(_PICTURE) if word in words_of("predicates", "pictures") else None


def expanded(pattern: str) -> Iterator[tuple[str, ...]]:
    """What a pattern stands for. "[far] left|right of" are four wordings: [word] may be missing, | separates words."""
    slots: list[tuple[tuple[str, ...], ...]] = []
    optional = False
    for part in pattern.split(" "):
        optional = optional or part.startswith("[")
        choices = tuple((word,) for word in part.strip("[]").split("|"))
        if optional and not part.startswith("["):  # the rest of a group, such as [away from]
            slots[-1] = (*((*before, *one) for before in slots[-1] for one in choices if before), ())
        else:
            slots.append((*choices, ()) if optional else choices)
        optional = optional and not part.endswith("]")
    for parts in product(*slots):
        yield tuple(word for part in parts for word in part)


@cache
def no_places() -> dict[str, frozenset[str]]:
    """By predicate, the nouns that are no place with it: "in a row"."""
    return {name: frozenset(words) for name, words in read_list("predicates")["no_places"].items()}


@cache
def unreal() -> frozenset[tuple[str, ...]]:
    """Words before a thing that the caption does not say is there: "waiting for"."""
    return frozenset(words for pattern in read_list("predicates")["unreal"] for words in expanded(pattern))


@cache
def without_place() -> dict[str, frozenset[str]]:
    """By predicate, the forms of the verbs after which its preposition states no place: "looking at"."""
    return {name: frozenset(inflected(verbs)) for name, verbs in read_list("predicates")["without_place"].items()}


@cache
def forms_of(section: str) -> frozenset[str]:
    """The forms of the verbs in a section of `predicates.yaml`: `moving`, `holding`."""
    return frozenset(inflected(read_list("predicates")[section]))


_IRREGULAR = {
    "hold": ("held",),
    "have": ("has", "had"),
    "keep": ("kept",),
    "wear": ("wore", "worn"),
    "hang": ("hung",),
    "get": ("got",),
    "leave": ("left",),
    "find": ("found",),
    "see": ("saw", "seen"),
    "show": ("shown",),
    "stick": ("stuck",),
    "throw": ("threw", "thrown"),
    "swing": ("swung",),
    "eat": ("ate", "eaten"),
    "speak": ("spoke", "spoken"),
    "feed": ("fed",),
    "make": ("made",),
    "take": ("took", "taken"),
    "drink": ("drank", "drunk"),
    "ride": ("rode", "ridden"),
    "drive": ("drove", "driven"),
    "lead": ("led",),
    "break": ("broke", "broken"),
    "bite": ("bit", "bitten"),
    "fight": ("fought",),
    "write": ("wrote", "written"),
    "lay": ("laid",),
}


def inflected(verbs: Iterable[str]) -> Iterator[str]:
    """The forms of verbs: "put", "puts", "putting". Forms that do not exist do no harm."""
    for verb in verbs:
        stem = verb.removesuffix("e")
        ending = "es" if verb.endswith(("s", "sh", "ch", "x")) else "s"
        yield from (verb, verb + ending, stem + "ed", stem + "ing", *_IRREGULAR.get(verb, ()))
        if verb[-1] == "y" and verb[-2] not in _VOWELS:
            yield from (verb[:-1] + "ies", verb[:-1] + "ied")
        if verb[-1] not in "aeiouwxy" and verb[-2] in _VOWELS and verb[-3:-2] not in _VOWELS:
            yield from (f"{verb}{verb[-1]}ed", f"{verb}{verb[-1]}ing")
