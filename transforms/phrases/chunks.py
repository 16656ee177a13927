"""spaCy's noun chunks with corrected borders.

The borders depend on the tree, and a parser makes two mistakes again and again in captions: it takes the last noun of
a compound for a verb ("A red stop" / "sign"), and it takes the first of two coordinated nouns for a modifier of the
second one ("a red tank top and blue jeans"). The words tell: a known name, a colour or a number.

It takes the "at" of "at most two dogs" for a preposition. The one of "at least two dogs" is in the chunk, as in the
treebanks, so both are here.
"""

from collections.abc import Iterator

from spacy.symbols import NOUN, PROPN
from spacy.tokens import Doc, Token

from transforms.phrases.class_names import compounds
from transforms.phrases.parsed_caption import BOUNDS, ParsedCaption

_AND = frozenset(("and", "or", "&"))
_OPENS_PHRASE = frozenset(("DT", "CD", "PRP$", "DET", "NUM"))
"""Tags, or word classes where there are no tags, of words that begin a noun phrase."""

_NUMBERS = frozenset(("CD", "NUM"))

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
    chunks = _with_hyphenated(caption, chunks)
    taken = {token for tokens, _ in chunks for token in tokens}
    for tokens, root in chunks:
        tokens = _with_bound(caption, tokens, taken) if caption.may_have_bound else tokens
        tokens, root = _with_rest_of_compound(caption, tokens, root, taken)
        yield from _coordinated(caption, tokens, root)


def _with_hyphenated(caption: ParsedCaption, chunks: list[tuple[range, int]]) -> list[tuple[range, int]]:
    """Joins a chunk that is only a word with hyphens, or ends with it, and the chunk right after it that depends on it:
    "Carry-all" and "Pouch". The parser has seen the parts of the word, see `whole_words`."""
    joined: list[tuple[range, int]] = []
    for tokens, root in chunks:
        before, head = joined[-1] if joined else (range(0), -1)
        follows = bool(before) and before.stop == tokens.start and caption.heads[root] == head == before[-1]
        first = caption.tokens[tokens[0]]
        if follows and "-" in caption.tokens[head].text[1:-1] and first.text[0].isalnum() and not _opens(first):
            tokens = range(joined.pop()[0].start, tokens.stop)
        joined.append((tokens, root))
    return joined


def _with_rest_of_compound(caption: ParsedCaption, tokens: range, root: int, taken: set[int]) -> tuple[range, int]:
    """Adds a noun right after the chunk that its root depends on, if the two are a known name: "stop sign". Otherwise
    it may be a verb that is tagged as a noun: "two dogs sleep"."""
    following = tokens[-1] + 1
    if root != tokens[-1] or following in taken or following == len(caption.tokens):
        return tokens, root
    noun, before = caption.tokens[following], caption.tokens[root]
    is_rest = caption.heads[root] == following and f"{before.lower_} {noun.lower_}" in compounds()
    return (range(tokens[0], following + 1), following) if is_rest else (tokens, root)


def _with_bound(caption: ParsedCaption, tokens: range, taken: set[int]) -> range:
    """Adds what is missing of "at most", "at the very least" before the number that a chunk begins with."""
    bound = tokens[0]
    while bound < tokens[-1] and caption.tokens[bound].lower_ in ("the", "very"):
        bound += 1
    if caption.tokens[bound].lower_ not in BOUNDS:
        bound = tokens[0] - 1
    if bound < 1 or caption.tokens[bound].lower_ not in BOUNDS:
        return tokens
    number = caption.tokens[min(bound + 1, tokens[-1])]
    if (number.tag_ or number.pos_) not in _NUMBERS and number.lower_ not in ("a", "an"):
        return tokens
    first = bound - 1
    while first > 0 and caption.tokens[first].lower_ in ("the", "very"):
        first -= 1
    is_bound = caption.tokens[first].lower_ == "at" and taken.isdisjoint(range(first, tokens[0]))
    return range(min(first, tokens[0]), tokens.stop) if is_bound else tokens


def _coordinated(caption: ParsedCaption, tokens: range, root: int) -> Iterator[tuple[range, int]]:
    """Splits a chunk at "and" between a noun and a word that begins another noun phrase. Neither part is expanded."""
    for middle in tokens[1:-1]:
        if caption.tokens[middle].lower_ not in _AND:
            continue
        left, right = caption.tokens[middle - 1], caption.tokens[middle + 1]
        opens = _opens(right) or right.lower_ in _COLOURS
        if left.pos in (NOUN, PROPN) and left.lower_ not in _COLOURS and opens and root > middle:
            caption.conjuncts.update((left.i, root))
            yield range(tokens[0], middle), left.i
            yield from _coordinated(caption, range(middle + 1, tokens[-1] + 1), root)
            return
    yield tokens, root


def _opens(token: Token) -> bool:
    return (token.tag_ or token.pos_) in _OPENS_PHRASE
