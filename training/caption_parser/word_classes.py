"""From Penn tags to the few parts of speech that noun chunks and expressions ask for.

spaCy's `noun_chunks` needs to know nouns, proper nouns and pronouns; nothing needs the others, so they stay empty. The
classes are those of the attribute ruler of spaCy's own English pipelines, with far fewer patterns.
"""

from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc

_INDEFINITE = [
    start + end
    for start in ("some", "any", "no", "every")
    for end in ("thing", "one", "body")
    if start + end != "noone"
]

_NOMINAL = ["nsubj", "nsubjpass", "dobj", "pobj", "pcomp", "attr", "dative", "appos", "oprd", "ROOT", "conj"]


def patterns() -> list[dict[str, Any]]:
    """The attribute ruler's patterns, in its own format; a later one wins."""
    return [
        _rule({"TAG": {"IN": ["NN", "NNS"]}}, "NOUN"),
        _rule({"TAG": {"IN": ["NNP", "NNPS"]}}, "PROPN"),
        _rule({"TAG": {"IN": ["PRP", "PRP$", "WP", "WDT", "EX"]}}, "PRON"),
        _rule({"TAG": "DT", "DEP": {"IN": _NOMINAL}}, "PRON"),
        _rule({"TAG": "NN", "LOWER": {"IN": _INDEFINITE}}, "PRON"),
    ]


def _rule(token: dict[str, Any], word_class: str) -> dict[str, Any]:
    return {"patterns": [[token]], "attrs": {"POS": word_class}}


def add_word_classes(nlp: Language) -> None:
    """Puts the attribute ruler with these patterns at the end of the pipeline."""
    nlp.add_pipe("attribute_ruler").add_patterns(patterns())


class WordClassRuler:
    """Sets the word classes of documents that have tags and trees."""

    def __init__(self) -> None:
        nlp = spacy.blank("en")
        add_word_classes(nlp)
        self.vocab = nlp.vocab
        self._pipe = nlp.get_pipe("attribute_ruler")

    def __call__(self, doc: Doc) -> Doc:
        ready: Doc = self._pipe(doc)
        return ready
