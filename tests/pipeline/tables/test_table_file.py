from pathlib import Path

import pytest

from pipeline.faults import PermissionFault
from pipeline.files.typed import publish_typed
from pipeline.tables import table_file
from pipeline.tables.table_file import TableFile, find_tables


def test_folders_that_are_no_tables_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run folder may be a whole disk: it has a folder lost+found, which only root can read."""
    masks = TableFile("masks", ("detections",), "f")
    publish_typed(str(tmp_path / "masks/table.json"), masks)
    publish_typed(str(tmp_path / "masks.1/table.json"), masks)  # moved aside
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "shards").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/table.json").write_text("[]")
    read = table_file.read_typed

    def refused(uri: str, kind: type[TableFile]) -> TableFile:
        if "lost+found" in uri:
            raise PermissionError(13, "Permission denied", uri)
        return read(uri, kind)

    monkeypatch.setattr(table_file, "read_typed", refused)
    assert find_tables(str(tmp_path)) == [masks]


def test_a_store_that_refuses_to_tell_ends_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `--fresh` would leave the rows of this table where they are."""
    (tmp_path / "masks").mkdir()

    def refused(uri: str, kind: type[TableFile]) -> TableFile:
        raise PermissionFault(uri)

    monkeypatch.setattr(table_file, "read_typed", refused)
    with pytest.raises(PermissionFault):
        find_tables(str(tmp_path), every=True)
    assert find_tables(str(tmp_path)) == []  # a report does without it
