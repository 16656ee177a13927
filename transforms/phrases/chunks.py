"""spaCy's noun chunks with corrected borders.

The borders depend on the tree, and a parser makes two mistakes again and again in captions: it takes the last noun of
a compound for a verb ("A red stop" / "sign"), and it takes the first of two coordinated nouns for a modifier of the
second one ("a red tank top and blue jeans"). The words tell: a known name, a colour or a number.
"""

from collections.abc import Iterator

from spacy.symbols import NOUN, PROPN
from spacy.tokens import Doc

from transforms.phrases.class_names import compounds
from transforms.phrases.parsed_caption import ParsedCaption

_AND = frozenset(("and", "or", "&"))
_OPENS_PHRASE = frozenset(("DT", "CD", "PRP$", "DET", "NUM"))
"""Tags, or word classes where there are no tags, of words that begin a noun phrase."""

_COLOURS = frozenset(
    (
        *("beige", "black", "blue", "brass", "bronze", "brown", "burgundy", "chrome", "copper", "cream", "gold"),
        *("gray", "green", "grey", "ivory", "khaki", "lavender", "maroon", "navy", "olive", "orange", "peach", "pink"),
        *("plaid", "purple", "red", "salmon", "silver", "tan", "teal", "turquoise", "violet", "white", "yellow"),
    )
)
"""They are often tagged as nouns: in "a silver and white dress", the coordinated words are modifiers. After a noun that
is no colour, they begin another phrase."""


def noun_chunks(doc: Doc, caption: ParsedCaption) -> Iterator[tuple[range, int]]:
    """The tokens of each noun chunk and its root, in text order. The borders are corrected if the caption's are."""
    chunks = [(range(chunk.start, chunk.end), chunk.root.i) for chunk in doc.noun_chunks]
    if not caption.corrected:
        yield from chunks
        return
    taken = {token for tokens, _ in chunks for token in tokens}
    for tokens, root in chunks:
        tokens, root = _with_rest_of_compound(caption, tokens, root, taken)
        yield from _coordinated(caption, tokens, root)


def _with_rest_of_compound(caption: ParsedCaption, tokens: range, root: int, taken: set[int]) -> tuple[range, int]:
    """Adds a noun right after the chunk that its root depends on, if the two are a known name: "stop sign". Otherwise
    it may be a verb that is tagged as a noun: "two dogs sleep"."""
    following = tokens[-1] + 1
    if root != tokens[-1] or following in taken or following == len(caption.tokens):
        return tokens, root
    noun, before = caption.tokens[following], caption.tokens[root]
    is_rest = caption.heads[root] == following and f"{before.lower_} {noun.lower_}" in compounds()
    return (range(tokens[0], following + 1), following) if is_rest else (tokens, root)


def _coordinated(caption: ParsedCaption, tokens: range, root: int) -> Iterator[tuple[range, int]]:
    """Splits a chunk at "and" between a noun and a word that begins another noun phrase. Neither part is expanded."""
    for middle in tokens[1:-1]:
        if caption.tokens[middle].lower_ not in _AND:
            continue
        left, right = caption.tokens[middle - 1], caption.tokens[middle + 1]
        opens = (right.tag_ or right.pos_) in _OPENS_PHRASE or right.lower_ in _COLOURS
        if left.pos in (NOUN, PROPN) and left.lower_ not in _COLOURS and opens and root > middle:
            caption.conjuncts.update((left.i, root))
            yield range(tokens[0], middle), left.i
            yield from _coordinated(caption, range(middle + 1, tokens[-1] + 1), root)
            return
    yield tokens, root
