"""A parsed caption in the form that the phrase rules use: its tokens by number, and the tree as plain Python data.

spaCy builds a new Token object on every access. Walks through its tree took two thirds of the rules' time.

A separator divides two parts of a caption. Parsers trained on sentences parse "Grizzly Shirt - Black" as one noun
phrase, and such lists are frequent in web alt-texts.
"""

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from spacy.symbols import NOUN, PRON, PROPN, conj
from spacy.tokens import Doc, Token

from transforms.phrases.quotations import quotation_marks

NOUN_TAGS = (NOUN, PROPN, PRON)

_SEPARATOR_CHARS = frozenset("-–—|~•·»/:()[]")
BRACKETS = frozenset("()[]{}<>（）［］｛｝【】〔〕〈〉《》⟨⟩⟪⟫⟦⟧❨❩❲❳〖〗〘〙〚〛⦅⦆｟｠")

BOUNDS = frozenset(("most", "least"))
"""With "at" before a number."""

_CLOSING = {"(": ")", "[": "]", "{": "}", "（": "）", "［": "］"}
_DESCRIBES = frozenset(
    (
        *("JJ", "JJR", "JJS", "RB", "RBR", "RBS", "VBN", "VBG", "CD", "CC", "HYPH", ","),
        *("ADJ", "ADV", "VERB", "NUM", "CCONJ", "PUNCT"),
    )
)
_DETERMINES = frozenset(("DT", "PDT", "PRP$", "DET", "PRON"))
"""Tags, or word classes where there are no tags, of words before a noun."""

_FUNCTION_WORDS = frozenset(
    (
        *("and", "or", "&", "nor", "of", "in", "on", "at", "with", "without", "for", "from", "to", "by", "as", "than"),
        *("into", "onto", "via", "per", "a", "an", "the"),
    )
)
"""Words that end no noun phrase. Where one is at an end, the parser or the caption is broken off."""

BROKEN_ENDS = frozenset(("and", "or", "&", "nor", "a", "an", "the"))
"""Words that end no expression. A preposition may: "a man with a hat on", "the table they sit at"."""

_PREPOSITIONS = _FUNCTION_WORDS - BROKEN_ENDS

_PLURAL_ENDINGS = frozenset(("s", "es", "ies", "ves", "en", "ren"))

_OPENS_PHRASE = frozenset(("DT", "CD", "PRP$", "JJ", "DET", "NUM", "ADJ"))
"""Tags, or word classes where there are no tags, of words that begin a noun phrase but are no nouns."""


