"""A parsed caption in the form that the phrase rules use: its tokens by number, and the tree as plain Python data.

spaCy builds a new Token object on every access. Walks through its tree took two thirds of the rules' time.

A separator divides two parts of a caption. Parsers trained on sentences parse "Grizzly Shirt - Black" as one noun
phrase, and such lists are frequent in web alt-texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from spacy.symbols import NOUN, PRON, PROPN, conj
from spacy.tokens import Doc, Token

NOUN_TAGS = (NOUN, PROPN, PRON)

_SEPARATOR_CHARS = frozenset("-–—|~•·»/:()[]")
_BRACKETS = frozenset("()[]{}<>")

_FUNCTION_WORDS = frozenset(
    (
        *("and", "or", "&", "nor", "of", "in", "on", "at", "with", "without", "for", "from", "to", "by", "as", "than"),
        *("into", "onto", "via", "per", "a", "an", "the"),
    )
)
"""Words that end no noun phrase. Where one is at an end, the parser or the caption is broken off."""

BROKEN_ENDS = frozenset(("and", "or", "&", "nor", "a", "an", "the"))
"""Words that end no expression. A preposition may: "a man with a hat on", "the table they sit at"."""


@dataclass(slots=True)
class ParsedCaption:
    """The tokens and the tree of one caption.

    heads: for each token, the number of the token that it depends on; for a root, its own number.
    spreads: for each token, the first and the last of itself and the tokens that depend on it directly.
    conjuncts: the tokens that are a conjunct, and the tokens that a later token is a conjunct of.
    may_have_separator: False if the caption contains no separator character.
    corrected: whether the ends of phrases are corrected: each bracket separates, and function words end no phrase.
    """

    tokens: list[Token]
    heads: list[int]
    spreads: list[tuple[int, int]]
    conjuncts: set[int]
    may_have_separator: bool
    corrected: bool

    @classmethod
    def from_doc(cls, doc: Doc, corrected: bool = False) -> "ParsedCaption":
        """Builds it from a Doc with a dependency tree."""
        tokens = list(doc)
        heads = [token.head.i for token in tokens]
        firsts, lasts = list(range(len(heads))), list(range(len(heads)))
        for number, head in enumerate(heads):
            firsts[head] = min(firsts[head], number)
            lasts[head] = max(lasts[head], number)
        conjuncts: set[int] = set()
        for number, token in enumerate(tokens):
            if token.dep == conj and heads[number] != number:
                conjuncts.update((number, heads[number]) if heads[number] < number else (number,))
        separators = _SEPARATOR_CHARS | _BRACKETS if corrected else _SEPARATOR_CHARS
        spreads = list(zip(firsts, lasts, strict=True))
        return cls(tokens, heads, spreads, conjuncts, not separators.isdisjoint(doc.text), corrected)

    def characters(self, tokens: range) -> tuple[int, int]:
        """Start and end of the tokens in the caption, as character offsets, end exclusive."""
        last = self.tokens[tokens[-1]]
        return self.tokens[tokens[0]].idx, last.idx + len(last)

    def trimmed(self, tokens: range, ends: frozenset[str] = _FUNCTION_WORDS) -> range:
        """The range without tokens at either end that have no letter or digit. If borders are corrected, also without
        `ends` at its end, and without "and" at its start. Empty if nothing remains."""
        words = [token for token in tokens if self._has_alnum(token)]
        while self.corrected and words and self._is_one_of(ends, words[-1]):
            words.pop()
        while self.corrected and words and self.tokens[words[0]].lower_ in ("and", "or"):
            del words[0]
        return range(words[0], words[-1] + 1) if words else range(0)

    def word_beside(self, token: int, step: int) -> str:
        """The next token in a direction that is no blank, in lower case; "" if there is none. step: 1 or -1."""
        token += step
        while 0 <= token < len(self.tokens) and self.tokens[token].is_space:
            token += step
        return self.tokens[token].lower_ if 0 <= token < len(self.tokens) else ""

    def subtree(self, token: int) -> range | None:
        """The token and all tokens that depend on it; None if they have a gap."""
        # If branches of the tree cross, spaCy's edges can be too narrow.
        inside = range(self.tokens[token].left_edge.i, self.tokens[token].right_edge.i + 1)
        for other in inside:  # and not all tokens: a caption may have thousands of tokens and of phrases
            first, last = self.spreads[other]
            head = self.heads[other]
            if (
                first < inside.start
                or last >= inside.stop
                or (other != token and (head == other or head not in inside))
            ):
                return None
        return inside

    def between_separators(self, tokens: range) -> Sequence[range]:
        """The tokens, split at the separators. One range of all tokens if all of them are separators."""
        if not self.may_have_separator:
            return (tokens,)
        runs = [list(run) for is_separator, run in groupby(tokens, self._separates) if not is_separator]
        return [range(run[0], run[-1] + 1) for run in runs] or [tokens]

    def _has_alnum(self, token: int) -> bool:
        text = self.tokens[token].text
        return text.isalnum() or any(map(str.isalnum, text))

    def _is_one_of(self, words: frozenset[str], token: int) -> bool:
        """Whether a token is one of the words, in any case. A single capital letter is none: "Vitamin A"."""
        text = self.tokens[token].text
        return text in words or (len(text) > 1 and text.lower() in words)

    def _separates(self, token: int) -> bool:
        word = self.tokens[token]
        is_bracket = self.corrected and not _BRACKETS.isdisjoint(word.text) and not self._has_alnum(token)
        return is_bracket or _separates(word)


def _separates(token: Token) -> bool:
    """Whether the token divides two parts of the caption.

    A bar or an opening bracket that is a token always does. A colon or a closing bracket does unless a letter or digit
    follows immediately. Dashes, slashes and the rest do if there are blanks on both sides.
    """
    if not _SEPARATOR_CHARS.issuperset(token.text):
        return False
    last = token.i + 1 == len(token.doc)
    blank_after = last or bool(token.whitespace_) or token.nbor().is_space
    if token.text[-1] in ":)]":
        return blank_after or not token.nbor().text[0].isalnum()
    blank_before = token.i == 0 or bool(token.nbor(-1).whitespace_) or token.nbor(-1).is_space
    return token.text[0] in "|([" or (blank_before and blank_after)
