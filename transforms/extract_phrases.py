"""ExtractPhrases: noun phrases and referring expressions of a caption, as Kosmos-2 builds them.

The construction is that of section 2 of the Kosmos-2 paper (arXiv 2306.14824): spaCy noun chunks; drop those that name
nothing to draw a box around; expand each of the others along the dependency tree, unless its head has a conjunct. Every
span is a character range of the original caption, end exclusive.

One rule is ours: neither a noun phrase nor an expression runs across a separator. Parsers trained on sentences take
"Grizzly Shirt - Black" for one noun phrase; web alt-texts are full of such lists.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import apache_beam as beam
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Token

from transforms import bundled
from transforms.blame import run_or_blame
from transforms.drop_lists import drop_heads
from transforms.language import LanguageGate
from transforms.records import Chunk, Drop, Dropped, Fault, Pair, Phrase, Stage
from transforms.settings import PhraseSettings

# What noun chunks need is a parser and part-of-speech tags; these only cost time (a lemmatizer: a third of it).
_UNUSED = ("ner", "lemmatizer", "trainable_lemmatizer", "entity_linker", "entity_ruler", "textcat", "senter")


_SIGNS = frozenset("-–—|~•·»/:()[]")
_NAMING = ("NOUN", "PROPN", "PRON")


@dataclass(frozen=True)
class Phrases:
    """What one caption holds: kept noun chunks in text order, and dropped ones with their reasons."""

    kept: tuple[Phrase, ...] = ()
    dropped: tuple[Dropped, ...] = ()


def load_parser(model: str) -> Language:
    """The spaCy pipeline called `model` (embedded, package or folder), without what noun chunks do not need.

    Raises:
      OSError: no such pipeline is installed.
      ValueError: it has no parser, or its language has no noun chunks.
    """
    nlp = spacy.load(bundled.model(model), exclude=list(_UNUSED))
    if "parser" not in nlp.pipe_names:
        raise ValueError(f"phrases.model: {model} has no parser; its components are {', '.join(nlp.pipe_names)}")
    if nlp.Defaults.syntax_iterators.get("noun_chunks") is None:
        raise ValueError(f"phrases.model: spaCy has no noun chunks for the language of {model} ({nlp.lang})")
    return nlp


def phrases_of(doc: Doc, heads: dict[str, Drop]) -> Phrases:
    """The noun phrases of a parsed caption, with their expressions. `heads`: what `drop_heads` gives."""
    kept, dropped = [], []
    for chunk in doc.noun_chunks:
        for part in _between_separators(list(chunk)):
            tokens = _trimmed(part)
            head = _head(tokens, chunk.root)
            reason = _drop_reason(tokens, head, heads)
            if reason:
                dropped.append(Dropped(*_characters(tokens or part), reason))
            elif head:
                kept.append(_phrase(tokens, head))
    return Phrases(tuple(kept), tuple(dropped))


def _between_separators(tokens: list[Token]) -> Iterator[list[Token]]:
    """The runs of tokens that no separator interrupts; all tokens together if there is nothing but separators."""
    runs = [list(run) for apart, run in groupby(tokens, _separates) if not apart]
    yield from runs or [tokens]


def _separates(token: Token) -> bool:
    """Whether it stands between two parts of the caption: bars and brackets as words of their own, a colon unless the
    next word clings to it, dashes and slashes with blanks on both sides."""
    if not _SIGNS.issuperset(token.text):
        return False
    last = token.i + 1 == len(token.doc)
    blank_after = last or bool(token.whitespace_) or token.nbor().is_space
    if token.text[-1] in ":)]":
        return blank_after or not token.nbor().text[0].isalnum()
    blank_before = token.i == 0 or bool(token.nbor(-1).whitespace_) or token.nbor(-1).is_space
    return token.text[0] in "|([" or (blank_before and blank_after)


def _head(tokens: Sequence[Token], root: Token) -> Token | None:
    """What a part of a noun chunk is about: the chunk's root if it is there, else the last noun that depends on nothing
    in the part; none if there is no noun."""
    if root in tokens:
        return root
    nouns = [token for token in tokens if token.pos_ in _NAMING]
    outermost = [token for token in nouns if token.head not in tokens or token.head == token]
    return next(reversed(outermost or nouns), None)


def _phrase(tokens: Sequence[Token], head: Token) -> Phrase:
    expression = tokens if head.conjuncts else _expression(tokens, head)
    return Phrase(*_characters(tokens), head.idx, head.idx + len(head), *_characters(expression))


def _expression(tokens: Sequence[Token], head: Token) -> Sequence[Token]:
    """The phrase widened to its head's subtree, up to the next separators; as it is where the subtree has a gap."""
    subtree = list(head.subtree)
    if len(subtree) != subtree[-1].i - subtree[0].i + 1:
        return tokens
    around = next((run for run in _between_separators(subtree) if tokens[0] in run), [])
    widened = _trimmed(around)
    inside = widened and widened[0].i <= tokens[0].i and tokens[-1].i <= widened[-1].i
    return widened if inside else tokens


