from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import files, layout
from pipeline.configuration import EngineSettings
from pipeline.engines import lasting_faults, remote, run_folder, signs_of_life
from pipeline.engines.heartbeat import Beat
from pipeline.engines.run_folder import claimed
from pipeline.faults import CallError, EnvironmentFault
from pipeline.files import lease as leases
from pipeline.files.guards import Forbidden
from pipeline.files.holder import Holder, this_process
from pipeline.files.lease import LeaseFile, take
from pipeline.files.publish import publish_bytes
from pipeline.files.typed import publish_typed

REMOTE = ("--runner=FlinkRunner", "--flink_master=cluster:8081")
GONE = replace(this_process(), started="1")
ELSEWHERE = replace(this_process(), host="other")
OTHER = LeaseFile("other", "pack", "FlinkRunner", "gritmill-other", "cluster:8081", 0.0, GONE)


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Stands for the engine, which answers: whether it was asked for free slots."""
    asked: list[bool] = []
    monkeypatch.setattr(remote, "connect", lambda beam, run_id, slots=True: asked.append(slots))
    return asked


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long a command waited after it had revoked a lease; instead of waiting."""
    seconds: list[float] = []
    monkeypatch.setattr(run_folder.time, "sleep", seconds.append)
    return seconds


@pytest.fixture
def cancelled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The jobs that are cancelled."""
    jobs: list[tuple[str, str]] = []
    monkeypatch.setattr(run_folder, "cancel_job", lambda rest, job, result=None: jobs.append((rest, job)))
    return jobs


def call(folder: Path, beam: tuple[str, ...] = (), take_over: bool = False) -> Any:
    return claimed(str(folder), "ground", "grit", EngineSettings(), beam, take_over)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.json"))


def beat(folder: Path, process: Any, run: str = "other") -> Path:
    path = folder / f"heartbeats/{run}/{process.name}.json"
    publish_typed(str(path), Beat(process, 1, 0, "boxes"))
    return path


@pytest.mark.parametrize("take_over", [False, True])
def test_a_call_on_this_machine_takes_no_lease(tmp_path: Path, take_over: bool) -> None:
    with call(tmp_path, take_over=take_over) as own:
        assert own.lease is None
        assert own.run_id
        assert names(tmp_path) == []


def test_a_call_on_an_engine_holds_a_lease_and_leaves_only_its_end(tmp_path: Path) -> None:
    with call(tmp_path, REMOTE) as own:
        assert not list(tmp_path.glob("lease/*"))  # its engine has not answered yet
        own.take()
        own.take()
        assert own.lease
        (held,) = leases.leases(str(tmp_path)).values()
        assert (held.run, held.command, held.engine) == (own.run_id, "ground", "FlinkRunner")
        assert (held.job, held.rest, held.driver) == (f"gritmill-{own.run_id}", "cluster:8081", this_process())
        beat(tmp_path, ELSEWHERE, own.run_id)
        publish_bytes(str(tmp_path / f"faults/{own.run_id}/other-7.json"), b"{}")
        (tmp_path / f"{layout.TEMPORARY}0-done.json").write_bytes(b"")  # of a worker that was killed
    assert own.lease.is_revoked()
    assert names(tmp_path) == ["lease/000002.json"]
    assert not (tmp_path / "heartbeats").exists()


@pytest.mark.parametrize("worker", ["alive", "ended"])
def test_a_call_that_fails_leaves_no_lasting_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: str
) -> None:
    monkeypatch.setattr(run_folder, "_LAST_SECONDS", 0.0)
    with pytest.raises(EnvironmentFault, match=r"^worker on x: no$"), call(tmp_path, REMOTE) as own:  # noqa: PT012
        own.take()
        lasting_faults.write(own.folder, own.run_id, "worker on x: no")
        if worker == "alive":
            beat(tmp_path, ELSEWHERE, own.run_id)  # the next command waits for it
        raise EnvironmentFault("worker on x: no")
    left = [f"heartbeats/{own.run_id}/{ELSEWHERE.name}.json"] if worker == "alive" else []
    assert names(tmp_path) == [*left, "lease/000002.json"]
    assert not (tmp_path / "faults").exists()


@pytest.mark.parametrize("beam", [(), REMOTE])
def test_the_lasting_fault_of_a_killed_driver_is_removed_by_the_next_call(
    tmp_path: Path, cancelled: list[tuple[str, str]], beam: tuple[str, ...]
) -> None:
    take(str(tmp_path), OTHER)
    lasting_faults.write(str(tmp_path), "other", "worker on x: no")
    with call(tmp_path, beam) as own:
        own.take()
        assert not (tmp_path / "faults").exists()


def test_the_jobs_have_the_name_that_the_user_gave_and_the_id_of_the_call(tmp_path: Path) -> None:
    with call(tmp_path, (*REMOTE, "--job_name=mine")) as own:
        assert own.content.job == f"mine-{own.run_id}"


@pytest.mark.parametrize("beam", [(), REMOTE])
def test_a_job_that_is_alive_is_refused_before_anything_is_removed(tmp_path: Path, beam: tuple[str, ...]) -> None:
    (tmp_path / "shards").mkdir()
    unfinished = tmp_path / "shards/.gritmill-tmp-1-00000.tar"
    unfinished.write_bytes(b"the job writes it")
    take(str(tmp_path), OTHER)
    beat(tmp_path, GONE)
    process = this_process()
    publish_typed(str(tmp_path / "heartbeats/other/driver.json"), Beat(process, 1, 0, ""))
    refused = (
        rf"--output: {tmp_path}: job gritmill-other on FlinkRunner \(gritmill pack, begun 1970-01-01T00:00:00Z on host "
        rf"{process.host}\) uses this folder: its driver on host {process.host} \(process {process.pid}\) was alive "
        "a moment ago; wait until it has finished, or take the folder over with --take-over"
    )
    for _ in range(2):
        with pytest.raises(CallError, match=rf"^{refused}$"), call(tmp_path, beam):
            pass
    assert unfinished.exists()
    assert [one.run for one in leases.leases(str(tmp_path)).values()] == ["other"]


@pytest.mark.parametrize("beam", [(), REMOTE])
def test_the_lease_of_dead_processes_is_void_and_its_job_is_cancelled(
    tmp_path: Path, cancelled: list[tuple[str, str]], beam: tuple[str, ...]
) -> None:
    """`kill -9` of driver and workers on this machine, and the same command at once."""
    old = take(str(tmp_path), OTHER)
    beat(tmp_path, GONE)
    with call(tmp_path, beam):
        assert old.is_revoked(now=True)
        assert not (tmp_path / "heartbeats/other").exists() or not list((tmp_path / "heartbeats/other").iterdir())
    assert cancelled[0] == ("cluster:8081", "gritmill-other")


@pytest.mark.parametrize("beam", [(), REMOTE])
def test_a_job_is_taken_over_when_its_workers_have_ended(
    tmp_path: Path,
    cancelled: list[tuple[str, str]],
    slept: list[float],
    beam: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = take(str(tmp_path), OTHER)
    path = beat(tmp_path, ELSEWHERE)
    revoked_first = []

    def worker_ends(beats: Any, tell: Callable[[str], None]) -> set[Holder]:
        revoked_first.append((old.is_revoked(now=True), path.exists()))
        assert 0.0 < sum(slept) <= 2.0  # an answer of a worker about its lease is good for so long
        path.unlink()
        return {ELSEWHERE}

    monkeypatch.setattr(signs_of_life, "wait_until_quiet", worker_ends)
    with call(tmp_path, beam, take_over=True) as own:
        own.take()
        assert own.killed == {ELSEWHERE}
        assert own.lease is None or not own.lease.is_revoked(now=True)
    assert revoked_first == [(True, True)]
    assert cancelled[0] == ("cluster:8081", "gritmill-other")


def test_a_job_is_not_taken_over_for_an_engine_that_does_not_answer(
    tmp_path: Path, cancelled: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(beam: Any, run_id: str, slots: bool) -> None:
        assert not slots  # those of the other job are free when it is cancelled
        raise CallError("nobody answers there")

    monkeypatch.setattr(remote, "connect", refuse)
    old = take(str(tmp_path), OTHER)
    beat(tmp_path, ELSEWHERE)
    before = names(tmp_path)
    with pytest.raises(CallError, match="nobody answers there"), call(tmp_path, REMOTE, take_over=True):
        pass
    assert not old.is_revoked(now=True)
    assert cancelled == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["heartbeats", "lease"]
    assert names(tmp_path) == before


def test_a_call_that_is_refused_before_it_writes_takes_no_lease(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="nothing there"), call(tmp_path / "out", REMOTE):
        raise CallError("--input: nothing there")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [None, ValueError("what came of it"), EnvironmentFault("no more shards")])
def test_a_call_that_is_taken_over_writes_nothing_more_and_says_so(tmp_path: Path, error: Exception | None) -> None:
    with pytest.raises(EnvironmentFault, match=f"^{tmp_path}: another command has taken over this folder; check the"):  # noqa: PT012, SIM117
        with call(tmp_path, REMOTE) as own:
            own.take()
            take(str(tmp_path), OTHER)
            assert own.is_taken_over()
            assert not publish_bytes(str(tmp_path / "manifest.json"), b"{}")
            if error:
                raise error
    assert [one.run for one in leases.leases(str(tmp_path)).values()] == ["other"]


def test_a_driver_whose_watch_has_seen_that_it_was_taken_over_cleans_up_nothing(tmp_path: Path) -> None:
    (tmp_path / "work.json").write_bytes(b"")
    with pytest.raises(EnvironmentFault, match=f"^{tmp_path}: another command has taken over this folder; check the"):  # noqa: PT012, SIM117
        with call(tmp_path, REMOTE) as own:
            own.take()
            take(str(tmp_path), OTHER)
            own.cancel()  # what `run_pipeline` does first
            assert not publish_bytes(str(tmp_path / "manifest.json"), b"{}")
            with pytest.raises(Forbidden):
                files.delete([str(tmp_path / "work.json")])
            raise EnvironmentFault("another command has taken over this run folder")
    assert (tmp_path / "work.json").exists()


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt()])
def test_an_exception_ends_the_lease_and_the_driver_may_clean_up(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), call(tmp_path, REMOTE) as own:  # noqa: PT012
        own.take()
        own.end()
        assert own.lease
        assert own.lease.is_revoked()
        assert publish_bytes(str(tmp_path / "cleaned.json"), b"{}")
        raise error
    assert names(tmp_path) == ["cleaned.json", "lease/000002.json"]


def test_a_call_that_is_refused_by_the_lock_leaves_no_lease_of_its_own(
    tmp_path: Path, cancelled: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signs_of_life, "QUIET_SECONDS", 0.1)
    with call(tmp_path):
        take(str(tmp_path), OTHER)
        with pytest.raises(CallError, match="another run is using this folder"), call(tmp_path, REMOTE, take_over=True):
            pass
    assert [one.run for one in leases.leases(str(tmp_path)).values()] == [""]
