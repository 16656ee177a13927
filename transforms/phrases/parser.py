"""The spaCy pipeline that parses captions."""

import spacy
from spacy.language import Language

from transforms import bundled

# What noun chunks need is a parser and part-of-speech tags; these only cost time (a lemmatizer: a third of it).
_UNUSED = ("ner", "lemmatizer", "trainable_lemmatizer", "entity_linker", "entity_ruler", "textcat", "senter")


def load_parser(model: str) -> Language:
    """The spaCy pipeline called `model` (embedded, package or folder), without what noun chunks do not need.

    Raises:
      OSError: no such pipeline is installed.
      ValueError: it has no parser, or its language has no noun chunks.
    """
    nlp = spacy.load(bundled.model_path(model), exclude=list(_UNUSED))
    if "parser" not in nlp.pipe_names:
        raise ValueError(f"phrases.model: {model} has no parser; its components are {', '.join(nlp.pipe_names)}")
    if nlp.Defaults.syntax_iterators.get("noun_chunks") is None:
        raise ValueError(f"phrases.model: spaCy has no noun chunks for the language of {model} ({nlp.lang})")
    return nlp