def _trimmed(tokens: list[Token]) -> list[Token]:
    """Without blanks, punctuation and symbols at either end."""
    solid = [i for i, token in enumerate(tokens) if any(character.isalnum() for character in token.text)]
    return tokens[solid[0] : solid[-1] + 1] if solid else []


def _characters(tokens: Sequence[Token]) -> tuple[int, int]:
    return tokens[0].idx, tokens[-1].idx + len(tokens[-1])


def _drop_reason(tokens: Sequence[Token], head: Token | None, heads: dict[str, Drop]) -> Drop | None:
    if not tokens:
        return Drop.NO_TOKEN
    if not head:
        return Drop.NO_NOUN
    return Drop.PRONOUN if head.pos_ == "PRON" else heads.get(head.lower_)


def extract(nlp: Language, captions: Sequence[str], heads: dict[str, Drop]) -> list[Phrases | Fault]:
    """Phrases of each caption, in order; a `Fault` for a caption that the parser cannot take."""

    def parsed(some: Sequence[str]) -> list[Phrases]:
        return [phrases_of(doc, heads) for doc in nlp.pipe(some)]

    # Without a memory zone spaCy's string store keeps every word that it ever saw (spaCy pull request 13621).
    with nlp.memory_zone():
        return run_or_blame(captions, parsed, lambda: parsed(["a dog"]), Stage.PHRASES)


def with_phrases(
    nlp: Language, pairs: Sequence[Pair], heads: dict[str, Drop], gate: LanguageGate | None = None
) -> tuple[Pair, ...]:
    """The pairs with their phrases; pairs that have failed before, or have no caption, stay as they are.

    gate: a caption that it holds back is dropped whole.
    """
    done = [_dropped_whole(pair) if gate and gate.holds_back(pair.caption) else pair for pair in pairs]
    waiting = [i for i, pair in enumerate(done) if not (pair.error or pair.dropped) and pair.caption.strip()]
    for i, found in zip(waiting, extract(nlp, [pairs[i].caption for i in waiting], heads), strict=True):
        if isinstance(found, Fault):
            done[i] = pairs[i].failed(found)
        else:
            done[i] = replace(pairs[i], phrases=found.kept, dropped=found.dropped)
    return tuple(done)


def _dropped_whole(pair: Pair) -> Pair:
    return replace(pair, dropped=(Dropped(0, len(pair.caption), Drop.LANGUAGE),))


class _ExtractPhrasesDoFn(beam.DoFn):
    def __init__(self, settings: PhraseSettings) -> None:
        self.settings = settings

    def setup(self) -> None:
        self._nlp: Language | None = None
        self._heads = drop_heads(self.settings.drop_lists)

    def process(self, chunk: Chunk) -> Iterator[Chunk]:
        started = time.perf_counter()
        if chunk.pairs:
            if self._nlp is None:
                self._nlp = load_parser(self.settings.model)
                self._gate = LanguageGate(self.settings.languages) if self.settings.languages else None
            chunk = replace(chunk, pairs=with_phrases(self._nlp, chunk.pairs, self._heads, self._gate))
        yield replace(chunk, seconds=chunk.timed("phrases", time.perf_counter() - started))


@dataclass
class ExtractPhrases(beam.PTransform):
    """Chunks of pairs -> the same chunks, each pair with its phrases and its dropped noun chunks."""

    settings: PhraseSettings

    def expand(self, chunks: beam.PCollection) -> beam.PCollection:
        return chunks | beam.ParDo(_ExtractPhrasesDoFn(self.settings))
