"""Noun phrases and referring expressions of a caption, as Kosmos-2 builds them.

The construction follows section 2 of the Kosmos-2 paper (arXiv 2306.14824): take spaCy's noun chunks; drop those that
name nothing one can draw a box around; expand each of the others along the dependency tree, unless its head has a
conjunct. Every span is a character range of the original caption, end exclusive.

gritmill adds one rule: noun phrases and expressions do not cross a separator (see `parsed_caption`).
"""

from dataclasses import dataclass

from spacy.symbols import PRON
from spacy.tokens import Doc

from transforms.phrases.parsed_caption import NOUN_TAGS, ParsedCaption
from transforms.records import Drop, Dropped, Phrase


@dataclass(frozen=True)
class Phrases:
    """The noun chunks of one caption: the kept ones in text order, and the dropped ones with their reasons."""

    kept: tuple[Phrase, ...] = ()
    dropped: tuple[Dropped, ...] = ()


def find_phrases(doc: Doc, dropped_heads: dict[str, Drop]) -> Phrases:
    """The noun phrases of a parsed caption, with their expressions. dropped_heads: the result of `drop_heads`."""
    kept, dropped = [], []
    caption = ParsedCaption.from_doc(doc)
    for chunk in doc.noun_chunks:
        root = chunk.root.i
        for part in caption.between_separators(range(chunk.start, chunk.end)):
            tokens = caption.trimmed(part)
            head = _head(caption, tokens, root)
            reason = _drop_reason(caption, tokens, head, dropped_heads)
            if reason:
                dropped.append(Dropped(*caption.characters(tokens or part), reason))
            elif head is not None:
                kept.append(_phrase(caption, tokens, head))
    return Phrases(tuple(kept), tuple(dropped))


def _head(caption: ParsedCaption, tokens: range, root: int) -> int | None:
    """The head of a part of a noun chunk: the chunk's root if the part contains it, else the part's last noun that does
    not depend on another token of the part, else its last noun. None if the part has no noun."""
    if root in tokens:
        return root
    nouns = [token for token in tokens if caption.tokens[token].pos in NOUN_TAGS]
    outermost = [token for token in nouns if caption.heads[token] not in tokens or caption.heads[token] == token]
    return next(reversed(outermost or nouns), None)


def _phrase(caption: ParsedCaption, tokens: range, head: int) -> Phrase:
    expression = tokens if head in caption.conjuncts else _expression(caption, tokens, head)
    return Phrase(
        *caption.characters(tokens), *caption.characters(range(head, head + 1)), *caption.characters(expression)
    )


def _expression(caption: ParsedCaption, tokens: range, head: int) -> range:
    """The phrase expanded to its head's subtree, up to the next separators. Unchanged if the subtree has a gap."""
    subtree = caption.subtree(head)
    if subtree is None:
        return tokens
    around = next((run for run in caption.between_separators(subtree) if tokens[0] in run), range(0))
    widened = caption.trimmed(around)
    return widened if tokens[0] in widened and tokens[-1] in widened else tokens


def _drop_reason(
    caption: ParsedCaption, tokens: range, head: int | None, dropped_heads: dict[str, Drop]
) -> Drop | None:
    if not tokens:
        return Drop.NO_TOKEN
    if head is None:
        return Drop.NO_NOUN
    return Drop.PRONOUN if caption.tokens[head].pos == PRON else dropped_heads.get(caption.tokens[head].lower_)
