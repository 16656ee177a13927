"""`table.json`, which describes the table of a custom stage."""

from dataclasses import dataclass
from typing import ClassVar

from pipeline import files, layout
from pipeline.faults import EnvironmentFault, PermissionFault
from pipeline.files.typed import find_typed, read_typed


@dataclass(frozen=True)
class TableFile:
    """The content of `table.json`. parents: names of tables. fingerprint: of the settings and code of its stages."""

    REMEDY: ClassVar[str] = "remove the folder of the table and run gritmill ground again"

    name: str
    parents: tuple[str, ...]
    fingerprint: str
    format: int = 1


def is_table(folder: str) -> bool:
    """Whether a folder is a table: its `table.json` has its name. Raises EnvironmentFault if that file is damaged."""
    table = find_typed(files.join(folder, layout.TABLE), TableFile)
    return table is not None and table.name == files.name(folder)


def find_tables(run: str, every: bool = False) -> list[TableFile]:
    """Returns the tables of a run folder that have a `table.json`.

    Skips files that gritmill did not write, and folders that were copied or moved aside: their names do not match.

    every: raise PermissionFault if a store refuses to tell whether a folder is a table. Else this folder is skipped.
    """
    tables = []
    for folder in files.folders_in(run):
        try:
            table = read_typed(files.join(folder, layout.TABLE), TableFile)
        except (EnvironmentFault, FileNotFoundError, PermissionError) as error:  # lost+found is root's
            if every and isinstance(error, PermissionFault):
                raise
            continue
        tables += [table] if table.name == files.name(folder) else []
    return tables
