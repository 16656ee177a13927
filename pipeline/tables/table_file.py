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


def find_tables(run: str) -> list[TableFile]:
    """What the tables of a run say of themselves, by name; those that were moved aside are not among them."""
    infos = files.list_folder(run, f"*/{layout.TABLE}")
    return [
        table for info in infos if (table := read_typed(info.uri, TableFile)).name == files.name(files.parent(info.uri))
    ]
