"""Names of files -> kinds of sources."""

from pathlib import Path

import pytest

from pipeline.faults import CallError
from pipeline.sources import kind_of
from tests.pipeline.builders import source_settings, stored


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("a.xlsx", "save it as CSV"),
        ("a.ZIP", "unpack it, or pack it again as .tar or .tar.gz"),
        ("a.tar.bz2", "unpack it, or pack it again as .tar or .tar.gz"),
        ("captions.txt", "if it is a table, set source.kind=csv or source.kind=tsv; if it lists URLs, download the "),
        ("a.txt.gz", "if it is a table, set source.kind=csv or source.kind=tsv; if it lists URLs, download the "),
        ("a.pkl", "convert it, or set source.kind=… if it is one of these under another name"),
        ("noext", "convert it, or set source.kind=… if it is one of these under another name"),
        ("zip", "convert it, or set source.kind=… if it is one of these under another name"),
    ],
)
def test_a_file_of_another_kind_gets_the_cure_and_the_list_of_kinds(tmp_path: Path, name: str, cure: str) -> None:
    uri = stored(tmp_path / name, "x").uri
    with pytest.raises(CallError) as refused:
        kind_of(uri, source_settings())
    assert str(refused.value).startswith(f"--input: {uri}: cannot detect its kind from its name; {cure}")
    tables = ".parquet, .arrow, .arrows, .feather, .ipc, .jsonl, .ndjson, .csv, .tsv, .token, .json"
    assert str(refused.value).endswith(f"; gritmill reads .tar, .tgz, {tables} and folders of pictures")


def test_a_folder_in_a_command_to_copy_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=rf"use its folder: --input '{tmp_path}/my pictures'$"):
        kind_of(stored(tmp_path / "my pictures" / "a.jpg", "x").uri, source_settings())
