"""Published files that are pickles, such as RefCOCO's `refs(unc).p`, read without running anything.

A pickle is a program. Of its instructions only those pass that put together numbers, texts, bytes, lists, tuples,
dictionaries and sets; whatever names a class or function, calls it or sets its state is refused before it is run.
"""

import io
import pickle
import pickletools
from typing import Any, NoReturn

_PLAIN = frozenset(
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


def load(data: bytes) -> Any:
    """The value that a pickle of plain containers holds; texts of Python 2 are read as UTF-8.

    Raises:
      ValueError: it holds anything else, or is no pickle.
    """
    try:
        for number, (instruction, argument, place) in enumerate(pickletools.genops(data)):
            if instruction.name not in _PLAIN:
                raise ValueError(f"{instruction.name} {argument or ''} at byte {place} is no plain container")
            # The unpickler makes room for every note up to the one with the largest number.
            if instruction.name in ("PUT", "LONG_BINPUT") and int(argument or 0) > number:
                raise ValueError(f"{instruction.name} {argument} at byte {place} is out of all proportion")
        return _Plain(io.BytesIO(data), encoding="utf-8").load()
    except ValueError as error:
        raise ValueError(f"not a plain pickle: {error}") from error
    except (
        Exception
    ) as error:  # instructions in an order that makes no sense: IndexError, UnpicklingError, TypeError, …
        raise ValueError(f"not a plain pickle: {type(error).__name__}: {error}") from error


class _Plain(pickle.Unpickler):
    """The second lock: even an instruction that the list above had overlooked finds no class."""

    def find_class(self, module_name: str, global_name: str) -> NoReturn:
        raise ValueError(f"{module_name}.{global_name}")
