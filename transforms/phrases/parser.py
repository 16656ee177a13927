"""The spaCy pipeline that parses captions."""

import re
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokenizer import Tokenizer

from transforms import bundled
from transforms.phrases.parsed_caption import BRACKETS

# Noun chunks need only a parser and part-of-speech tags. These components cost time (a lemmatizer: a third of it).
_UNUSED = ("ner", "lemmatizer", "trainable_lemmatizer", "entity_linker", "entity_ruler", "textcat", "senter")

_BRACKETS = f"[{re.escape(''.join(sorted(BRACKETS)))}|「」『』｢｣]"
_QUOTES = r'(?<![\d"])["＂“”„«»‹›]+(?!s\b)'  # 8"x10" has inches, and in dog"s it is a wrong apostrophe
# Characters that nobody sees. Also within words: after the heart of "I❤️NY" is one. The one of "2️⃣", which is no number
# of things, stays.
_INVISIBLE = (
    "(?:[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufe0e]"
    "|\ufe0f(?!\u20e3))"
)
# At the ends of words: quotation marks that spaCy does not know, signs and emoji. The second range has digits in
# circles, which are words.
_SIGNS = (
    f"(?:{_BRACKETS}|{_INVISIBLE}|[~•＂‛‟‹›\u301d-\u301f]|(?!\\w)[\u2190-\u27ff\u2900-\u2bff\U0001f000-\U0001faff])"
)


def load_parser(model: str, split_brackets: bool = False) -> Language:
    """Loads the spaCy pipeline `model` (embedded, package or folder), without components that noun chunks do not need.

    split_brackets: whether a bracket or a quotation mark within a word is a token, and a sign at an end of one: spaCy's
      tokenizers leave "Hooks(045", 'Rock"n', "‹dog" and "🟢Sale" a word.

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
    if infix := _pattern(tokenizer.infix_finditer):
        tokenizer.infix_finditer = re.compile(
            f"{infix}|{_BRACKETS}|{_QUOTES}|{_INVISIBLE}+|(?<={_BRACKETS}){_SIGNS}"
        ).finditer
    if prefix := _pattern(tokenizer.prefix_search):
        tokenizer.prefix_search = re.compile(f"{prefix}|^{_SIGNS}").search
    if suffix := _pattern(tokenizer.suffix_search):
        tokenizer.suffix_search = re.compile(f"{suffix}|{_SIGNS}$").search


def _pattern(method: Any) -> str:
    """The pattern of a method of a regex; empty if it is of something else."""
    return str(getattr(getattr(method, "__self__", None), "pattern", ""))
