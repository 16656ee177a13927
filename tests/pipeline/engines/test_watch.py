from pipeline.configuration import EngineSettings
from pipeline.engines.heartbeat import Beat
from pipeline.engines.watch import Stall
from pipeline.files.holder import Holder

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
