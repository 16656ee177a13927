"""Character spans for comparing two parsers, which may tokenize a caption differently."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from spacy.tokens import Doc

from transforms.phrases.drops import DropRules
from transforms.phrases.noun_phrases import PhraseRules, find_phrases
from transforms.phrases.rules import phrase_rules
from transforms.records import Drop
from transforms.settings import PhraseSettings

Spans = frozenset[tuple[int, int]]


@dataclass(frozen=True)
class Counts:
    """Numbers of right, predicted and expected spans. The counts of several captions can be added."""

    right: int = 0
    predicted: int = 0
    expected: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.right + other.right, self.predicted + other.predicted, self.expected + other.expected)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0..1. It is 1 if nothing was expected and nothing was predicted."""
        return 2 * self.right / (self.predicted + self.expected) if self.predicted + self.expected else 1.0


def compare(predicted: Spans, expected: Spans) -> Counts:
    """Returns the counts of one caption. A span is right only if both its ends match."""
    return Counts(len(predicted & expected), len(predicted), len(expected))


def total(counts: Iterable[Counts]) -> Counts:
    """Returns the sum of the counts."""
    return sum(counts, Counts())


def noun_chunk_spans(doc: Doc) -> Spans:
    """Returns every noun chunk of spaCy, including pronouns."""
    return frozenset((chunk.start_char, chunk.end_char) for chunk in doc.noun_chunks)


def bare_spans(doc: Doc) -> Spans:
    """Returns every noun chunk of spaCy, without symbols at its ends."""
    solid = [[token for token in chunk if any(map(str.isalnum, token.text))] for chunk in doc.noun_chunks]
    return frozenset((some[0].idx, some[-1].idx + len(some[-1])) for some in solid if some)


def phrase_spans(doc: Doc) -> Spans:
    """Returns every noun chunk as gritmill cuts it, without symbols at its ends. Drop lists are not applied."""
    phrases = find_phrases(doc, PhraseRules(DropRules({}, {}), corrected=True))
    pronouns = {(drop.start, drop.end) for drop in phrases.dropped if drop.reason == Drop.PRONOUN}
    return frozenset({(phrase.start, phrase.end) for phrase in phrases.kept} | pronouns)


def expression_spans(doc: Doc) -> Spans:
    """Returns the expression of every noun chunk that gritmill keeps with the default settings."""
    return frozenset((phrase.expression_start, phrase.expression_end) for phrase in find_phrases(doc, _rules()).kept)


@cache
def _rules() -> PhraseRules:
    return phrase_rules(PhraseSettings())
