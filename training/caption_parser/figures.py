"""Scores of a pipeline on the validation parses, per source. The pipeline starts from the raw text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from training.caption_parser.silver import SOURCES, Parse
from training.caption_parser.spans import Spans, compare, expression_spans, noun_chunk_spans, total


@dataclass(frozen=True)
class Figures:
    """Scores, 0..1. UAS and LAS ignore punctuation, as spaCy's scorer does. A span must match exactly."""

    captions: int
    tag_accuracy: float
    uas: float
    las: float
    noun_chunk_f1: float
    expression_f1: float


def figures(nlp: Language, references: Sequence[tuple[Parse, Doc]]) -> dict[str, Figures]:
    """Returns the figures by source. `references`: each parse with its document, whose word classes are set."""
    by_source = {source: [pair for pair in references if pair[0].source == source] for source in SOURCES}
    return {source: _figures(nlp, pairs) for source, pairs in by_source.items() if pairs}


def _figures(nlp: Language, pairs: Sequence[tuple[Parse, Doc]]) -> Figures:
    predicted = list(nlp.pipe(parse.text for parse, _ in pairs))
    expected = [doc for _, doc in pairs]
    scores = _scores(nlp, predicted, expected)
    return Figures(
        len(pairs),
        scores["tag_acc"],
        scores["dep_uas"],
        scores["dep_las"],
        _f1(map(noun_chunk_spans, predicted), map(noun_chunk_spans, expected)),
        _f1(map(expression_spans, predicted), map(expression_spans, expected)),
    )


def _scores(nlp: Language, predicted: Sequence[Doc], expected: Sequence[Doc]) -> dict[str, float]:
    examples = [Example(ours, theirs) for ours, theirs in zip(predicted, expected, strict=True)]
    tags: dict[str, float] = nlp.get_pipe("tagger").score(examples)
    trees: dict[str, float] = nlp.get_pipe("parser").score(examples)
    return tags | trees


def _f1(predicted: Iterable[Spans], expected: Iterable[Spans]) -> float:
    return total(compare(ours, theirs) for ours, theirs in zip(predicted, expected, strict=True)).f1
