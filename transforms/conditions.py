"""Conditions on the columns of a source: `punsafe < 0.5 and status in ('success', 'cached')`.

A condition is a comparison `name sign value`, or several that are joined with `and`, `or`, `not` and parentheses.

- Signs: < <= > >= == != and `in (value, …)`.
- A name is a word. A name with other characters, such as blanks or dots, is in backticks or quotes: `` `a.b` ``.
- A value is a number, a text in single or double quotes, true, false or null. A quoted text has no escapes.
- A number is also compared with a text that is a number, and true and false with the texts "true" and "false", because
  all cells of a CSV file are texts. Texts are compared by code point.
- `name == null` is true if the column is absent, null or NaN. Every other comparison with such a value, or with a value
  of another type, has no answer. `and`, `or` and `not` pass this on, unless the other side decides: `x < 1 or y < 1` is
  true if `y` is 0, whatever `x` is.
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Value = float | str | bool | None

_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_CONSTANTS = {"true": True, "false": False, "null": None}
_WORDS = ("and", "or", "not", "in")
_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_IS_NUMBER = re.compile(_NUMBER)
_TOKEN = re.compile(
    rf"(?P<number>{_NUMBER}(?![\w.]))|(?P<text>'[^']*'|\"[^\"]*\")|(?P<name>`[^`]+`)|(?P<word>[^\W\d]\w*)"
    r"|(?P<sign><=|>=|==|!=(?!=)|<(?!>)|>|\(|\)|,)"
)
_CURES = {
    "=": "use == to compare",
    "<>": "use != for different values",
    "!": "use != for different values, and not for the opposite",
    "&": "use and",
    "|": "use or",
    "'": "the quote is not closed",
    '"': "the quote is not closed",
    "`": "the backtick is not closed",
    ".": "put a name that contains a dot in backticks",
}
_EXAMPLE = "write a condition such as punsafe < 0.5"
_MAX_DEPTH = 50


@dataclass(frozen=True)
class Comparison:
    """A column and a value. `value` is None for null."""

    name: str
    sign: str
    value: Value

    def comparisons(self) -> Iterator["Comparison"]:
        """This comparison."""
        yield self

    def holds(self, row: Mapping[str, Any]) -> bool | None:
        """Whether it is true for a row; None if the value is missing or has another type."""
        found = row.get(self.name)
        if found != found:  # NaN
            found = None
        if self.value is None:
            return (found is None) == (self.sign == "==")
        found = _converted(found, self.value)
        return None if found is None else _SIGNS[self.sign](found, self.value)


@dataclass(frozen=True)
class Joined:
    """Conditions that must all be true, or of which one must be true. decisive: False for `and`, True for `or`."""

    parts: tuple["Tree", ...]
    decisive: bool

    def comparisons(self) -> Iterator[Comparison]:
        """All comparisons, in order."""
        for part in self.parts:
            yield from part.comparisons()

    def holds(self, row: Mapping[str, Any]) -> bool | None:
        """See `Comparison.holds`."""
        answers = [part.holds(row) for part in self.parts]
        if self.decisive in answers:
            return self.decisive
        return None if None in answers else not self.decisive


@dataclass(frozen=True)
class Negated:
    """The opposite of a condition."""

    part: "Tree"

    def comparisons(self) -> Iterator[Comparison]:
        """All comparisons, in order."""
        return self.part.comparisons()

    def holds(self, row: Mapping[str, Any]) -> bool | None:
        """See `Comparison.holds`."""
        answer = self.part.holds(row)
        return None if answer is None else not answer


Tree = Comparison | Joined | Negated


@dataclass(frozen=True)
class Condition:
    """A parsed condition. text: as it was written, with single blanks."""

    text: str
    tree: Tree

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Parses a condition. Raises ValueError, which names the position (from 1) and the cure."""
        return cls(" ".join(text.split()), _Parser(text).parse())

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it uses, each once."""
        return tuple(dict.fromkeys(comparison.name for comparison in self.tree.comparisons()))

    def holds(self, row: Mapping[str, Any]) -> bool | None:
        """Whether it is true for a row; None if a missing value or one of another type leaves that open."""
        return self.tree.holds(row)

    def missing(self, row: Mapping[str, Any]) -> str:
        """The first column whose value is missing or has another type; "" if there is none."""
        return next((one.name for one in self.tree.comparisons() if one.holds(row) is None), "")


def _converted(found: Any, value: Value) -> Any:
    """A value of a row, to compare it with `value`; None if its type does not fit."""
    if isinstance(value, bool):
        return {"true": True, "false": False}.get(found.lower()) if isinstance(found, str) else _if_bool(found)
    if isinstance(value, str):
        return found if isinstance(found, str) else None
    if isinstance(found, str):
        return _number(found.strip())
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def _if_bool(found: Any) -> bool | None:
    return found if isinstance(found, bool) else None


def _number(text: str) -> float | None:
    """The number that a text is. Integers are exact: as floats, long ids would be equal to their neighbours."""
    if not _IS_NUMBER.fullmatch(text):
        return None
    return float(text) if len(text) > 300 or not text.lstrip("+-").isdigit() else int(text)


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


class _Parser:
    """Recursive descent: any = all {or all}; all = one {and one}; one = not one | ( any ) | comparison."""

    def __init__(self, text: str) -> None:
        self._tokens = [*_tokens(text), _Token("end", "the end", len(text) + 1)]
        self._next = 0

    def parse(self) -> Tree:
        tree = self._joined(0)
        if self._peek.kind != "end":
            raise _fault(self._peek, "join conditions with and or or")
        return tree

    @property
    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._peek
        self._next += token.kind != "end"
        return token

    def _takes(self, *texts: str) -> bool:
        """Takes the next token if it is a word or a sign with one of these texts."""
        found = self._peek.kind in ("word", "sign") and self._peek.text in texts
        self._next += found
        return found

    def _joined(self, depth: int, word: str = "or") -> Tree:
        part = self._one if word == "and" else lambda depth: self._joined(depth, "and")
        parts = [part(depth)]
        while self._takes(word):
            parts.append(part(depth))
        return parts[0] if len(parts) == 1 else Joined(tuple(parts), word == "or")

    def _one(self, depth: int) -> Tree:
        if depth > _MAX_DEPTH:
            raise _fault(self._peek, f"more than {_MAX_DEPTH} levels; write a simpler condition")
        if self._takes("not"):
            return Negated(self._one(depth + 1))
        if self._takes("("):
            tree = self._joined(depth + 1)
            self._need(")", "close the parenthesis")
            return tree
        return self._comparison()

    def _comparison(self) -> Tree:
        token = self._take()
        if token.kind == "number" or token.text in _CONSTANTS:
            raise _fault(token, "the column comes first, as in punsafe < 0.5")
        if token.kind not in ("word", "name", "text") or token.text in _WORDS:
            raise _fault(token, _EXAMPLE)
        name = token.text if token.kind == "word" else token.text[1:-1]
        if self._takes("not"):
            self._need("in", "use not in, or != for different values")
            return Negated(self._among(name))
        if self._takes("in"):
            return self._among(name)
        sign = self._take()
        if sign.text not in _SIGNS or sign.kind != "sign":
            cure = "put a name that contains blanks in backticks" if sign.kind == "word" else _EXAMPLE
            cure = "write == null or != null" if sign.text.lower() == "is" else cure
            raise _fault(sign, f"use {' '.join(_SIGNS)} or in after a column; {cure}")
        value_token = self._peek
        value = self._value()
        if (value is None or isinstance(value, bool)) and sign.text not in ("==", "!="):
            raise _fault(value_token, "compare it with == or !=")
        if self._peek.text in _SIGNS and self._peek.kind == "sign":
            raise _fault(self._peek, "write two conditions and join them with and")
        return Comparison(name, sign.text, value)

    def _among(self, name: str) -> Tree:
        self._need("(", "write the values in parentheses, as in status in ('a', 'b')")
        values = [self._value()]
        while self._takes(","):
            values.append(self._value())
        self._need(")", "separate values with commas and close the parenthesis")
        return Joined(tuple(Comparison(name, "==", value) for value in values), True)

    def _value(self) -> Value:
        token = self._take()
        if token.kind == "number":
            return _number(token.text)
        if token.kind == "text":
            return token.text[1:-1]
        if token.kind == "word" and token.text.lower() in _CONSTANTS:
            return _CONSTANTS[token.text.lower()]
        if token.text.lower() in ("none", "nan"):
            raise _fault(token, "write null for a missing value")
        if token.kind in ("word", "name"):
            raise _fault(token, f"put a text in quotes: '{token.text.strip('`')}'")
        raise _fault(token, "write a number, a text in quotes, true, false or null")

    def _need(self, text: str, cure: str) -> None:
        if not self._takes(text):
            raise _fault(self._peek, cure)


def _tokens(text: str) -> Iterable[_Token]:
    position = 0
    while rest := text[position:].lstrip():
        position = len(text) - len(rest)
        match = _TOKEN.match(text, position)
        if not match:
            found = re.match(r"<>|[-+]?[\w.]+|.", rest, re.DOTALL)
            assert found
            word = found[0]
            other_digit = any(sign.isdecimal() and not sign.isascii() for sign in word)
            cure = "write a number with the digits 0 to 9" if other_digit else ""
            cure = cure or _CURES.get(word) or _CURES.get(word[0]) or _EXAMPLE
            raise _fault(_Token("", word, position + 1), cure)
        assert match.lastgroup
        yield _Token(match.lastgroup, match[0], position + 1)
        position = match.end()


def _fault(token: _Token, cure: str) -> ValueError:
    shown = token.text if token.kind == "end" else repr(token.text[:40])
    return ValueError(f"at character {token.position}, {shown}: {cure}")
