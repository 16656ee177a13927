import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import layout
from pipeline.configuration import EngineSettings
from pipeline.engines.claim import Claim
from pipeline.files.holder import Holder, this_process
from pipeline.files.lease import Lease, nobody
from pipeline.files.run_log import RunLog
from pipeline.files.typed import publish_typed
from pipeline.ground import attempts, graph
from pipeline.ground.attempts import NONE, AttemptLog, Mark
from pipeline.ids import ChunkId
from pipeline.layout import TEMPORARY, WORKING
from tests.pipeline.builders import NOT_OURS

CHUNK, OTHER = ChunkId(0, 0, 0), ChunkId(0, 0, 1)
GONE = replace(this_process(), started="0")
"""A process of this host that has ended."""
ELSEWHERE = replace(this_process(), host="other", boot="another")


@pytest.fixture
def log(tmp_path: Path) -> AttemptLog:
    return AttemptLog(str(tmp_path), "run")


def leave(log: AttemptLog, chunk: ChunkId, mark: Mark) -> None:
    """Begins an attempt as another process."""
    record = replace(log.begin(chunk), mark=mark)
    publish_typed(f"{log.folder}/{layout.working(chunk)}", record)


def test_an_attempt_of_a_process_that_runs_is_no_death(log: AttemptLog) -> None:
    assert [log.begin(CHUNK).deaths for _ in range(3)] == [0, 0, 0]  # an engine retries in the same process
    attempts.end(log.folder, CHUNK)
    assert not list(Path(log.folder).rglob("*.json"))


def test_two_workers_that_died_in_turn_blame_the_chunk(log: AttemptLog) -> None:
    leave(log, CHUNK, Mark("run", GONE))
    record = log.begin(CHUNK)
    assert (record.deaths, record.suspected, record.crashes) == (1, True, 0)
    leave(log, CHUNK, Mark("run", GONE))
    assert log.begin(CHUNK).crashes == 2


def test_one_process_at_several_chunks_blames_only_the_one_where_it_happens_again(log: AttemptLog) -> None:
    for chunk in (CHUNK, OTHER):
        leave(log, chunk, Mark("run", GONE))
    leave(log, CHUNK, Mark("run", GONE))
    assert (log.begin(CHUNK).crashes, log.begin(OTHER).crashes) == (2, 0)


def test_the_death_of_a_child_blames_the_chunk_at_once(log: AttemptLog) -> None:
    log.begin(CHUNK)
    log.add_child_death(CHUNK)
    assert log.begin(CHUNK).crashes == 1
    leave(log, CHUNK, Mark("run", GONE))  # one worker that dies as well blames nobody
    assert log.begin(CHUNK).crashes == 1


def test_a_process_elsewhere_is_dead_if_its_heartbeat_stands_still(log: AttemptLog) -> None:
    first, second, third = (replace(ELSEWHERE, pid=pid) for pid in (1, 2, 3))
    for process in (first, second, third):
        leave(log, CHUNK, Mark("run", process))
    record = log.begin(CHUNK)
    assert (record.deaths, [mark.holder for mark in record.earlier]) == (0, [first, second, third])
    assert log.begin(CHUNK).earlier == record.earlier  # a later attempt asks again
    later = replace(log, has_ended={first: True, second: False, third: None}.__getitem__)
    record = later.begin(CHUNK, lambda _: None)
    assert (record.deaths, record.earlier) == (1, (Mark("run", third),))
    assert replace(log, has_ended=lambda _: True).begin(CHUNK).crashes == 2


def test_an_attempt_on_an_engine_waits_until_it_is_known_whether_another_host_died_at_the_chunk(
    log: AttemptLog,
) -> None:
    answers: list[bool | None] = [None, None, True]
    log = replace(log, has_ended=lambda _: answers.pop(0))
    leave(replace(log, has_ended=None), CHUNK, Mark("run", ELSEWHERE))
    slept: list[float] = []
    assert log.begin(CHUNK, slept.append).deaths == 1
    assert slept == [1.0, 1.0]


def test_an_attempt_waits_not_for_ever_and_not_if_nobody_was_at_the_chunk(log: AttemptLog) -> None:
    def raise_error(_: Holder) -> bool:
        raise OSError("the store does not answer")

    log = replace(log, has_ended=raise_error)
    slept: list[float] = []
    log.begin(CHUNK, slept.append)
    assert not slept
    leave(replace(log, has_ended=None), CHUNK, Mark("run", ELSEWHERE))
    assert log.begin(CHUNK, slept.append).earlier == (Mark("run", ELSEWHERE),)
    assert 60 < sum(slept) < 120


