"""Which columns of the source hold phrases and boxes."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from transforms.records import FailureStage, Fault, Pair, Reason

BoxFormat = Literal["grit", "xyxy", "xywh", "cxcywh"]
BoxUnit = Literal["pixels", "fractions", "thousandths"]


class BadCell(ValueError):
    """A cell that does not fit. The message is the detail of the pair's fault."""

    def as_fault(self, column: str) -> Fault:
        """The fault of the pair."""
        return Fault.from_error(FailureStage.READ, Reason.BROKEN_ROW, f"column {column}: {self}")


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
    def names(self) -> tuple[str, ...]:
        """All names."""
        return (*self.phrases, *self.expressions, *self.heads, *self.boxes)

    @property
    def without_alternative(self) -> tuple[str, ...]:
        """The names that are the only one of their list."""
        return tuple(names[0] for names in (self.phrases, self.expressions, self.heads, self.boxes) if len(names) == 1)

    def row(self, pair: Pair) -> dict[str, Any]:
        """The columns of the pair's row. Empty if no annotations are expected."""
        if not self.names:
            return {}
        try:
            row = json.loads(pair.meta)
        except ValueError:  # of a source from another package
            return {}
        return row if isinstance(row, dict) else {}


NOTHING_GIVEN = AnnotationColumns()


def first(row: dict[str, Any], names: tuple[str, ...]) -> tuple[str, Any]:
    """The first of the columns that is not null, with its name. ("", None) if there is none."""
    return next(((name, row[name]) for name in names if row.get(name) is not None), ("", None))
