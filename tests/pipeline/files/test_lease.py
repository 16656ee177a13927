import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import files
from pipeline.faults import EnvironmentFault
from pipeline.files import lease as leases
from pipeline.files.guards import guarded
from pipeline.files.holder import this_process
from pipeline.files.lease import Lease, LeaseFile, take
from pipeline.files.publish import publish_bytes
from tests import fake_object_store

CONTENT = LeaseFile("run1", "ground", "FlinkRunner", "gritmill-run1", "host:8081", 5.0, this_process())


@pytest.fixture(autouse=True)
def _no_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """In these tests, each run has the same id."""
    monkeypatch.setattr(leases, "_answers", {})


@pytest.fixture(params=["local", "shelf"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    fake_object_store.use(tmp_path)
    return str(tmp_path / "out") if request.param == "local" else "shelf://out"


def names(folder: str) -> list[str]:
    return [files.name(info.uri) for info in files.list_folder(files.join(folder, "lease"))]


def test_the_last_lease_counts_and_a_number_never_comes_again(folder: str) -> None:
    first = take(folder, CONTENT)
    second = take(folder, replace(CONTENT, run="run2"))
    assert (first.number, second.number) == (1, 2)
    assert (first.is_revoked(), second.is_revoked()) == (True, False)
    assert [lease.end() for lease in (second, second, first)] == [True, False, False]
    assert names(folder) == ["000003.json"]
    assert leases.leases(folder)[3].run == ""
    assert take(folder, CONTENT).number == 4
    assert (first.is_revoked(now=True), second.is_revoked(now=True)) == (True, True)


def test_a_worker_learns_of_a_revoked_lease_and_publishes_nothing_more(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = pickle.loads(pickle.dumps(take(folder, CONTENT)))
    now = 100.0
    monkeypatch.setattr(leases.time, "monotonic", lambda: now)
    with guarded(folder, lease.is_in_force):
        assert publish_bytes(files.join(folder, "a"), b"")
        take(folder, replace(CONTENT, run="run2"))
        now += 1.9
        assert publish_bytes(files.join(folder, "b"), b"")  # an answer is good for two seconds
        now += 0.1
        assert not publish_bytes(files.join(folder, "c"), b"")


def test_an_answer_is_asked_for_once_in_two_seconds(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = take(folder, CONTENT)
    now, asked = 100.0, []
    monkeypatch.setattr(leases.time, "monotonic", lambda: now)
    monkeypatch.setattr(leases, "find_typed", lambda uri, _: asked.append(uri) or CONTENT)
    for now in (100.0, 100.5, 101.9, 102.0, 102.1):  # noqa: B007
        assert not Lease(*vars(lease).values()).is_revoked()
    assert len(asked) == 2
    assert not lease.is_revoked(now=True)
    assert len(asked) == 3


def test_a_folder_without_any_trace_of_the_lease_is_another_one(folder: str) -> None:
    lease = replace(take(folder, CONTENT), number=7)
    with pytest.raises(EnvironmentFault, match=r"--output .*out: not there, or not the folder that the driver sees"):
        lease.is_revoked()
    same = replace(lease, number=1, run_id="of another disk")
    with pytest.raises(EnvironmentFault, match="not the folder that the driver sees"):
        same.is_revoked()
    take(folder, CONTENT)
    assert same.is_revoked()


def test_a_stale_listing_of_a_network_disk_still_names_the_lease(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = take(folder, CONTENT)
    monkeypatch.setattr(leases, "find_typed", lambda *_: None)  # it is deleted on the server
    assert lease.is_revoked()


def test_without_an_answer_nothing_is_written(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = take(folder, CONTENT)

    def refuse(*_: object) -> None:
        raise ConnectionError("no answer")

    monkeypatch.setattr(leases, "find_typed", refuse)
    with guarded(folder, lease.is_in_force), pytest.raises(ConnectionError):
        publish_bytes(files.join(folder, "a"), b"")
    assert not files.exists(files.join(folder, "a"))


def test_of_two_that_take_it_at_once_one_is_revoked(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = leases._numbers
    rivals = []

    def late(folder: str) -> list[int]:
        """Another command takes the lease between the listing and the creation."""
        found = numbers(folder)
        if not rivals:
            rivals.append("rival")
            rivals.append(take(folder, replace(CONTENT, run="rival")))  # type: ignore[arg-type]
        return found

    monkeypatch.setattr(leases, "_numbers", late)
    own = take(folder, CONTENT)
    assert (own.number, own.is_revoked(now=True)) == (2, False)
    assert rivals[1].is_revoked(now=True)  # type: ignore[attr-defined]


def test_a_number_that_was_given_and_deleted_after_the_listing_is_not_taken_again(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = leases._numbers
    rivals: list[Lease] = []

    def late(folder: str) -> list[int]:
        found = numbers(folder)
        if not rivals:
            rivals.append(Lease(folder, 0, ""))
            rivals.extend(take(folder, replace(CONTENT, run=run)) for run in ("second", "third"))
        return found

    monkeypatch.setattr(leases, "_numbers", late)
    own = take(folder, CONTENT)
    assert [lease.is_revoked(now=True) for lease in (*rivals[1:], own)] == [True, True, False]
    assert names(folder) == ["000003.json"]


def test_a_command_that_was_killed_while_it_revoked_a_lease_is_finished_by_the_next(folder: str) -> None:
    take(folder, CONTENT)
    leases.publish_typed(files.join(folder, "lease/000002.json"), replace(CONTENT, run="killed"))
    assert [one.run for one in leases.leases(folder).values()] == ["run1", "killed"]
    take(folder, replace(CONTENT, run="run3"))
    assert names(folder) == ["000003.json"]


def test_a_damaged_lease_is_named_with_a_cure(folder: str) -> None:
    take(folder, CONTENT)
    publish_bytes(files.join(folder, "lease/000001.json"), b"{}")
    with pytest.raises(EnvironmentFault, match=r"lease/000001\.json: .*; remove it if no job is using the folder"):
        leases.leases(folder)
