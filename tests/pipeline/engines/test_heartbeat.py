import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import files
from pipeline.engines import heartbeat, lasting_faults
from pipeline.engines.heartbeat import Beats, Heart, advance, of_worker
from pipeline.files.guards import changing, guarded, is_changing
from pipeline.files.holder import this_process
from pipeline.files.lease import Lease, nobody, take
from pipeline.files.publish import publish_json
from pipeline.layout import DRIVER


def until(condition: Callable[[], object]) -> None:
    """Waits for what a thread does."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def lease(tmp_path: Path) -> Lease:
    return take(str(tmp_path), replace(nobody(), run=tmp_path.name))


@pytest.fixture
def heart(lease: Lease, monkeypatch: pytest.MonkeyPatch) -> Iterator[Heart]:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)
    heart = Heart(lease)
    yield heart
    heart.stop()


def beats(lease: Lease) -> list[heartbeat.Beat]:
    return list(Beats(lease.folder, lease.run_id).look().values())


def test_a_heart_beats_and_says_what_was_done(lease: Lease, heart: Heart) -> None:
    with guarded(lease.folder, lambda: False):  # what may be written does not matter to it
        heart.start()
        until(lambda: beats(lease))
        (first,) = beats(lease)
        advance("boxes")
        until(lambda: beats(lease)[0].counter > first.counter)
        until(lambda: beats(lease)[0].beats > first.beats + 1)
    assert first.process == this_process()
    assert beats(lease)[0].step == "boxes"
    heart.stop()
    assert beats(lease) == []


def test_a_heart_of_a_revoked_lease_ends_when_no_step_may_still_write(lease: Lease, heart: Heart) -> None:
    heart.start()
    with heart.working("commit"):
        until(lambda: beats(lease))
        lease.end()
        until(lambda: lease.is_revoked(now=True))
        (last,) = beats(lease)
        stopped = threading.Event()
        threading.Thread(target=lambda: (heart._thread.join(), stopped.set()), daemon=True).start()
        assert not stopped.wait(0.5)
        assert beats(lease)[0].beats - last.beats <= 1  # it beats no more
    assert stopped.wait(30)
    assert beats(lease) == []


def test_a_heart_of_a_revoked_lease_goes_on_while_a_file_may_still_appear(lease: Lease, heart: Heart) -> None:
    heart.start()
    with heart.working("commit"):
        with changing():  # a store answers after minutes
            until(lambda: beats(lease))
            lease.end()
            (last,) = beats(lease)
            until(lambda: beats(lease)[0].beats > last.beats + 2)
        assert not is_changing()
    until(lambda: not beats(lease))


def test_the_first_beat_of_a_worker_is_there_before_its_first_step(
    lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Heart, "_run", lambda _: None)
    heart = of_worker(lease)
    assert [beat.beats for beat in beats(lease)] == [1]
    assert of_worker(lease) is heart


def test_only_changed_heartbeats_are_read_again(lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    read, real = [], heartbeat._read
    monkeypatch.setattr(heartbeat, "_read", lambda uri: read.append(uri) or real(uri))
    hearts = [Heart(lease, name) for name in (DRIVER, "other-1", "other-2")]
    for heart in hearts:
        heart._write()
    seen = Beats(lease.folder, lease.run_id)
    assert len(seen.look()) == len(seen.look()) == len(read) == 3
    for _ in range(9):  # the tenth beat has one character more
        hearts[1]._write()
    assert sorted(beat.beats for beat in seen.look().values()) == [1, 1, 10]
    assert len(read) == 4
    files.delete(seen.look())
    assert seen.look() == {}


def test_a_damaged_heartbeat_is_left_out(lease: Lease) -> None:
    publish_json(f"{lease.folder}/heartbeats/{lease.run_id}/x-1.json", {})
    assert beats(lease) == []


def test_a_lasting_fault_of_a_worker_is_read(lease: Lease) -> None:
    assert lasting_faults.read(lease.folder, lease.run_id) == ""
    publish_json(f"{lease.folder}/faults/{lease.run_id}/h1-7.json", {"message": "h1: gritmill 9, and the plan is of 1"})
    publish_json(f"{lease.folder}/faults/another/h1-7.json", {"message": "of an earlier run"})
    assert lasting_faults.read(lease.folder, lease.run_id) == "h1: gritmill 9, and the plan is of 1"
