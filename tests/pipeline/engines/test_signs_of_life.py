import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.engines import signs_of_life
from pipeline.engines.heartbeat import Beat, Beats
from pipeline.engines.signs_of_life import Workers, find_alive, wait_until_quiet
from pipeline.faults import EnvironmentFault
from pipeline.files.holder import Holder, this_process
from pipeline.files.lease import Lease
from pipeline.files.typed import publish_typed

ELSEWHERE = Beat(Holder("other", "its boot", 7, "1"), 1, 0, "read")


class World:
    """A clock, and what others do: `at` some seconds, once."""

    def __init__(self, folder: Path) -> None:
        self.now, self.folder, self.told = 0.0, folder, list[str]()
        self.events: list[tuple[float, Callable[[], object]]] = []

    def at(self, seconds: float, event: Callable[[], object]) -> None:
        self.events.append((seconds, event))

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        due = [event for when, event in self.events if when <= self.now]
        self.events = [one for one in self.events if one[0] > self.now]
        for event in due:
            event()

    def write(self, beat: Beat, name: str = "other-7", run: str = "run1") -> Path:
        path = self.folder / "heartbeats" / run / f"{name}.json"
        publish_typed(str(path), beat)
        return path

    def find_alive(self) -> tuple[str, Beat] | None:
        return find_alive(Beats(str(self.folder), without="own"), self.told.append, lambda: self.now, self.sleep)

    def wait(self) -> set[Holder]:
        return wait_until_quiet(Beats(str(self.folder), without="own"), self.told.append, lambda: self.now, self.sleep)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_nobody_is_alive_without_heartbeats(world: World) -> None:
    world.write(ELSEWHERE, run="own")
    assert world.find_alive() is None
    world.wait()
    assert (world.now, world.told) == (0.0, [])


def test_a_heartbeat_that_changes_is_alive_whatever_its_clock_says(world: World) -> None:
    path = world.write(ELSEWHERE)
    world.at(20.0, lambda: world.write(replace(ELSEWHERE, beats=2)))
    found = world.find_alive()
    assert found
    assert (found[0], found[1].beats, world.now) == (str(path), 2, 20.0)


def test_a_worker_that_starts_meanwhile_is_alive(world: World) -> None:
    world.write(ELSEWHERE)
    world.at(5.0, lambda: world.write(ELSEWHERE, "other-8"))
    found = world.find_alive()
    assert found
    assert found[0].endswith("other-8.json")


def test_a_heartbeat_that_stands_still_for_90_seconds_is_dead(world: World) -> None:
    world.write(ELSEWHERE)
    assert world.find_alive() is None
    assert world.now == 90.0


def test_a_process_of_this_machine_is_known_at_once(world: World) -> None:
    own = this_process()
    gone = world.write(Beat(replace(own, started="1"), 1, 0, ""), "gone")
    assert world.find_alive() is None
    assert world.wait() == {replace(own, started="1")}
    assert not gone.exists()
    world.write(Beat(own, 1, 0, ""))
    assert world.find_alive()
    assert world.now == 0.0


def test_a_taken_over_job_is_waited_for_until_its_workers_say_that_they_have_ended(world: World) -> None:
    first, second = world.write(ELSEWHERE), world.write(ELSEWHERE, "other-8")
    world.at(3.0, first.unlink)
    world.at(7.0, second.unlink)
    world.wait()
    assert 7.0 <= world.now < 8.0
    assert len(world.told) == 1


def test_a_worker_that_was_killed_is_waited_for_a_minute_after_its_last_beat(world: World) -> None:
    path = world.write(ELSEWHERE)
    world.at(15.0, lambda: world.write(replace(ELSEWHERE, beats=2)))
    world.wait()
    assert 75.0 <= world.now < 77.0
    assert not path.exists()


def test_a_worker_that_goes_on_for_five_minutes_is_named(world: World) -> None:
    for number in range(40):
        world.at(10.0 * number, lambda number=number: world.write(replace(ELSEWHERE, beats=number)))  # type: ignore[misc]
    world.write(ELSEWHERE)
    with pytest.raises(EnvironmentFault, match="process 7 on host other goes on although its lease is revoked; end it"):
        world.wait()


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of `time.monotonic` in `signs_of_life`, as a list with one number."""
    now = [1000.0]
    monkeypatch.setattr(signs_of_life, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_a_worker_on_another_host_has_ended_if_its_heartbeat_stands_still(world: World, seconds: list[float]) -> None:
    workers = pickle.loads(pickle.dumps(Workers(Lease(str(world.folder), 1, "run1"))))
    still, lives = (replace(ELSEWHERE, process=replace(ELSEWHERE.process, pid=pid)) for pid in (7, 8))
    for beat in (still, lives):
        world.write(beat, beat.process.name)
    assert [workers.has_ended(beat.process) for beat in (still, lives)] == [None, None]
    world.write(replace(lives, beats=2), lives.process.name)
    answers = []
    for _ in range(61):
        seconds[0] += 1.0
        answers.append([workers.has_ended(beat.process) for beat in (still, lives)])
    assert answers[0] == [None, False]
    assert answers[1:59] == [[None, None]] * 58
    assert answers[59:] == [[True, None], [True, True]]  # the second one has died since


def test_a_look_long_ago_is_no_proof_of_life_or_death(world: World, seconds: list[float]) -> None:
    workers = Workers(Lease(str(world.folder), 1, "run4"))
    world.write(ELSEWHERE, ELSEWHERE.process.name, "run4")
    assert workers.has_ended(ELSEWHERE.process) is None
    seconds[0] += 3600.0
    assert workers.has_ended(ELSEWHERE.process) is None  # the storage may have hung for an hour
    world.write(replace(ELSEWHERE, beats=2), ELSEWHERE.process.name, "run4")
    seconds[0] += 3600.0
    assert workers.has_ended(ELSEWHERE.process) is None  # it may have died half an hour ago
    seconds[0] += 1.0
    world.write(replace(ELSEWHERE, beats=3), ELSEWHERE.process.name, "run4")
    assert workers.has_ended(ELSEWHERE.process) is False


def test_a_worker_whose_heartbeat_is_gone_or_of_another_process_has_ended(world: World) -> None:
    workers = Workers(Lease(str(world.folder), 1, "run2"))
    assert workers.has_ended(replace(ELSEWHERE.process, pid=9))
    world.write(ELSEWHERE, ELSEWHERE.process.name, "run2")
    assert workers.has_ended(replace(ELSEWHERE.process, started="2"))
    assert workers.has_ended(ELSEWHERE.process) is None


def test_a_process_of_this_host_needs_no_heartbeat(world: World) -> None:
    workers = Workers(Lease(str(world.folder), 1, "run3"))
    assert workers.has_ended(this_process()) is False
    assert workers.has_ended(replace(this_process(), started="0")) is True
