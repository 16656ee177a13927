"""The silver parses: a gzipped file of JSON lines, one parsed caption each, and its split into training and validation.

A line has `source`, `text`, `words`, `spaces`, `tags` (Penn), `deps` (ClearNLP, as spaCy's English noun chunks need
them), `heads` (index of each word's head, a root's own index) and `sent_starts`.
"""

import gzip
import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from spacy.tokens import Doc
from spacy.vocab import Vocab

SOURCES = ("coco", "ref", "cc3m", "laion", "ewt")

VALIDATION_TENTHS = 1
"""Of ten texts, how many are for validation."""


@dataclass(frozen=True)
class Parse:
    """One caption with its words and its tree; all tuples have one entry a word."""

    source: str
    text: str
    words: tuple[str, ...]
    spaces: tuple[bool, ...]
    tags: tuple[str, ...]
    deps: tuple[str, ...]
    heads: tuple[int, ...]
    sent_starts: tuple[bool, ...]


def read_silver(path: Path) -> Iterator[Parse]:
    """The parses of a file, in order.

    Raises:
      OSError: there is no such file, or it is no gzip file.
      ValueError: a line is no JSON object with the fields, or the file is cut.
    """
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        number = 0
        try:
            for line in lines:
                number += 1
                row = json.loads(line)
                columns = (tuple(row[name]) for name in ("words", "spaces", "tags", "deps", "heads", "sent_starts"))
                yield Parse(row["source"], row["text"], *columns)
        except (ValueError, KeyError, TypeError, EOFError) as error:
            raise ValueError(f"{path}, line {number}: {type(error).__name__}: {error}") from error


def text_key(text: str) -> str:
    """A hash that two texts share if they differ in case, spaces or punctuation only."""
    letters = "".join(character for character in text.casefold() if character.isalnum())
    return hashlib.sha256(letters.encode()).hexdigest()


def is_validation(text: str) -> bool:
    """Whether the text belongs to the validation part: follows from the text alone, so it never moves."""
    return int(text_key(text)[:8], 16) % 10 < VALIDATION_TENTHS


def split(parses: Iterator[Parse], withheld: Collection[str]) -> tuple[list[Parse], list[Parse]]:
    """Training parses and validation parses; in neither are texts whose `text_key` is in `withheld`."""
    parts: tuple[list[Parse], list[Parse]] = ([], [])
    for parse in parses:
        if text_key(parse.text) not in withheld:
            parts[is_validation(parse.text)].append(parse)
    return parts


def from_doc(doc: Doc, source: str) -> Parse:
    """A document's own parse."""
    return Parse(
        source,
        doc.text,
        tuple(token.text for token in doc),
        tuple(bool(token.whitespace_) for token in doc),
        tuple(token.tag_ for token in doc),
        tuple(token.dep_ for token in doc),
        tuple(token.head.i for token in doc),
        tuple(bool(token.is_sent_start) for token in doc),
    )


def to_doc(vocab: Vocab, parse: Parse) -> Doc:
    """The parse as a spaCy document."""
    doc = Doc(
        vocab,
        words=list(parse.words),
        spaces=list(parse.spaces),
        tags=list(parse.tags),
        deps=list(parse.deps),
        heads=list(parse.heads),
    )
    for token, starts in zip(doc, parse.sent_starts, strict=True):
        if starts != bool(token.is_sent_start):
            raise ValueError(f"a sentence starts where the tree has none: {parse.text!r}")
    return doc
