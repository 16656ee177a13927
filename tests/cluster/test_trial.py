"""How a run on an engine is compared with that of the local engine."""

import glob
import hashlib
import tarfile
from pathlib import Path

import pytest

from cluster import rows, trial
from cluster.beam import External, Loopback
from cluster.noted_grounder import NOTES, notes
from stress.commands import RUN_FILES, digests


def run_folder(path: Path, **files: bytes) -> Path:
    for name, data in {"detections/plan.json": b"1", "shards/00000.tar": b"2", "manifest.json": b"3", **files}.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def test_what_differs_is_named(tmp_path):
    expected = digests(run_folder(tmp_path / "local"), RUN_FILES)
    assert len(expected) == 3
    assert trial.difference(run_folder(tmp_path / "same", **{"run.log": b"x"}), expected) == ""
    other = run_folder(tmp_path / "other", **{"shards/00000.tar": b"4"})
    assert trial.difference(other, expected) == "1 files differ: shards/00000.tar"
    more = run_folder(tmp_path / "more", **{"shards/00001.tar": b"4"})
    assert trial.difference(more, expected) == "1 files differ: shards/00001.tar"
    (other / "manifest.json").unlink()
    assert trial.difference(other, expected) == "1 files are missing: manifest.json"


def test_a_picture_that_is_looked_at_after_its_commit_is_computed_again(tmp_path):
    (tmp_path / "1.txt").write_text("10.0 a\n11.0 b\n")
    (tmp_path / "2.txt").write_text("30.0 b\n")
    assert notes(tmp_path) == {"a": [10.0], "b": [11.0, 30.0]}
    assert trial.computed_again(tmp_path, {"a": 20.0, "b": 20.0}) == 1
    assert trial.computed_again(tmp_path, {"a": 20.0}) == 0  # b was lost and done once more


def test_notes_are_only_taken_in_the_block(tmp_path, monkeypatch):
    monkeypatch.delenv(NOTES, raising=False)
    with trial.noted(tmp_path / "notes") as folder:
        with trial.noted(tmp_path / "inner") as inner:
            assert trial.os.environ[NOTES] == str(inner)
        assert trial.os.environ[NOTES] == str(folder)
    assert NOTES not in trial.os.environ


def test_all_pictures_of_the_input_differ(tmp_path):
    tars = sorted(glob.glob(trial.Lab(tmp_path).input))
    assert len(tars) == trial.TARS
    seen = set()
    for path in tars:
        with tarfile.open(path) as tar:
            members = [member for member in tar if member.name.endswith(".jpg")]
            seen |= {hashlib.sha256(tar.extractfile(member).read()).hexdigest() for member in members}
    assert len(seen) == len(tars) * len(members)


@pytest.mark.slow
@pytest.mark.parametrize("engine", [Loopback(), External()])
def test_beams_job_service_gives_the_bytes_of_the_local_engine(tmp_path, engine, monkeypatch):
    monkeypatch.setattr(trial, "TARS", 2)
    monkeypatch.setattr(trial, "PAIRS", 6)
    outcomes = list(rows.trials(engine, 1, trial.Lab(tmp_path), tmp_path / "row"))
    assert [(outcome.what, outcome.wrong) for outcome in outcomes] == [("clean run, 1 workers", "")]


def test_a_row_that_cannot_be_tried_is_wrong(tmp_path):
    class Broken(Loopback):
        def started(self, folder, impatient=False, worker=None):
            raise OSError("no")

    outcomes = list(rows.trials(Broken(), 1, trial.Lab(tmp_path), tmp_path / "row"))
    assert [(outcome.row, outcome.what, outcome.wrong) for outcome in outcomes] == [(1, "clean_run", "OSError: no")]
