"""Columns that the settings name: whether sources have them, or a name is misspelt or that of another column."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.configuration import ColumnSettings, Configuration
from pipeline.plan.unused_settings import is_used
from pipeline.sources.columns import Fields, did_you_mean, shown_names
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
        if name := next((name for name in self.names if name in known.used), ""):
            if self._role in ("caption", "image"):
                return f"captions and images in one column, {name}; name that of the {self._role}s"
            cure = did_you_mean([self._role], usable) or f"; name that of the {self._role}"
            if self.key == _CONDITIONS:
                cure = f"; conditions {'call it caption' if known.used[name] == 'captions' else 'cannot see it'}"
            return f"the {known.used[name]} in the column {name}{cure}"
        cure = did_you_mean(self.names, usable) or f"; its columns: {shown_names(usable)}"
        return f"no column {' or '.join(self.names)}{cure}"

    def cannot_be_in(self, known: Fields) -> bool:
        """Whether no row of a source has it. A row that was not read may, such as one of JSON lines."""
        sure = known.all_known or known.used.keys() >= set(self.names)
        return sure and not any(name in self._usable(known) for name in self.names)

    @property
    def _role(self) -> str:
        return self.key.rpartition(".")[2]

    def _usable(self, known: Fields) -> Collection[str]:
        """The names of a source that this setting may have."""
        if self._role in ("caption", "image"):
            return known.names if not known.used or "captions" in known.used.values() else ()
        if self.key != _CONDITIONS and getattr(ColumnSettings(), self._role):
            return known.names
        # Conditions, and what finds phrases and boxes, see no captions and images.
        return [name for name in known.names if name not in known.used]


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


def columns_used(configuration: Configuration, kind: str) -> list[NamedColumn]:
    """The columns that the settings name and sources of a kind use."""
    return [column for column in named_columns(configuration) if is_used(column.key, kind)]


def tell_missing(named: Sequence[NamedColumn], known: Fields, of_pairs: Collection[str], subject: str) -> Iterator[str]:
    """A line about each named column that the first pairs of a source lack.

    known: what is known of the source. of_pairs: the columns of its first pairs that have not failed. subject: the
    pairs, for the line.
    """
    names = [*known.names, *(name for name in of_pairs if name not in _OF_EVERY_PAIR)]
    known = replace(known, names=list(dict.fromkeys(names)))
    for column in named if known.names or of_pairs else ():
        if line := column.explain(known):
            yield f"{column.key}: {subject} have {line}"
