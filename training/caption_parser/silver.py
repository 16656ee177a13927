"""The silver parses and their split into training and validation.

They are a gzipped JSON Lines file with one parsed caption per line: `source`, `text`, `words`, `spaces`, `tags` (Penn),
`deps` (ClearNLP, which spaCy's English noun chunks need), `heads` (the index of each word's head; a root has its own
index) and `sent_starts`.
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
"""Tenths of the texts that are for validation."""


@dataclass(frozen=True)
class Parse:
    """One caption with its words and its tree. All tuples have one entry per word."""

    source: str
    text: str
    words: tuple[str, ...]
    spaces: tuple[bool, ...]
    tags: tuple[str, ...]
    deps: tuple[str, ...]
    heads: tuple[int, ...]
    sent_starts: tuple[bool, ...]


def read_silver(path: Path) -> Iterator[Parse]:
    """Yields the parses of a file, in order.

    Raises:
      OSError: the file does not exist or is not a gzip file.
      ValueError: a line is not a JSON object with these fields, or the file is truncated.
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
    """Returns a hash that is equal for texts that differ only in case, spaces or punctuation."""
    letters = "".join(character for character in text.casefold() if character.isalnum())
    return hashlib.sha256(letters.encode()).hexdigest()


def is_validation(text: str) -> bool:
    """Whether the text is in the validation part. This depends only on the text, so it never changes."""
    return int(text_key(text)[:8], 16) % 10 < VALIDATION_TENTHS


def split(parses: Iterator[Parse], withheld: Collection[str]) -> tuple[list[Parse], list[Parse]]:
    """Returns training and validation parses. Texts whose `text_key` is in `withheld` are in neither."""
    parts: tuple[list[Parse], list[Parse]] = ([], [])
    for parse in parses:
        if text_key(parse.text) not in withheld:
            parts[is_validation(parse.text)].append(parse)
    return parts


def from_doc(doc: Doc, source: str) -> Parse:
    """Returns the parse of a spaCy document."""
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
    """Returns the parse as a spaCy document.

    Raises:
      ValueError: the sentence starts do not fit the tree.
    """
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
            raise ValueError(f"{parse.text!r}: the sentence starts do not fit the tree")
    return doc
