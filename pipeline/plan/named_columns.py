"""Columns that the settings name: whether sources have them, or a name is misspelt or that of another column."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pipeline.configuration import ColumnSettings, Configuration
from pipeline.sources.columns import NO_FIELDS, Fields, did_you_mean, shown_names
from transforms.filters import Filters

_CONDITIONS = "filters.where"
_OF_EVERY_PAIR = ("caption", "key", "url", "id")


@dataclass(frozen=True)
class NamedColumn:
    """A setting that names a column. names: alternatives, of which one must exist."""

    key: str
    names: tuple[str, ...]

    def explain(self, known: Fields) -> str:
        """What a source has instead of the names, to follow "it has". Empty if it has one of them."""
        usable = self._usable(known)
        if any(name in usable for name in self.names):
            return ""
        if name := next((name for name in self.names if name in known.names and name not in usable), ""):
            role = self.key.rpartition(".")[2]
            cure = did_you_mean([role], usable) or f"; name that of the {role}"
            if self.key == _CONDITIONS:
                cure = f"; conditions {'call it caption' if known.used[name] == 'captions' else 'cannot see it'}"
            return f"the {known.used[name]} in the column {name}{cure}"
        cure = did_you_mean(self.names, usable) or f"; its columns: {shown_names(usable)}"
        return f"no column {' or '.join(self.names)}{cure}"

    def cannot_be_in(self, known: Fields) -> bool:
        """Whether no row of a source has it. A row that was not read may, such as one of JSON lines."""
        sure = known.all_known or known.used.keys() >= set(self.names)
        return sure and not any(name in self._usable(known) for name in self.names)

    def _usable(self, known: Fields) -> list[str]:
        """The names of a source but, for conditions, phrases and boxes, those of its captions and images."""
        sees_all = self.key != _CONDITIONS and getattr(ColumnSettings(), self.key.rpartition(".")[2])
        return [name for name in known.names if sees_all or name not in known.used]


def named_columns(configuration: Configuration, conditions: bool = True) -> Iterator[NamedColumn]:
    """The columns that the settings name. A list that has all usual names and more is no promise that one exists.

    conditions: with those of `filters.where`, but for the names that every pair has.
    """
    usual = ColumnSettings()
    for role in ColumnSettings.model_fields:
        names, default = getattr(configuration.source.columns, role), getattr(usual, role)
        if names and not (default and set(default).issubset(names)):
            yield NamedColumn(f"source.columns.{role}", names)
    for name in Filters(configuration.filters).names if conditions else ():
        if name not in _OF_EVERY_PAIR:
            yield NamedColumn(_CONDITIONS, (name,))


def tell_missing(named: Sequence[NamedColumn], known: Fields, of_pairs: Collection[str], subject: str) -> Iterator[str]:
    """A line about each named column that the first pairs of a source lack.

    known: what is known of the source. of_pairs: the columns of its first pairs that have not failed. subject: the
    pairs, for the line.
    """
    if known is NO_FIELDS:  # of kinds of which only the pairs are known
        known = Fields(of_pairs, {})
    for column in named if known.names or of_pairs else ():
        if line := column.explain(known):
            yield f"{column.key}: {subject} have {line}"
