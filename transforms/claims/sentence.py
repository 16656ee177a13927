"""A parsed caption with its noun chunks, in the form that the rules use: plain lists instead of spaCy's tokens."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, lru_cache

from spacy.tokens import Doc

from transforms.claims.word_lists import words_of
from transforms.phrases.noun_phrases import Phrases
from transforms.phrases.word_lists import read_lists
from transforms.records import Drop

NEGATIONS = frozenset(("not", "n't", "never", "n’t", "neither", "nor"))
_NOT_ONLY = frozenset(("only", "just", "merely", "simply"))  # "not only a dog, but also a cat"
_CONTENT = frozenset(("NN", "JJ", "VB"))
"""How the tags of nouns, adjectives and verbs begin."""

_BE = frozenset(("is", "are", "was", "were", "be", "been", "being"))
NOUNS = ("NN", "NNS", "NNP", "NNPS")


class Presence(Enum):
    """What a caption says of a thing: that it is there, that it is not, or neither: "waiting for a bus"."""

    STATED = "stated"
    UNSURE = "unsure"
    ABSENT = "absent"


@dataclass(slots=True)
class NounChunk:
    """A noun chunk, as token numbers: `first` to `last`, both inclusive.

    head: its head; of a dropped chunk the last noun, or the last token. drop: why it is no phrase; None if it is one.
    presence: see `presence`, which sets it.
    """

    first: int
    last: int
    head: int
    drop: Drop | None
    presence: Presence = Presence.STATED

    @property
    def is_stated(self) -> bool:
        """Whether it is a phrase, and the caption says that its thing is there."""
        return self.drop is None and self.presence is Presence.STATED


@dataclass(slots=True)
class Sentence:
    """The tokens of one caption, its tree and its noun chunks.

    words: in lower case. heads: for each token, the number of the token that it depends on; for a root, its own number.
    chunks: in text order. chunk_at: for each token, the number of its chunk; -1 outside of chunks. compared: the chunks
      that another one is compared with: the car of "a dog to the left of a car". spent: tokens of wordings without an
      object: "side by side". capitals: tokens with a capital letter at the start; none in a caption of capital letters
      alone, where they tell as much as small letters alone do. is_title: whether all nouns, adjectives and verbs have
      one, "Two Men And A Dog", so that names cannot be told from other words. text: the caption.
    """

    words: list[str]
    tags: list[str]
    deps: list[str]
    heads: list[int]
    starts: list[int]
    ends: list[int]
    chunks: list[NounChunk] = field(default_factory=list)
    chunk_at: list[int] = field(default_factory=list)
    compared: set[int] = field(default_factory=set)
    spent: set[int] = field(default_factory=set)
    capitals: set[int] = field(default_factory=set)
    is_title: bool = False
    text: str = ""

    @classmethod
    def from_doc(cls, doc: Doc, phrases: Phrases) -> "Sentence":
        """Builds it from a Doc and the phrases that `find_phrases` found in it."""
        words, tags, deps, heads, starts, ends = [], [], [], [], [], []
        for token in doc:
            words.append(token.lower_)
            tags.append(token.tag_)
            deps.append(token.dep_)
            heads.append(token.head.i)
            start = token.idx
            starts.append(start)
            ends.append(start + len(token))
        sentence = cls(words, tags, deps, heads, starts, ends, [], [-1] * len(words), text=doc.text)
        if not doc.text.isupper():
            sentence.capitals.update(token.i for token in doc if token.text[:1].isupper())
        sentence.is_title = _is_title(doc)
        sentence._add_chunks(phrases)
        return sentence

    def _add_chunks(self, phrases: Phrases) -> None:
        first_at = {start: token for token, start in enumerate(self.starts)}
        last_at = {end: token for token, end in enumerate(self.ends)}
        spans = [(one.start, one.end, one.head_start, None) for one in phrases.kept]
        spans += [(one.start, one.end, -1, one.reason) for one in phrases.dropped]  # type: ignore[misc]
        spans.sort(key=lambda span: span[:2])
        for start, end, head, drop in spans:
            first, last = first_at.get(start, -1), last_at.get(end, -1)
            if first < 0 or last < first:
                continue
            chunk = NounChunk(first, last, self._head(first, last) if head < 0 else first_at[head], drop)
            for token in range(first, last + 1):
                self.chunk_at[token] = len(self.chunks)
            self.chunks.append(chunk)

    def _head(self, first: int, last: int) -> int:
        return next((token for token in range(last, first - 1, -1) if self.tags[token] in NOUNS), last)

    def characters(self, first: int, last: int) -> tuple[int, int]:
        """Start and end of tokens in the caption, as character offsets, end exclusive."""
        return self.starts[first], self.ends[last]

    def span(self, chunk: int) -> tuple[int, int]:
        """Start and end of a noun chunk, as character offsets, end exclusive."""
        return self.characters(self.chunks[chunk].first, self.chunks[chunk].last)

    def top(self, chunk: int) -> int:
        """The token of a chunk that depends on one outside of it: "couple" of "a couple of dogs"."""
        one = self.chunks[chunk]
        token = one.head
        while one.first <= self.heads[token] <= one.last and self.heads[token] != token:
            token = self.heads[token]
        return token

    def starting_at(self, token: int) -> int:
        """The number of the chunk that starts with a token; -1 if none does."""
        if not 0 <= token < len(self.words):
            return -1
        chunk = self.chunk_at[token]
        return chunk if chunk >= 0 and self.chunks[chunk].first == token else -1

    def is_plural(self, token: int) -> bool:
        """Whether a noun is a plural. Its form decides, because the tags get one noun of fifty wrong in captions. Words
        such as "sheep", which have one form, are what their tag says."""
        word = self.words[token]
        if word in _same_plural():
            return self.tags[token] == "NNS"
        if word in _irregular_plurals():
            return True
        return word.endswith(("s", "men")) and len(word) > 2 and not _ends_singular(word)

    def children(self, token: int, *deps: str) -> Sequence[int]:
        """The tokens that depend on one with one of the given labels, in text order."""
        return [
            child
            for child, head in enumerate(self.heads)
            if head == token and child != token and self.deps[child] in deps
        ]

    def negates(self, token: int) -> bool:
        """Whether a word says that what follows is not so: "not", "no longer". Not the one of "not only"."""
        word, after = self.words[token], self.words[token + 1 : token + 2]
        if word == "longer":
            return self.before(token, 1) == ("no",)
        return word in NEGATIONS and _NOT_ONLY.isdisjoint(after)

    def is_name(self, token: int) -> bool:
        """Whether a token is a name, by its tag and its letters: taggers also take "zebras" for one."""
        return self.tags[token] in ("NNP", "NNPS") and token in self.capitals

    def is_first(self, token: int) -> bool:
        """Whether a token may have a capital letter because it is the first of a sentence, or after punctuation."""
        return token == 0 or not any(map(str.isalnum, self.words[token - 1]))

    def before(self, token: int, number: int) -> tuple[str, ...]:
        """The words before a token, at most `number` of them."""
        return tuple(self.words[max(token - number, 0) : token])


def _is_title(doc: Doc) -> bool:
    """See `Sentence`. A single word with a capital letter may be a name: "Zebras in Africa", but not "Two Dogs"."""
    words = [token for token in doc if token.text.replace("-", "").isalpha()]
    content = [word.tag_[:2] in _CONTENT and word.lower_ not in _BE for word in words]
    following = [word.text for word, is_content in zip(words[1:], content[1:], strict=True) if is_content]
    if doc.text.isupper() or not all(text[0].isupper() for text in following):
        return False
    return len(following) > 1 or (len(following) == 1 and not content[0])


@cache
def _same_plural() -> frozenset[str]:
    return words_of("quantities", "same_plural")


@cache
def _irregular_plurals() -> frozenset[str]:
    return frozenset(read_lists("class_names")["irregular"]) - {"couple", "couples", "dice"}


@lru_cache(10_000)
def _ends_singular(word: str) -> bool:
    """Whether a word in -s is a singular: "glass", "bus", "tennis"."""
    if word.endswith("is"):
        return word not in words_of("quantities", "plurals_in_is")
    return word.endswith(("ss", "us", "'s", "’s")) or word in words_of("quantities", "singulars")
