"""Grammatical kinds of phrases: singular or plural; a bare noun chunk, or an expression that contains one."""

from collections.abc import Iterable

from spacy.language import Language
from spacy.tokens import Doc

SINGULAR, PLURAL = "singular", "plural"
CHUNK, EXPRESSION = "noun chunk", "expression"


def grammatical_kinds(nlp: Language, texts: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The number and the form of each distinct text.

    Each text is parsed by itself, because a phrase need not be part of a caption.
    """
    distinct = sorted(set(texts))
    with nlp.memory_zone():
        return dict(zip(distinct, [_kinds(doc) for doc in nlp.pipe(distinct)], strict=True))


def _kinds(doc: Doc) -> tuple[str, str]:
    """The root of the first noun chunk gives the number. A text with words outside that chunk is an expression."""
    chunk = next(doc.noun_chunks, None)
    root = chunk.root if chunk is not None else next((token for token in doc if token.head == token), None)
    plural = root is not None and root.tag_ in ("NNS", "NNPS")
    words = [token for token in doc if not (token.is_punct or token.is_space)]
    bare = len(words) < 2 or (chunk is not None and all(chunk.start <= token.i < chunk.end for token in words))
    return PLURAL if plural else SINGULAR, CHUNK if bare else EXPRESSION
