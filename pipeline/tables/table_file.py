"""What a table beside `detections/` says of itself."""

from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from pipeline import files, layout
from pipeline.faults import EnvironmentFault
from pipeline.files.typed import read_typed


@dataclass(frozen=True)
class TableFile:
    """What `table.json` holds. parents: names of tables. fingerprint: of the settings of the table's stages."""

    REMEDY: ClassVar[str] = "remove the table's folder, then ground makes it again"

    name: str
    parents: tuple[str, ...]
    fingerprint: str
    format: int = 1


def find_tables(run: str) -> list[TableFile]:
    """What the tables of a run say of themselves; not a copy, what was moved aside, or somebody else's `table.json`."""
    tables = []
    for info in files.list_folder(run, f"*/{layout.TABLE}"):
        with suppress(EnvironmentFault):
            table = read_typed(info.uri, TableFile)
            tables += [table] if table.name == files.name(files.parent(info.uri)) else []
    return tables