@dataclass(slots=True)
class ParsedCaption:
    """The tokens and the tree of one caption.

    heads: for each token, the number of the token that it depends on; for a root, its own number.
    spreads: for each token, the first and the last of itself and the tokens that depend on it directly.
    conjuncts: the tokens that are a conjunct, and the tokens that a later token is a conjunct of.
    may_have_separator: False if the caption contains no separator character.
    may_have_bound: False if it contains none of `BOUNDS`.
    quotes: for each token with a quotation mark, the one with the other half of the pair; empty if the ends of phrases
      are not corrected. Pairs do not cross each other. Also brackets within a noun phrase, see `keep_brackets`.
    corrected: whether the ends of phrases are corrected: each bracket separates, and function words end no phrase.
    """

    tokens: list[Token]
    heads: list[int]
    spreads: list[tuple[int, int]]
    conjuncts: set[int]
    may_have_separator: bool
    may_have_bound: bool
    quotes: dict[int, int]
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
        text = doc.text  # spaCy joins it from the tokens each time
        separators = _SEPARATOR_CHARS | BRACKETS if corrected else _SEPARATOR_CHARS
        spreads = list(zip(firsts, lasts, strict=True))
        may_have_separator = not separators.isdisjoint(text)
        quotes = _quotes(tokens, text) if corrected else {}
        may_have_bound = corrected and any(map(text.lower().__contains__, BOUNDS))
        return cls(tokens, heads, spreads, conjuncts, may_have_separator, may_have_bound, quotes, corrected)

    def characters(self, tokens: range) -> tuple[int, int]:
        """Start and end of the tokens in the caption, as character offsets, end exclusive."""
        last = self.tokens[tokens[-1]]
        return self.tokens[tokens[0]].idx, last.idx + len(last)

    def trimmed(self, tokens: range, ends: frozenset[str] = _FUNCTION_WORDS) -> range:
        """The range without tokens at either end that have no letter or digit. If borders are corrected, also without
        `ends` at its end, and without "and" at its start, but with the other half of a pair of quotation marks, if
        only signs are between: `"Stop" sign`, `a sign reading "stop."`. Empty if nothing remains."""
        words = [token for token in tokens if self.is_word(token)]
        while self.corrected and words and self._is_one_of(ends, words[-1]):
            words.pop()
        while self.corrected and words and self.tokens[words[0]].lower_ in ("and", "or"):
            del words[0]
        inner = range(words[0], words[-1] + 1) if words else range(0)
        return self._with_quotes(inner)

    def split_at_half_quotes(self, tokens: range, ends: frozenset[str] = _FUNCTION_WORDS) -> Iterator[range]:
        """The tokens, as `trimmed` returns them, split at each quotation mark whose other half is not among them. Each
        part is trimmed."""
        half = next(self._half_quotes(tokens), None)
        if half is None:
            yield tokens
            return
        for part in (range(tokens.start, half), range(half + 1, tokens.stop)):
            if words := self.trimmed(part, ends):
                yield from self.split_at_half_quotes(words, ends)

    def lacks_object(self, token: int, head: int) -> bool:
        """Whether a token at the end of the expression of `head` is a preposition without its object.

        The object follows, where the parser broke off ("a dog with" / "it's tail"), or is missing ("Introduction by"
        at the end of a caption). A verb may keep its preposition: "the table they sit at", "a man looking on", "a wall
        that he stands in front of". So may a noun its "on", but not the one of the expression: in "a man with a hat
        on", "on" is part of what the man has. After an adjective, an adverb or a number, the word is none: "close by",
        "near by", "50 in.".
        """
        if not self._is_one_of(_PREPOSITIONS, token):
            return False
        following = (self.tokens[other] for other in range(token + 1, len(self.tokens)))
        after = next((word for word in following if not word.is_space), None)
        if after is not None and (after.pos in NOUN_TAGS or (after.tag_ or after.pos_) in _OPENS_PHRASE):
            return True
        before, governor = self.tokens[token - 1], self.heads[token]
        if (before.tag_ or before.pos_).startswith(("JJ", "RB", "CD", "AD", "NUM")) or before.lower_ == "near":
            return False
        if self._ends_in_front_of(token):
            return False
        is_own = governor == head and self.heads[head] != head
        return self.tokens[governor].pos in (NOUN, PROPN) and (is_own or self.tokens[token].lower_ != "on")

    def is_word(self, token: int) -> bool:
        """Whether a token has a letter or a digit."""
        text = self.tokens[token].text
        return text.isalnum() or any(map(str.isalnum, text))

    def word_beside(self, token: int, step: int) -> str:
        """The next token in a direction that is no blank, in lower case; "" if there is none. step: 1 or -1."""
        token += step
        while 0 <= token < len(self.tokens) and self.tokens[token].is_space:
            token += step
        return self.tokens[token].lower_ if 0 <= token < len(self.tokens) else ""

    def _ends_in_front_of(self, token: int) -> bool:
        """Whether a token is the "of" of "in front of", "on top of" and the like."""
        bare_noun = self.heads[token] == token - 1 and self.heads[token - 1] == token - 2
        return bare_noun and self.tokens[token].lower_ == "of" and self._is_one_of(_PREPOSITIONS, token - 2)

    def is_ending(self, token: int) -> bool:
        """Whether a token is the plural ending of the word before it: "dog(s)", "child(ren)". Not "pet(dog)"."""
        word, before = self.tokens[token], self.tokens[max(token - 2, 0) : token]
        if word.lower_ in ("s", "es"):
            return True
        joined = len(before) == 2 and before[0].text[-1].isalpha() and not any(one.whitespace_ for one in before)
        return joined and before[1].text == "(" and word.text in _PLURAL_ENDINGS

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

    def keep_brackets(self, tokens: range, root: int) -> None:
        """Makes brackets around adjectives and numbers of a noun chunk separate nothing: "a (brown) dog", "two (2)
        dogs". At its start or after a noun, they say something else: "(left) a view", "the guard (left) John". root: of
        the chunk."""
        if not self.corrected or not self.may_have_separator:
            return
        opened = -1
        for token in range(tokens.start, min(root, tokens.stop)):
            word = self.tokens[token]
            if opened >= 0 and word.text == _CLOSING[self.tokens[opened].text]:
                if token > opened + 1:
                    self.quotes |= {opened: token, token: opened}
                opened = -1
            elif opened < 0 and token > tokens.start and word.text in _CLOSING:
                opened = token
            elif (word.tag_ or word.pos_) not in (_DESCRIBES if opened >= 0 else _DESCRIBES | _DETERMINES):
                return

    def between_separators(self, tokens: range) -> Sequence[range]:
        """The tokens, split at the separators. One range of all tokens if all of them are separators."""
        if not self.may_have_separator:
            return (tokens,)
        runs = [list(run) for is_separator, run in groupby(tokens, self._separates) if not is_separator]
        return [range(run[0], run[-1] + 1) for run in runs] or [tokens]

    def _with_quotes(self, inner: range) -> range:
        """`inner` with the quotation marks beside it that are the other half of one inside."""
        for other in map(self.quotes.__getitem__, self._half_quotes(inner)):
            between = range(inner.stop, other) if other > inner.start else range(other + 1, inner.start)
            # A mark after blanks may be the end of an entity, see `hide_markup`.
            is_entity = 0 < other < inner.start and self.tokens[other - 1].is_space
            if not is_entity and not any(self.is_word(token) or self._separates(token) for token in between):
                return self._with_quotes(range(min(inner.start, other), max(inner.stop, other + 1)))
        return inner

    def _half_quotes(self, tokens: range) -> Iterator[int]:
        return (token for token in tokens if self.quotes.get(token, token) not in tokens) if self.quotes else iter(())

    def _is_one_of(self, words: frozenset[str], token: int) -> bool:
        """Whether a token is one of the words, in any case. A single capital letter is none: "Vitamin A"."""
        text = self.tokens[token].text
        return text in words or (len(text) > 1 and text.lower() in words)

    def _separates(self, token: int) -> bool:
        if token in self.quotes:
            return False
        word = self.tokens[token]
        is_bracket = self.corrected and not BRACKETS.isdisjoint(word.text) and not self.is_word(token)
        return is_bracket or _separates(word)


def _quotes(tokens: Sequence[Token], text: str) -> dict[int, int]:
    quotes: dict[int, int] = {}
    marks = quotation_marks(text)
    starts = [token.idx for token in tokens] if marks else []
    for opening, closing in marks:
        first, last = bisect(starts, opening) - 1, bisect(starts, closing) - 1
        if first != last and quotes.keys().isdisjoint((first, last)):  # a token may have marks of two pairs: "''"
            quotes |= {first: last, last: first}
    return quotes


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
