from pathlib import Path

import pytest

from pipeline.faults import EnvironmentFault
from pipeline.ground import retry
from pipeline.ids import ChunkId
from pipeline.layout import RETRY
from pipeline.tables.detections import open_detections
from tests.pipeline.builders import NOT_OURS


def test_the_list_is_read_as_it_was_written(tmp_path: Path) -> None:
    table = open_detections(str(tmp_path))
    (tmp_path / RETRY).write_text('{"chunks": [[0, 1, 2], [3, 0, 0]]}')  # as 0.1 wrote it
    assert retry.pending(table) == {ChunkId(0, 1, 2): "", ChunkId(3, 0, 0): ""}
    retry.drop_sources(table, [3])
    assert retry.pending(table) == {ChunkId(0, 1, 2): ""}
    (tmp_path / RETRY).write_text('{"chunks": [[0, 1, 2], [3, 0, 0]], "digests": ["a", "b"]}')
    assert retry.pending(table) == {ChunkId(0, 1, 2): "a", ChunkId(3, 0, 0): "b"}
    retry.drop_sources(table, [0])
    assert retry.pending(table) == {ChunkId(3, 0, 0): "b"}


@pytest.mark.parametrize("content", [*NOT_OURS, b'{"chunks": [[1, 2]]}', b'{"chunks": 3}'])
def test_a_damaged_list_is_one_line_with_the_cure(tmp_path: Path, content: bytes) -> None:
    (tmp_path / RETRY).write_bytes(content)
    with pytest.raises(EnvironmentFault) as refused:
        retry.pending(open_detections(str(tmp_path)))
    line = str(refused.value)
    assert line.startswith(f"{tmp_path}/{RETRY}: not in the expected format: ")
    assert line.endswith("; remove it and run ground --retry-failed again")
    assert "\n" not in line
