from pathlib import Path

from pipeline import deaths
from pipeline.detections import ChunkId
from pipeline.publish import TEMPORARY

CHUNK = ChunkId(0, 0, 0)


def test_an_attempt_without_an_end_is_a_death_unless_it_is_forgiven(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert [deaths.begin(folder, CHUNK), deaths.begin(folder, CHUNK)] == [0, 1]
    deaths.forgive(folder)
    assert deaths.begin(folder, CHUNK) == 1
    deaths.end(folder, CHUNK)
    assert deaths.count(folder, CHUNK) == 0


def test_a_mark_that_was_being_written_when_its_worker_ended_is_no_mark(tmp_path: Path) -> None:
    deaths.begin(str(tmp_path), CHUNK)
    (tmp_path / deaths.FOLDER / f"{TEMPORARY}1-00000-00000-00001.json").write_bytes(b"")
    deaths.forgive(str(tmp_path))
    assert deaths.count(str(tmp_path), CHUNK) == 0
