"""What a table beside `detections/` says of itself."""

from dataclasses import dataclass
from typing import ClassVar

from pipeline import files, layout
from pipeline.files.typed import read_typed


@dataclass(frozen=True)
class TableFile:
    """What `table.json` holds. parents: names of tables. fingerprint: of the settings of the table's stages."""

    REMEDY: ClassVar[str] = "remove the table's folder, then ground makes it again"

    name: str
    parents: tuple[str, ...]
    fingerprint: str
    format: int = 1


def table_folders(run: str) -> list[str]:
    """URIs of the folders of a run's tables, apart from detections."""
    return [files.parent(info.uri) for info in files.list_folder(run, f"*/{layout.TABLE}")]


def find_tables(run: str) -> list[TableFile]:
    """What the tables of a run say of themselves; those that were moved aside are not among them."""
    tables = {uri: read_typed(files.join(uri, layout.TABLE), TableFile) for uri in table_folders(run)}
    return [table for uri, table in tables.items() if table.name == files.name(uri)]
