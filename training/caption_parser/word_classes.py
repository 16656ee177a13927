"""Maps Penn tags to the few parts of speech that noun chunks and expressions need.

spaCy's `noun_chunks` needs nouns, proper nouns and pronouns. Nothing needs the other classes, so they stay empty. The
classes agree with the attribute ruler of spaCy's English pipelines, which has many more patterns.
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
    """Returns the patterns in the attribute ruler's format. A later pattern overrides an earlier one."""
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
    """Appends an attribute ruler with these patterns to the pipeline."""
    nlp.add_pipe("attribute_ruler").add_patterns(patterns())


class WordClassRuler:
    """Sets the word classes of documents that already have tags and trees."""

    def __init__(self) -> None:
        nlp = spacy.blank("en")
        add_word_classes(nlp)
        self.vocab = nlp.vocab
        self._pipe = nlp.get_pipe("attribute_ruler")

    def __call__(self, doc: Doc) -> Doc:
        ready: Doc = self._pipe(doc)
        return ready
