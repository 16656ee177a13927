import gc
import pickle
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pipeline import files
from pipeline.engines import heartbeat, lasting_faults, worker_context
from pipeline.engines.versions import installed
from pipeline.engines.worker_context import Leased, outputs
from pipeline.faults import EnvironmentFault
from pipeline.files import lease as leases
from pipeline.files.lease import Lease, nobody, take
from pipeline.files.publish import publish, publish_bytes
from transforms.garbage import COLLECT_AFTER


@pytest.fixture
def lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lease]:
    monkeypatch.setattr(leases, "GOOD_SECONDS", 0.0)
    lease = take(str(tmp_path), replace(nobody(), run=tmp_path.name))
    yield lease
    heartbeat.of_worker(lease).stop()


def write(folder: str, name: str) -> None:
    with publish(f"{folder}/{name}") as file:  # raises, if it is forbidden
        file.write(b"")


def test_a_step_runs_under_its_lease_and_not_after_it(lease: Lease, tmp_path: Path) -> None:
    step = pickle.loads(pickle.dumps(Leased(lease, "count", len)))
    many = Leased(lease, "count", list, many=True)
    assert list(step("abc")) == [3]
    assert list(many("abc")) == ["a", "b", "c"]
    assert [path.suffix for path in tmp_path.glob("heartbeats/*/[!.]*")] == [".json"]  # its first beat
    lease.end()
    assert list(step("abc")) == list(many("abc")) == []
    assert list(Leased(None, "count", len)("abc")) == [3]


@pytest.mark.parametrize(("before", "under_lease"), [(700, COLLECT_AFTER), (2 * COLLECT_AFTER,) * 2, (0, 0)])
def test_a_worker_of_an_engine_collects_garbage_as_rarely_as_a_local_one(
    lease: Lease, before: int, under_lease: int
) -> None:
    threshold = gc.get_threshold()
    try:
        gc.set_threshold(before, *threshold[1:])
        found = [next(Leased(given, "count", lambda _: gc.get_threshold()[0])("")) for given in (None, lease)]
    finally:
        gc.set_threshold(*threshold)
    assert found == [before, under_lease]


def test_a_step_that_is_revoked_in_its_middle_stops_without_an_exception(lease: Lease, tmp_path: Path) -> None:
    def run() -> Iterator[str]:
        write(lease.folder, "first")
        yield "first"
        lease.end()
        assert not publish_bytes(f"{lease.folder}/second", b"")
        write(lease.folder, "third")
        yield "third"

    assert list(outputs(lease, "commit", run)) == ["first"]
    assert (tmp_path / "first").exists()
    assert not (tmp_path / "second").exists() | (tmp_path / "third").exists()


@pytest.mark.parametrize("how", ["output", "deletion", "other exception"])
def test_nothing_comes_of_a_step_whose_lease_was_revoked(lease: Lease, tmp_path: Path, how: str) -> None:
    (tmp_path / "old").write_bytes(b"")

    def run() -> Iterator[str]:
        lease.end()
        if how == "deletion":
            files.delete([f"{lease.folder}/old"])
        if how == "other exception":  # the next run has moved the folder of the table
            raise FileNotFoundError("plan.json")
        yield "made for nobody"

    assert list(outputs(lease, "commit", run)) == []
    assert (tmp_path / "old").exists()


def test_each_file_of_a_step_is_progress(lease: Lease) -> None:
    def run() -> Iterator[int]:
        before = heartbeat.counter()
        write(lease.folder, "first")
        write(lease.folder, "second")
        yield heartbeat.counter() - before

    assert list(outputs(lease, "commit", run)) == [2]


def test_exceptions_of_a_step_are_raised_while_the_lease_is_in_force(lease: Lease) -> None:
    def run() -> Iterator[str]:
        raise FileNotFoundError("plan.json")
        yield ""

    with pytest.raises(FileNotFoundError):
        list(outputs(lease, "commit", run))


def test_a_worker_that_does_not_see_the_run_folder_raises(lease: Lease, tmp_path: Path) -> None:
    """Beam's own worker starts the steps without any check. Ending as if revoked would lose work."""
    lost = replace(lease, folder=str(tmp_path / "elsewhere"))
    with pytest.raises(EnvironmentFault, match="elsewhere: not there, or not the folder that the driver sees; give"):
        list(Leased(lost, "count", len)("abc"))
    assert not (tmp_path / "elsewhere").exists()


def test_a_worker_of_another_version_raises_and_the_run_folder_says_so(tmp_path: Path) -> None:
    content = replace(nobody(), run="versions", versions={**asdict(installed()), "beam": "1.0"})
    lease = take(str(tmp_path), content)
    for _ in range(2):
        with pytest.raises(
            EnvironmentFault, match=r"^worker on .*: Beam .* here, 1\.0 in the driver; install the same"
        ):
            list(Leased(lease, "count", len)("abc"))
    assert ": Beam " in lasting_faults.read(lease.folder, lease.run_id)
    assert not (tmp_path / "heartbeats").exists()


def test_the_versions_are_read_once_in_a_process(lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    monkeypatch.setattr(worker_context, "installed", lambda: read.append(1) or installed())
    take(lease.folder, replace(nobody(), run="other"))
    own = take(lease.folder, replace(nobody(), run="same", versions=asdict(installed())))
    assert [list(Leased(own, "count", len)("abc")) for _ in range(3)] == [[3]] * 3
    heartbeat.of_worker(own).stop()
    assert len(read) == 1


def test_a_step_that_needs_everything_before_it_asks_again(lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker has seen that the lease is revoked, and dropped something; here, the last answer is younger."""
    monkeypatch.setattr(leases, "GOOD_SECONDS", 60.0)
    monkeypatch.setattr(heartbeat.Heart, "_run", lambda _: None)  # it asks, too
    assert not lease.is_revoked()
    take(lease.folder, nobody())
    assert list(outputs(lease, "count", lambda: ["counted"])) == ["counted"]
    assert list(outputs(lease, "plan shards", lambda: ["planned"], complete=True)) == []
