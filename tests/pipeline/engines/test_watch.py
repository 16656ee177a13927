from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import files, layout
from pipeline.configuration import EngineSettings
from pipeline.engines import watch
from pipeline.engines.heartbeat import Beat
from pipeline.engines.watch import Stall
from pipeline.files.holder import Holder
from pipeline.files.lease import nobody, take
from pipeline.files.typed import publish_typed

MINUTE = 60.0


def beat(counter: int, beats: int = 1, host: str = "h1") -> Beat:
    return Beat(Holder(host, "", 7, ""), beats, counter, "boxes")


def test_a_job_whose_workers_do_nothing_is_stalled() -> None:
    stall, told = Stall(EngineSettings(), began=0.0), list[str]()
    assert stall.look({"a": beat(1), "b": beat(5, host="h2")}, 1 * MINUTE, told.append) == ""
    assert stall.look({"a": beat(1, 40), "b": beat(6, 40, "h2")}, 14 * MINUTE, told.append) == ""
    assert stall.look({"a": beat(1, 80)}, 28.9 * MINUTE, told.append) == ""  # one of them did something 15 minutes ago
    line = stall.look({"a": beat(1, 81)}, 29 * MINUTE, told.append)
    assert line.startswith(
        "no worker has done anything for 15 minutes (engine.stall_minutes); 1 worker left, such as h1 "
    )
    assert line.endswith("run the same command to resume")
    assert told == []


def test_workers_that_vanish_count_from_their_last_sign() -> None:
    stall = Stall(EngineSettings(stall_minutes=2), began=0.0)
    assert stall.look({"a": beat(1)}, 0.0, print) == ""
    assert stall.look({}, 1.9 * MINUTE, print) == ""
    assert "no worker is left" in stall.look({}, 2 * MINUTE, print)
    assert stall.look({"b": beat(1)}, 2.1 * MINUTE, print) == ""  # a new one has started


def test_a_job_without_workers_says_so_each_minute_and_ends() -> None:
    stall, told = Stall(EngineSettings(start_minutes=3), began=50.0), list[str]()
    lines = [stall.look({}, 50.0 + 10.0 * look, told.append) for look in range(19)]
    assert lines[:-1] == [""] * 18
    assert lines[-1].startswith("no worker has started within 3 minutes (engine.start_minutes); check on the engine's")
    assert told == [f"no worker has started yet, {minute} of at most 3 minutes" for minute in (1, 2)]


def test_workers_of_an_earlier_job_of_the_call_do_not_count_as_started() -> None:
    """`run` gives `ground` and `pack` one lease. The heartbeat of a worker that was killed in `ground` stays."""
    settings, told = EngineSettings(start_minutes=30, stall_minutes=2), list[str]()
    stall = Stall(settings, began=0.0, old={"killed": beat(5), "alive": beat(9)})
    idle = {"killed": beat(5), "alive": beat(9, beats=30)}
    assert stall.look(idle, 29 * MINUTE, told.append) == ""
    assert told == ["no worker has started yet, 29 of at most 30 minutes"]
    assert stall.look({**idle, "alive": beat(10, beats=31)}, 29.5 * MINUTE, told.append) == ""
    line = stall.look({**idle, "alive": beat(10, beats=40)}, 31.5 * MINUTE, told.append)
    assert line.startswith(
        "no worker has done anything for 2 minutes (engine.stall_minutes); 1 worker left, such as h1"
    )


def test_a_watch_knows_the_workers_that_were_there_before_its_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.01)
    lease = take(str(tmp_path), replace(nobody(), run=tmp_path.name))
    publish_typed(files.join(lease.folder, layout.heartbeat(lease.run_id, "h1-7")), beat(5))
    publish_typed(files.join(lease.folder, layout.heartbeat(lease.run_id, layout.DRIVER)), beat(5))
    one = watch.Watch(lease, EngineSettings(start_minutes=0.0005), print)
    one._thread.join(30.0)
    assert one.verdict.startswith("no worker has started within 0.0005 minutes")
