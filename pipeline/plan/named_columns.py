"""Columns that the settings name: whether sources have them, or a name is misspelt or that of another column."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.configuration import ColumnSettings, Configuration
from pipeline.faults import CallError
from pipeline.sources.columns import NO_FIELDS, Fields, did_you_mean, shown_names
from transforms.filters import Filters
from transforms.wording import counted

_CONDITIONS = "filters.where"
_OF_EVERY_PAIR = ("caption", "key", "url", "id")


@dataclass(frozen=True)
class NamedColumn:
    """A setting that names a column. names: alternatives, of which one must exist."""

    key: str
    names: tuple[str, ...]

    def explain(self, known: Fields) -> str:
        """What a source has instead of the names, to follow "it has". Empty if it has one of them."""
        role = self.key.rpartition(".")[2]
        if role in ("caption", "image") and known.used and "captions" not in known.used.values():
            return f"captions and images in one column, {next(iter(known.used))}; name that of the {role}s"
        beside = self.key == _CONDITIONS or not getattr(ColumnSettings(), role)  # they see no captions and images
        used = known.used if beside else {}
        usable = [name for name in known.names if name not in used]
        if any(name in usable for name in self.names):
            return ""
        if name := next((name for name in self.names if name in used), ""):
            cure = did_you_mean([role], usable) or f"; name that of the {role}"
            if self.key == _CONDITIONS:
                cure = f"; conditions {'call it caption' if used[name] == 'captions' else 'cannot see it'}"
            return f"the {used[name]} in the column {name}{cure}"
        cure = did_you_mean(self.names, usable) or f"; its columns: {shown_names(usable)}"
        return f"no column {' or '.join(self.names)}{cure}"

    def refuse(self, known: Fields) -> str:
        """As `explain`, but empty if a row that was not read may have the column, such as one of JSON lines."""
        return self.explain(known) if known.all_known or known.used.keys() >= set(self.names) else ""


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
    names = [*known.names, *(name for name in of_pairs if name not in _OF_EVERY_PAIR)]
    known = replace(known, names=list(dict.fromkeys(names)))
    for column in named if known.names or of_pairs else ():
        if line := column.explain(known):
            yield f"{column.key}: {subject} have {line}"


def check_named(named: Sequence[NamedColumn], refused: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Raises CallError if no source can have a named column. refused: the URI of each source, and `refuse` of each
    column."""
    for number, column in enumerate(named):
        if refused and all(lines[number] for _, lines in refused):
            uri, lines = refused[0]
            others = f"and {counted(len(refused) - 1, 'other source')} have" if len(refused) > 1 else "has"
            raise CallError(f"{column.key}: {uri} {others} {lines[number]}")