def test_a_process_of_an_earlier_call_is_dead_wherever_it_ran(log: AttemptLog) -> None:
    leave(log, CHUNK, Mark("earlier", ELSEWHERE))
    assert log.begin(CHUNK).deaths == 1


def test_a_worker_whose_lease_was_revoked_did_not_die_at_its_chunk_unless_it_was_killed(log: AttemptLog) -> None:
    for run in ("first", "second"):
        leave(log, CHUNK, Mark(run, ELSEWHERE, beats=True))
        assert log.begin(CHUNK) == replace(NONE, working=True, mark=Mark("run", this_process()))
    leave(log, CHUNK, Mark("third", ELSEWHERE, beats=True))
    assert replace(log, killed=[ELSEWHERE]).begin(CHUNK).deaths == 1


def test_the_log_of_a_job_asks_for_heartbeats(tmp_path: Path) -> None:
    folder = str(tmp_path)
    claim = Claim(folder, nobody(), RunLog(folder), EngineSettings(), print, frozenset([GONE]))
    log = graph.attempt_log(folder, claim, "run", in_child=True)
    assert (log.has_ended, log.killed) == (None, {GONE})
    claim.lease = Lease(folder, 1, "run")
    log = graph.attempt_log(folder, claim, "run", in_child=True)
    assert log.has_ended is not None
    assert log.has_ended(ELSEWHERE)  # it has no heartbeat
    mark = log.begin(CHUNK).mark
    assert mark is not None
    assert mark.beats


def test_a_released_attempt_and_an_interrupted_one_are_no_deaths(log: AttemptLog) -> None:
    log.begin(CHUNK)
    log.release(CHUNK)
    assert not list(Path(log.folder).rglob("*.json"))
    log.add_child_death(CHUNK)
    log.release(CHUNK)
    assert log.find(CHUNK) == replace(NONE, child_deaths=1)
    leave(log, CHUNK, Mark("run", GONE))
    attempts.clear_in_progress(log.folder)
    assert log.find(CHUNK) == replace(NONE, child_deaths=1)


def test_on_an_engine_an_attempt_that_raises_is_released_by_its_worker(log: AttemptLog) -> None:
    for in_child in (False, True):
        there = replace(log, in_child=in_child)
        there.begin(CHUNK)
        with pytest.raises(ValueError, match="no"), there.releasing(CHUNK):
            raise ValueError("no")
        assert bool(list(Path(log.folder).rglob("*.json"))) is not in_child


def test_only_the_attempts_of_workers_that_gritmill_ended_are_cleared(log: AttemptLog) -> None:
    leave(log, CHUNK, Mark("run", replace(GONE, pid=1)))
    leave(log, OTHER, Mark("run", replace(GONE, pid=2)))
    attempts.clear_in_progress(log.folder, of=[2])
    assert (log.find(CHUNK).deaths, log.find(OTHER).deaths) == (1, 0)


@pytest.mark.parametrize(("deaths", "working", "crashes"), [(0, True, 0), (1, False, 0), (1, True, 2), (2, False, 2)])
def test_records_of_release_0_1_count(log: AttemptLog, deaths: int, working: bool, crashes: int) -> None:
    path = Path(log.folder) / layout.working(CHUNK)
    path.parent.mkdir()
    path.write_text(json.dumps({"deaths": deaths, "working": working}))
    assert log.find(CHUNK).deaths == deaths + working
    assert log.begin(CHUNK).crashes == crashes


def test_a_record_that_was_being_written_when_its_worker_ended_is_no_record(log: AttemptLog) -> None:
    log.begin(CHUNK)
    (Path(log.folder) / WORKING / f"{TEMPORARY}1-00000-00000-00001.json").write_bytes(b"")
    attempts.clear_in_progress(log.folder)
    assert log.find(CHUNK) == NONE


@pytest.mark.parametrize("content", NOT_OURS)
def test_a_damaged_record_counts_nothing_and_is_removed(log: AttemptLog, content: bytes) -> None:
    log.begin(CHUNK)
    (record,) = (Path(log.folder) / WORKING).iterdir()
    record.write_bytes(content)
    assert log.find(CHUNK) == NONE
    attempts.clear_in_progress(log.folder)
    assert not record.exists()


def test_where_models_run_in_child_processes_reading_ahead_leaves_no_record(log: AttemptLog) -> None:
    assert replace(log, in_child=True).reading(CHUNK) == NONE
    assert not list(Path(log.folder).rglob("*.json"))
    log.reading(CHUNK)
    assert list(Path(log.folder).rglob("*.json"))
