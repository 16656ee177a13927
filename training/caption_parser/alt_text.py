"""Alt-texts made up from parts of parsed captions, with the tree that they have by construction.

Web pages string names, kinds, colours and agency wording together with dashes, bars and colons. Here whole short
captions and single noun phrases are strung together so, and each part stays a sentence of its own.
"""

from collections.abc import Sequence
from random import Random

from spacy.tokens import Doc

from training.caption_parser.silver import Parse
from training.caption_parser.trees import joined, piece, with_mark

MARKS = (
    ("-", True),
    ("-", True),
    ("-", True),
    ("|", True),
    ("|", True),
    ("–", True),
    (":", False),
    ("/", True),
    ("~", True),
)
"""Separators, each with whether a space stands before it; a more frequent one stands more often."""

_APPENDED = (
    "Stock Photo",
    "Stock Photo",
    "Stock Image",
    "Stock Photography",
    "Stock Footage",
    "stock photo",
    "stock vector",
)

_LONGEST = 9
"""Words of the longest caption that becomes a part."""


def parts_of(parse: Parse, doc: Doc) -> list[Parse]:
    """What of a parse can be a part: itself if it is short and one sentence, and its noun phrases of two to six words.

    `doc`: the same parse with its word classes.
    """
    parts = [
        piece(parse, c.start, c.end) for c in doc.noun_chunks if 2 <= len(c) <= 6 and _is_plain(parse, c.start, c.end)
    ]
    if len(parse.words) <= _LONGEST and sum(parse.sent_starts) == 1 and _is_plain(parse, 0, len(parse.words)):
        parts.append(piece(parse, 0, len(parse.words)))
    return parts


def _is_plain(parse: Parse, start: int, end: int) -> bool:
    outer = (parse.words[start], parse.words[end - 1])
    return all(word[0].isalnum() for word in outer) and not any(
        tag in {":", "-LRB-", "-RRB-"} for tag in parse.tags[start:end]
    )


def alt_text(parts: Sequence[Parse], chance: Random) -> Parse:
    """Two or three of the parts with separators between, or one with agency wording after it."""
    if chance.random() < 0.2:
        return joined([chance.choice(parts), _agency(chance)])
    chosen = chance.sample(parts, chance.choice((2, 2, 3)))
    mark, spaced = chance.choice(MARKS)
    marked = [with_mark(part, mark, spaced) for part in chosen[:-1]]
    tail = [with_mark(chosen[-1], mark, spaced), _agency(chance)] if chance.random() < 0.1 else [chosen[-1]]
    return joined([*marked, *tail])


def _agency(chance: Random) -> Parse:
    words = tuple(chance.choice(_APPENDED).split())
    if chance.random() < 0.3:
        words = ("Royalty", "Free", *words)
    last = len(words) - 1
    tags = ("NNP" if words[0][0].isupper() else "NN",) * len(words)
    deps = ("compound",) * last + ("ROOT",)
    spaces = (True,) * last + (False,)
    starts = (True, *(False,) * last)
    return Parse("made", " ".join(words), words, spaces, tags, deps, (last,) * len(words), starts)
