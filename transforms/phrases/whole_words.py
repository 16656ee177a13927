"""Makes one token of each word with hyphens: "state-of-the-art", "T-shirt", "close-up".

spaCy's tokenizer splits them, and its parsers are trained on the parts. So they are joined after the parse: the joined
token has the tag and the place in the tree of the part that the other parts depend on.
"""

from spacy.tokens import Doc

_HYPHENS = frozenset("-\u2010\u2011")


def join_hyphenated(doc: Doc) -> Doc:
    """Joins the parts of words with hyphens, in place, and returns the document."""
    if _HYPHENS.isdisjoint(doc.text):
        return doc
    words: list[tuple[int, int]] = []
    tokens = list(doc)
    for before, hyphen, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        joins = hyphen.text in _HYPHENS and not before.whitespace_ and not hyphen.whitespace_
        if joins and before.text[-1].isalnum() and after.text[0].isalnum():
            start = words.pop()[0] if words and words[-1][1] == hyphen.i else before.i
            words.append((start, after.i + 1))
    with doc.retokenize() as retokenizer:
        for start, end in words:
            retokenizer.merge(doc[start:end])
    return doc
