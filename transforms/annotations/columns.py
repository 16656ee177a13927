"""Which columns of the source hold phrases and boxes."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from transforms.records import FailureStage, Fault, Pair, Reason

BoxFormat = Literal["grit", "xyxy", "xywh", "cxcywh"]
BoxUnit = Literal["pixels", "fractions", "thousandths"]

_MISSING = frozenset(("", "null", "none", "nan"))
"""Texts of CSV cells, in lower case, that stand for a missing value; pandas writes the empty one."""


class BadCell(ValueError):
    """A cell that does not fit. The message is the detail of the pair's fault."""


@dataclass(frozen=True)
class AnnotationColumns:
    """Names of columns; of each list, the first one that a row has is used.

    phrases, expressions, heads: row i of each belongs together. format, unit: of boxes; see `SourceSettings`.
    """

    phrases: tuple[str, ...] = ()
    expressions: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    boxes: tuple[str, ...] = ()
    format: BoxFormat | None = None
    unit: BoxUnit = "pixels"

    @property
    def _lists(self) -> tuple[tuple[str, ...], ...]:
        return self.phrases, self.expressions, self.heads, self.boxes

    @property
    def names(self) -> tuple[str, ...]:
        """All names."""
        return tuple(name for names in self._lists for name in names)

    def without_alternatives(self, unknown: Iterable[str]) -> set[str]:
        """Of names of columns that do not exist, those that have no alternative that exists."""
        missing = set(unknown)
        known = [names for names in self._lists if not missing.issuperset(names)]
        return missing.difference(*known)

    def row(self, pair: Pair) -> dict[str, Any]:
        """The columns of the pair's row. Empty if no annotations are expected."""
        return _parsed(pair.meta) if self.names else {}


NOTHING_GIVEN = AnnotationColumns()


@lru_cache(maxsize=8)  # several stages look at the same pairs, and captions of one image share their row
def _parsed(meta: str) -> dict[str, Any]:
    try:
        row = json.loads(meta)
    except ValueError:  # of a source from another package
        return {}
    return row if isinstance(row, dict) else {}


def first(row: dict[str, Any], names: Iterable[str]) -> tuple[str, Any]:
    """The first of the columns that has a value, with its name. ("", None) if there is none."""
    return next(((name, row[name]) for name in names if not _is_missing(row.get(name))), ("", None))


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() in _MISSING)


def bad_cell(pair: Pair, column: str, error: Exception) -> Pair:
    """The pair as failed, without its image: its cell does not fit."""
    return pair.failed(Fault.from_error(FailureStage.READ, Reason.BROKEN_ROW, f"column {column}: {error}"))
