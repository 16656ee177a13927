"""Reads pickles of plain containers, such as RefCOCO's published `refs(unc).p`, without running any code.

A pickle is a program. Only instructions that build numbers, texts, bytes, lists, tuples, dictionaries and sets are
allowed. Any other instruction, such as one that names or calls a class or function, is rejected before loading starts.
"""

import io
import pickle
import pickletools
from typing import Any, NoReturn

_ALLOWED = frozenset(
    (
        *("PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "DUP"),
        *("NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"),
        *("FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        *("LIST", "EMPTY_LIST", "APPEND", "APPENDS", "TUPLE", "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
        *("DICT", "EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_SET", "ADDITEMS", "FROZENSET"),
        *("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET"),
    )
)


_MAX_DEPTH = 100
"""Maximum nesting of tuples and frozen sets. Python's hash of one recurses in C; at about 10,000 levels it crashes."""


def load(data: bytes) -> Any:
    """Loads a pickle of plain containers. Strings of Python 2 are decoded as UTF-8.

    Raises:
      ValueError: the data contains anything else, or is not a pickle.
    """
    try:
        _check(data)
        return _PlainUnpickler(io.BytesIO(data), encoding="utf-8").load()
    except ValueError as error:
        raise ValueError(f"not a plain pickle: {error}") from error
    except Exception as error:  # IndexError, UnpicklingError, TypeError: the order of instructions is invalid
        raise ValueError(f"not a plain pickle: {type(error).__name__}: {error}") from error


def _check(data: bytes) -> None:
    """Rejects instructions that are not allowed, and memo numbers and nesting that would crash the process."""
    stack = _Depths()
    for number, (instruction, argument, offset) in enumerate(pickletools.genops(data)):
        name = instruction.name
        if name not in _ALLOWED:
            raise ValueError(f"{name} {argument or ''} at byte {offset} does not build a plain container")
        # The unpickler allocates its memo up to the largest number.
        if name in ("PUT", "LONG_BINPUT") and int(argument or 0) > number:
            raise ValueError(f"{name} {argument} at byte {offset}: the memo number is too large")
        if stack.follow(name, argument) > _MAX_DEPTH:
            raise ValueError(f"{name} at byte {offset} nests tuples more than {_MAX_DEPTH} deep")


class _Depths:
    """The unpickler's stack, with only the nesting depth of tuples and frozen sets as entries; -1 is pickle's MARK."""

    def __init__(self) -> None:
        self._stack: list[int] = []
        self._memo: dict[int, int] = {}

    def follow(self, name: str, argument: Any) -> int:
        """Follows an instruction. Returns the depth of the entry that is then on top, 0 for an empty stack."""
        if name in _TUPLES:
            self._stack.append(1 + max((self._stack.pop() for _ in range(_TUPLES[name])), default=0))
        elif name in ("TUPLE", "FROZENSET"):
            self._stack.append(1 + max(self._pop_to_mark(), default=0))
        elif name in ("LIST", "DICT"):
            self._pop_to_mark()
            self._stack.append(0)
        elif name in ("APPENDS", "SETITEMS", "ADDITEMS", "POP_MARK"):
            self._pop_to_mark()
        elif name in ("APPEND", "SETITEM", "POP", "STOP"):
            del self._stack[-2 if name == "SETITEM" else -1 :]
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._memo[len(self._memo) if name == "MEMOIZE" else int(argument)] = self._stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[int(argument)])
        elif name not in ("PROTO", "FRAME"):
            self._stack.append({"MARK": -1, "DUP": self._stack[-1] if self._stack else 0}.get(name, 0))
        return self._stack[-1] if self._stack else 0

    def _pop_to_mark(self) -> list[int]:
        depths = []
        while (depth := self._stack.pop()) >= 0:
            depths.append(depth)
        return depths


_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _PlainUnpickler(pickle.Unpickler):
    """A second check: raises for every class, even if an instruction in the list above could name one."""

    def find_class(self, module_name: str, global_name: str) -> NoReturn:
        raise ValueError(f"{module_name}.{global_name}")
