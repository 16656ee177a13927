"""Character spans that two parsers can be compared by, whatever words they cut a caption into."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from spacy.tokens import Doc

from transforms.phrases.drop_lists import drop_heads
from transforms.phrases.noun_phrases import find_phrases
from transforms.records import Drop
from transforms.settings import PhraseSettings

Spans = frozenset[tuple[int, int]]


@dataclass(frozen=True)
class Counts:
    """Right spans, predicted spans, expected spans; counts of several captions add up."""

    right: int = 0
    predicted: int = 0
    expected: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.right + other.right, self.predicted + other.predicted, self.expected + other.expected)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0..1; 1 where nothing was expected and nothing predicted."""
        return 2 * self.right / (self.predicted + self.expected) if self.predicted + self.expected else 1.0


def compare(predicted: Spans, expected: Spans) -> Counts:
    """Counts of one caption: a span is right only if both its ends are."""
    return Counts(len(predicted & expected), len(predicted), len(expected))


def total(counts: Iterable[Counts]) -> Counts:
    """The sum of the counts."""
    return sum(counts, Counts())


def noun_chunk_spans(doc: Doc) -> Spans:
    """Every noun chunk as spaCy gives it, pronouns included."""
    return frozenset((chunk.start_char, chunk.end_char) for chunk in doc.noun_chunks)


def bare_spans(doc: Doc) -> Spans:
    """Every noun chunk as spaCy gives it, without symbols at its ends."""
    solid = [[token for token in chunk if any(map(str.isalnum, token.text))] for chunk in doc.noun_chunks]
    return frozenset((some[0].idx, some[-1].idx + len(some[-1])) for some in solid if some)


def phrase_spans(doc: Doc) -> Spans:
    """Every noun chunk as gritmill cuts it, without symbols at its ends; none is dropped for what it says."""
    phrases = find_phrases(doc, {})
    pronouns = {(drop.start, drop.end) for drop in phrases.dropped if drop.reason == Drop.PRONOUN}
    return frozenset({(phrase.start, phrase.end) for phrase in phrases.kept} | pronouns)


def expression_spans(doc: Doc) -> Spans:
    """The expression of every noun chunk that gritmill keeps with the settings as they come."""
    return frozenset((phrase.expression_start, phrase.expression_end) for phrase in find_phrases(doc, _heads()).kept)


@cache
def _heads() -> dict[str, Drop]:
    return drop_heads(PhraseSettings().drop_lists)
