"""Noun phrases and referring expressions of a caption, as Kosmos-2 builds them.

The construction follows section 2 of the Kosmos-2 paper (arXiv 2306.14824): take spaCy's noun chunks; drop those that
name nothing one can draw a box around; expand each of the others along the dependency tree, unless its head has a
conjunct. Every span is a character range of the original caption, end exclusive.

gritmill adds: noun phrases and expressions do not cross a separator (see `parsed_caption`); borders are corrected (see
`chunks`, `whole_words`); "a group of people" is one phrase with the head "people" (see `measures`).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from spacy.symbols import PRON
from spacy.tokens import Doc

from transforms.phrases.chunks import noun_chunks
from transforms.phrases.drops import DropRules, without_stock_words
from transforms.phrases.parsed_caption import BROKEN_ENDS, NOUN_TAGS, ParsedCaption
from transforms.phrases.whole_words import join_hyphenated
from transforms.records import Drop, Dropped, Phrase


@dataclass(frozen=True)
class Phrases:
    """The noun chunks of one caption: the kept ones in text order, and the dropped ones with their reasons."""

    kept: tuple[Phrase, ...] = ()
    dropped: tuple[Dropped, ...] = ()


@dataclass(frozen=True)
class PhraseRules:
    """What to do with noun chunks: a part of `PhraseSettings`. drops: which are dropped. measures: the result of
    `measure_words`. corrected: whether borders are corrected."""

    drops: DropRules
    measures: Collection[str] = ()
    corrected: bool = False


@dataclass(frozen=True)
class _Part:
    """A noun phrase, as token numbers. head: of the phrase; None if it has no noun. top: what its expression expands,
    the head of the whole. empty: the tokens if nothing remains of them."""

    tokens: range
    head: int | None
    top: int | None
    empty: range = range(0)


def find_phrases(doc: Doc, rules: PhraseRules) -> Phrases:
    """The noun phrases of a parsed caption, with their expressions. May join tokens of `doc`, see `whole_words`."""
    kept, dropped = [], []
    caption = ParsedCaption.from_doc(join_hyphenated(doc) if rules.corrected else doc, rules.corrected)
    for part in _with_measures(caption, list(_parts(doc, caption)), rules.measures):
        reason = _drop_reason(caption, part, rules.drops)
        if reason:
            dropped.append(Dropped(*caption.characters(part.tokens or part.empty), reason))
        elif part.head is not None:
            kept.append(_phrase(caption, part))
    return Phrases(tuple(kept), tuple(dropped))


def _parts(doc: Doc, caption: ParsedCaption) -> Iterator[_Part]:
    for chunk, root in noun_chunks(doc, caption):
        caption.keep_brackets(chunk, root)
        for part in caption.between_separators(chunk):
            if caption.corrected and all(caption.tokens[token].is_space for token in part):
                continue
            trimmed = caption.trimmed(part)
            trimmed = without_stock_words(caption, trimmed) if caption.corrected else trimmed
            for tokens in caption.split_at_half_quotes(trimmed):
                head = _head(caption, tokens, root)
                yield _Part(tokens, head, head, part)


def _with_measures(caption: ParsedCaption, parts: Sequence[_Part], measures: Collection[str]) -> list[_Part]:
    """Joins "a group" and "people" of "a group of people" to one phrase with the head "people"."""
    joined: list[_Part] = []
    for part in reversed(parts):  # "a couple of slices of pizza"
        if joined and _is_measure(caption, part, joined[-1], measures):
            thing = joined.pop()
            part = replace(thing, tokens=range(part.tokens[0], thing.tokens[-1] + 1), top=part.top)
        joined.append(part)
    return joined[::-1]


def _is_measure(caption: ParsedCaption, part: _Part, thing: _Part, measures: Collection[str]) -> bool:
    if part.head is None or thing.head is None or part.head != part.tokens[-1]:
        return False
    before = part.head - 1
    between = [caption.tokens[token].lower_ for token in range(part.head + 1, thing.tokens[0])]
    is_of = [word for word in between if word.strip()] == ["of"]
    # A "parking lot of cars" is a thing.
    compound = before in part.tokens and caption.tokens[before].pos in NOUN_TAGS
    return is_of and not compound and caption.tokens[part.head].lower_ in measures


def _head(caption: ParsedCaption, tokens: range, root: int) -> int | None:
    """The head of a part of a noun chunk: the chunk's root if the part contains it, else the part's last noun that does
    not depend on another token of the part, else its last noun. None if the part has no noun. A sign is no head, and no
    noun, whatever the parser takes it for, if borders are corrected."""
    words = [token for token in tokens if not caption.corrected or caption.is_word(token)]
    if root in words:
        return root
    nouns = [token for token in words if caption.tokens[token].pos in NOUN_TAGS]
    outermost = [token for token in nouns if caption.heads[token] not in tokens or caption.heads[token] == token]
    return next(reversed(outermost or nouns), None)


def _phrase(caption: ParsedCaption, part: _Part) -> Phrase:
    assert part.head is not None
    assert part.top is not None
    coordinated = not caption.conjuncts.isdisjoint((part.head, part.top))
    expression = part.tokens if coordinated else _expression(caption, part.tokens, part.top)
    return Phrase(
        *caption.characters(part.tokens),
        *caption.characters(range(part.head, part.head + 1)),
        *caption.characters(expression),
    )


def _expression(caption: ParsedCaption, tokens: range, head: int) -> range:
    """The phrase expanded to its head's subtree, up to the next separators. Unchanged if the subtree has a gap."""
    subtree = caption.subtree(head)
    if subtree is None:
        return tokens
    if caption.corrected and tokens.start < subtree.start < tokens.stop:  # "at" of "at most two dogs" is not in it
        subtree = range(tokens.start, subtree.stop)
    around = next((run for run in caption.between_separators(subtree) if tokens[0] in run), range(0))
    while True:
        parts = caption.split_at_half_quotes(caption.trimmed(around, BROKEN_ENDS), BROKEN_ENDS)
        widened = next((part for part in parts if tokens[0] in part and tokens[-1] in part), tokens)
        if not caption.corrected or widened[-1] in tokens or not caption.lacks_object(widened[-1], head):
            return widened
        around = range(widened[0], widened[-1])


def _drop_reason(caption: ParsedCaption, part: _Part, drops: DropRules) -> Drop | None:
    if not part.tokens:
        return Drop.NO_NOUN if any(caption.tokens[token].is_alpha for token in part.empty) else Drop.NO_TOKEN
    if part.head is None or (len(part.tokens) == 1 and caption.is_ending(part.tokens[0])):
        return Drop.NO_NOUN
    if caption.tokens[part.head].pos == PRON:
        return Drop.PRONOUN
    return drops.reason(caption, part.tokens, part.head)
