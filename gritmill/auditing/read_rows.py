"""A file -> its `GroundedRow`s: recognises the format, and reads each row in it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from gritmill.auditing.find_files import given_columns
from gritmill.auditing.formats import READERS, AuditFormat, recognised
from gritmill.auditing.grounded_row import GroundedRow
from gritmill.auditing.other_formats import explain_line
from gritmill.auditing.read_dialect import DialectReader, column_in
from gritmill.auditing.read_file import BrokenRow, Picked, kind_of, rows_of
from pipeline import files
from pipeline.faults import CallError, printable
from transforms.annotations.columns import NOTHING_GIVEN, AnnotationColumns, BadCell
from transforms.culprits import message_of
from transforms.wording import listed, suggestion

_FIRST_ROWS = 20  # that show the format
_SHOWN = 12  # names of columns in a message

Result = GroundedRow | BrokenRow


class UnknownFormat(Exception):
    """No format fits a file. The message says what it has, and what to do."""


@dataclass(frozen=True)
class Planned:
    """A file that will be read.

    kind: how, see `kind_of`. taken: what it is taken for, for people. column: of the texts of a dialect. read: a row of
    the file -> its grounded rows; raises BadCell.
    """

    uri: str
    kind: str
    taken: str
    column: str
    read: Callable[[Any, str], Iterator[GroundedRow]]

    def rows(self, picked: Picked) -> Iterator[tuple[str, list[GroundedRow] | BrokenRow]]:
        """The picked rows: the place of each, and its grounded rows. Raises SourceFault where the file is damaged."""
        for number, row in rows_of(self.uri, self.kind, picked, self.column):
            place = f"{self.uri}:{number}"
            yield place, row if isinstance(row, BrokenRow) else self.grounded(row, place)

    def grounded(self, row: Any, place: str) -> list[GroundedRow] | BrokenRow:
        """The grounded rows of a row; a `BrokenRow` if it is not in the format."""
        try:
            return list(self.read(row, place))
        except BadCell as error:
            return BrokenRow(str(error))
        except Exception as error:  # of any value that a file can bring: it breaks its row, and not the audit
            return BrokenRow(message_of(error))


@dataclass(frozen=True)
class RowReader:
    """How files are read. format, dialect, column: as given; "" if not. given: see `given_columns`, by folder. A run
    may have thousands of shards, and its manifest names all of them, so it is read once."""

    format: str = ""
    dialect: str = ""
    column: str = ""
    given: dict[str, AnnotationColumns] = field(default_factory=dict)

    @classmethod
    def from_options(cls, format: str | None, dialect: str | None, column: str | None) -> "RowReader":
        """Raises CallError if the options are wrong, or do not fit each other."""
        if format is not None and format not in READERS:
            raise CallError(f"--format: {format}: no such format; {suggestion(format, READERS)}")
        if dialect is None and column is not None:
            raise CallError("--column: it is the column of texts in a dialect; name that with --dialect")
        if dialect is not None:
            if format is not None:
                raise CallError("--format: leave it out; --dialect says what the files have")
            DialectReader(dialect)  # refuses an unknown one
        return cls(format or "", dialect or "", column or "")

    def plan(self, uri: str) -> Planned:
        """What a file is.

        Raises:
          SourceFault: it cannot be read. UnknownFormat: no format, or not the given one, fits its first rows.
        """
        kind = kind_of(uri)
        first = list(islice(rows_of(uri, kind, lambda _: True, self.column), _FIRST_ROWS))
        good = [row for _, row in first if not isinstance(row, BrokenRow)]
        if self.dialect:
            return self._plan_dialect(uri, kind, good)
        if kind == "text":
            known = next(filter(None, map(explain_line, good)), "")
            raise UnknownFormat(known or "lines of text; name their dialect with --dialect")
        name = self.format or next(filter(None, map(recognised, good)), "")
        if not name:
            raise UnknownFormat(_explain(good, first))
        plan = self._plan_format(uri, kind, AuditFormat(name))
        if self.format and good and not any(recognised(row) == name for row in good):
            found = (plan.grounded(row, "") for row in good)
            reasons = [one.reason for one in found if isinstance(one, BrokenRow)]
            if len(reasons) == len(good):
                raise UnknownFormat(f"not {name}: {reasons[0]}; {_columns(good)}; leave out --format")
        return plan

    def _plan_format(self, uri: str, kind: str, name: AuditFormat) -> Planned:
        given, folder = NOTHING_GIVEN, files.parent(uri)
        if name is AuditFormat.GRIT:
            given = self.given[folder] = self.given.get(folder) or given_columns(folder)

        def read(row: Any, place: str) -> Iterator[GroundedRow]:
            found = READERS[name](row, place)
            yield replace(found, given=given) if given.boxes else found

        return Planned(uri, kind, str(name), "", read)

    def _plan_dialect(self, uri: str, kind: str, good: list[Any]) -> Planned:
        column = ""
        if kind != "text":
            found = (column_in(row) for row in good)
            column = self.column or next(filter(None, found), "")
            if good and not any(column in row for row in good):
                named = f"no column {column}" if column else "no column with texts"
                raise UnknownFormat(f"{named}; {_columns(good)}; set --column")
        reader = DialectReader(self.dialect, column)
        taken = f"texts in the dialect {self.dialect}{f', column {column}' if column else ''}"
        return Planned(uri, kind, taken, column, reader.rows)


def _explain(good: list[Mapping[str, Any]], first: list[tuple[int, Any]]) -> str:
    if not good:
        reasons = (f"; row {number}: {row.reason}" for number, row in first[:1])
        return f"no row that can be read{''.join(reasons)}"
    return f"{_columns(good)}: none of {listed(list(READERS))}; for texts with boxes, set --dialect and --column"


def _columns(good: list[Mapping[str, Any]]) -> str:
    names = [str(name)[:40] for name in dict.fromkeys(name for row in good for name in row)]
    if not names:
        return "it has no columns"
    more = ", …" if len(names) > _SHOWN else ""
    return printable(f"its columns are {listed(names[:_SHOWN])}{more}")
