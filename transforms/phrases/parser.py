"""The spaCy pipeline that parses captions."""

import re
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokenizer import Tokenizer

from transforms import bundled

# Noun chunks need only a parser and part-of-speech tags. These components cost time (a lemmatizer: a third of it).
_UNUSED = ("ner", "lemmatizer", "trainable_lemmatizer", "entity_linker", "entity_ruler", "textcat", "senter")

_BRACKETS = r"[()\[\]{}<>|（）［］｛｝【】〔〕〈〉《》「」『』]"
_QUOTES = r'(?<![\d"])["＂“”„«»‹›]+(?!s\b)'  # 8"x10" has inches, and in dog"s it is a wrong apostrophe


def load_parser(model: str, split_brackets: bool = False) -> Language:
    """Loads the spaCy pipeline `model` (embedded, package or folder), without components that noun chunks do not need.

    split_brackets: whether a bracket or a quotation mark within a word is a token: spaCy's tokenizers leave "Hooks(045"
      and 'Rock"n' a word.

    Raises:
      OSError: the pipeline is not installed.
      ValueError: the pipeline has no parser, or spaCy has no noun chunks for its language.
    """
    nlp = spacy.load(bundled.model_path(model), exclude=list(_UNUSED))
    if "parser" not in nlp.pipe_names:
        raise ValueError(f"phrases.model: {model} has no parser; its components are {', '.join(nlp.pipe_names)}")
    if nlp.Defaults.syntax_iterators.get("noun_chunks") is None:
        raise ValueError(f"phrases.model: spaCy has no noun chunks for the language of {model} ({nlp.lang})")
    if split_brackets:
        _split_at_brackets(nlp)
    return nlp


def _split_at_brackets(nlp: Language) -> None:
    tokenizer: Any = nlp.tokenizer
    if not isinstance(tokenizer, Tokenizer):  # of another language or package
        return
    # Otherwise the last word of "(a shirt in size 8)" is a smiley.
    tokenizer.rules = {word: parts for word, parts in (tokenizer.rules or {}).items() if not re.search(_BRACKETS, word)}
    pattern = getattr(getattr(tokenizer.infix_finditer, "__self__", None), "pattern", "")  # a method of a regex
    if pattern:
        tokenizer.infix_finditer = re.compile(f"{pattern}|{_BRACKETS}|{_QUOTES}").finditer
