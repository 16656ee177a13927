from pathlib import Path

import pytest

from pipeline.ground import attempts
from pipeline.ids import ChunkId
from pipeline.layout import TEMPORARY, WORKING
from tests.pipeline.builders import NOT_OURS

CHUNK = ChunkId(0, 0, 0)


def test_an_attempt_without_an_end_has_failed_unless_it_was_interrupted(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert [attempts.begin(folder, CHUNK), attempts.begin(folder, CHUNK)] == [0, 1]
    attempts.clear_in_progress(folder)
    assert attempts.begin(folder, CHUNK) == 1
    attempts.end(folder, CHUNK)
    assert attempts.failed_count(folder, CHUNK) == 0


def test_a_record_that_was_being_written_when_its_worker_ended_is_no_record(tmp_path: Path) -> None:
    attempts.begin(str(tmp_path), CHUNK)
    (tmp_path / WORKING / f"{TEMPORARY}1-00000-00000-00001.json").write_bytes(b"")
    attempts.clear_in_progress(str(tmp_path))
    assert attempts.failed_count(str(tmp_path), CHUNK) == 0


@pytest.mark.parametrize("content", NOT_OURS)
def test_a_damaged_record_counts_nothing_and_is_removed(tmp_path: Path, content: bytes) -> None:
    attempts.begin(str(tmp_path), CHUNK)
    (record,) = (tmp_path / WORKING).iterdir()
    record.write_bytes(content)
    assert attempts.failed_count(str(tmp_path), CHUNK) == 0
    attempts.clear_in_progress(str(tmp_path))
    assert not record.exists()
