"""Grammatical kinds of phrases: of one thing or of several, a bare noun chunk or an expression around one."""

from collections.abc import Iterable

from spacy.language import Language
from spacy.tokens import Doc

SINGULAR, PLURAL = "singular", "plural"
CHUNK, EXPRESSION = "noun chunk", "expression"


def grammatical_kinds(nlp: Language, texts: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Number and form of every distinct text, each parsed by itself: a phrase need not stand in any caption."""
    distinct = sorted(set(texts))
    with nlp.memory_zone():
        return dict(zip(distinct, [_kinds(doc) for doc in nlp.pipe(distinct)], strict=True))


def _kinds(doc: Doc) -> tuple[str, str]:
    """The root of the first noun chunk is what the phrase is about; beyond that chunk it is an expression."""
    chunk = next(doc.noun_chunks, None)
    root = chunk.root if chunk is not None else next((token for token in doc if token.head == token), None)
    plural = root is not None and root.tag_ in ("NNS", "NNPS")
    words = [token for token in doc if not (token.is_punct or token.is_space)]
    bare = len(words) < 2 or (chunk is not None and all(chunk.start <= token.i < chunk.end for token in words))
    return PLURAL if plural else SINGULAR, CHUNK if bare else EXPRESSION
