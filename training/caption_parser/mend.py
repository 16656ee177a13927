"""Mends what the silver parses of web alt-texts get wrong for sure: a noun phrase that runs across a separator.

"Grizzly Shirt - Black" and "Lemons on a tree Stock Photo" come as one noun phrase each; they are cut where the dash
stands, and before the wording that stock agencies append. A separator that no noun phrase crosses is left alone.
"""

import re
from dataclasses import replace

from spacy.tokens import Doc

from training.caption_parser.silver import Parse
from training.caption_parser.trees import cut

SEPARATORS = frozenset({"-", "--", "---", "–", "—", "|", "||", "~", "•", "·", "»", "/", ":", "(", ")", "[", "]"})

_APPENDED = re.compile(
    r"(?:royalty[ -]free |editorial )?stock (?:photo|image|vector|video|illustration|footage|photograph|photography|"
    r"pictures?|clip ?art)s?(?: image)?\W*$|pictures (?:&|and) photos\W*$|(?:royalty[ -]free )?vector (?:image|art|"
    r"illustration|graphic|clipart)s?\W*$",
    re.IGNORECASE,
)
_BRACKETS = {"-LRB-", "-RRB-"}
_BEFORE_APPENDED = {"NN", "NNS", "NNP", "NNPS", "CD", ".", "-RRB-"}


def mended(parse: Parse, doc: Doc) -> Parse:
    """The parse with its crossing noun phrases cut. `doc`: the same parse with its word classes."""
    marks = [i for chunk in doc.noun_chunks for i in range(chunk.start, chunk.end) if separator_at(parse, i)]
    starts = [i if parse.words[i] in "([" else i + 1 for i in marks]
    appended = _appended(parse)
    if any(chunk.start < appended < chunk.end for chunk in doc.noun_chunks):
        starts.append(appended)
    return cut(_as_punctuation(parse, marks), starts) if starts else parse


def separator_at(parse: Parse, i: int) -> bool:
    """Whether the word stands between two parts of the caption: a dash must have spaces around it."""
    word = parse.words[i]
    if word not in SEPARATORS:
        return False
    before = i == 0 or parse.spaces[i - 1]
    if word in ":)]":
        return parse.spaces[i]
    return word in "|([" or (before and parse.spaces[i])


def _as_punctuation(parse: Parse, marks: list[int]) -> Parse:
    tags = tuple(":" if i in marks and tag not in _BRACKETS else tag for i, tag in enumerate(parse.tags))
    deps = tuple("punct" if i in marks else dep for i, dep in enumerate(parse.deps))
    return replace(parse, tags=tags, deps=deps)


def _appended(parse: Parse) -> int:
    """Index of the word that an agency's wording starts with; 0 if there is none, or if it starts the caption."""
    found = _APPENDED.search(parse.text)
    at = 0
    for i, (word, space) in enumerate(zip(parse.words, parse.spaces, strict=True)):
        if found and at == found.start() and i and parse.tags[i - 1] in _BEFORE_APPENDED:
            return i
        at += len(word) + space
    return 0
