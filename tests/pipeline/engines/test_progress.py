import io
import json
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from pipeline.engines import progress
from pipeline.engines.progress import (
    ChunkInWork,
    State,
    WorkerProgress,
    chunks_in_work,
    delete_progress_files,
    describe_silent,
    show_progress,
    tell,
)
from tests.pipeline.builders import NOT_OURS


def pairs_in_work(folder: Path) -> int:
    return sum(chunk.pairs for chunk in chunks_in_work(str(folder)))


def test_a_worker_says_how_many_pairs_it_has_done(tmp_path: Path) -> None:
    WorkerProgress(str(tmp_path))(7)
    [file] = tmp_path.iterdir()
    assert json.loads(file.read_text()) == {"pairs": 7}
    assert pairs_in_work(tmp_path) == 7


def test_a_worker_does_not_write_all_the_time(tmp_path: Path) -> None:
    worker = WorkerProgress(str(tmp_path), _last=float("inf"))
    worker(7)
    assert list(tmp_path.iterdir()) == []


def test_a_chunk_that_is_about_to_be_committed_counts_no_longer(tmp_path: Path) -> None:
    worker = WorkerProgress(str(tmp_path))
    worker(7)
    worker(0)
    assert pairs_in_work(tmp_path) == 0


def test_workers_add_up_and_broken_files_count_nothing(tmp_path: Path) -> None:
    (tmp_path / ".progress-1-1.json").write_text('{"pairs": 3}')
    (tmp_path / ".progress-1-2.json").write_text('{"pairs": 4}')
    for number, content in enumerate(NOT_OURS, 3):
        (tmp_path / f".progress-1-{number}.json").write_bytes(content)
    (tmp_path / ".progress-1-2.json~").write_text('{"pairs": 100}')
    (tmp_path / "other.json").write_text('{"pairs": 100}')
    assert pairs_in_work(tmp_path) == 7
    delete_progress_files(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["other.json"]
    assert pairs_in_work(tmp_path) == 0


@pytest.mark.parametrize("name", ["[1]", "a*b"])
def test_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    WorkerProgress(str(tmp_path / name))(7)
    assert pairs_in_work(tmp_path / name) == 7
    delete_progress_files(str(tmp_path / name))
    assert list((tmp_path / name).iterdir()) == []


class Ticks:
    """Ends a watch after a number of looks. `clock` has the time of each look in turn."""

    def __init__(self, *times: float) -> None:
        self._times = list(times)
        self._pauses = len(times) - 2

    def clock(self) -> float:
        return self._times.pop(0) if len(self._times) > 1 else self._times[0]

    def wait(self, pause: float) -> bool:
        self._pauses -= 1
        return self._pauses < 0


def watched(states: list[State], *times: float, log: Any = None, news: Any = tuple) -> None:
    """Shows states as lines. The first two times are those of the start and of the first look."""
    found = iter(states)
    state = lambda: next(found, states[-1])  # noqa: E731
    display = progress._Lines("ground", "pairs")
    ticks = Ticks(*times)
    progress._Watch("ground", "pairs", state, log, news, display).run(cast(Any, ticks), 1.0, ticks.clock)


def test_lines_on_standard_error_say_share_number_pace_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    watched([State(0, 0.0), State(50, 0.25), State(60, 0.3, total=200)], 0, 0, 10, 20)
    assert capsys.readouterr() == (
        "",
        "ground: 25%, 50 pairs, 5.0/s, 30 s left\nground: 30%, 60 of 200 pairs, 3.0/s, 47 s left\n",
    )


def test_a_resumed_run_says_what_is_done_and_has_its_own_pace(capsys: pytest.CaptureFixture[str]) -> None:
    first = State(1024, 0.25, total=4096, earlier=1024)
    watched([first, first, State(1034, 0.26, total=4096, earlier=1024)], 0, 0, 10, 20)
    assert capsys.readouterr().err.splitlines() == [
        "ground: resuming: 1,024 of 4,096 pairs are done",
        "ground: 25%, 1,024 of 4,096 pairs, 10 s elapsed",
        "ground: 26%, 1,034 of 4,096 pairs, 0.5/s, 24 min 40 s left",
    ]


def test_no_share_is_shown_that_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    watched([State(0, 0.0), State(0, 0.0), State(99, 0.0), State(199, 0.0), State(1000, 0.001)], 0, 0, 10, 20, 30, 40)
    assert capsys.readouterr().err.splitlines() == [
        "ground: 0%, 0 pairs, 10 s elapsed",
        "ground: 99 pairs, 5.0/s, 20 s elapsed",
        "ground: 199 pairs, 6.6/s, 30 s elapsed",
        "ground: <1%, 1,000 pairs, 25.0/s, 11 h 06 min left",
    ]


def test_the_bar_moves_to_and_fro_until_a_share_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = progress._Bar("ground", "pairs")
    for state, total in ((State(9, 0.0), None), (State(10, 0.25), 1.0)):
        bar.show(state, progress.Pace(), 0.0, 0.0)
        assert (bar._bar.tasks[0].total, bar._bar.tasks[0].completed) == (total, state.share)
    bar.close()


def test_a_narrow_terminal_cuts_only_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    narrow = Console(file=shown, width=80, force_terminal=True, color_system=None)
    monkeypatch.setattr(progress, "Console", lambda **_: narrow)
    bar = progress._Bar("ground", "pairs")
    bar.open()
    bar.show(State(60, 0.49, working=f"chunk {'0' * 80} in work"), progress.Pace(), 0.0, 0.0)
    bar._bar.refresh()
    bar.close()
    line = shown.getvalue().split("\r")[-2]
    assert re.search(r"ground ━+\S* +0:00:00 49%, 60 pairs, chunk 0+…", line)


def test_without_a_commit_there_is_no_time_left_that_could_grow(capsys: pytest.CaptureFixture[str]) -> None:
    working = "chunk 00000/00000-00000 (256 pairs) in work for 8 s"
    watched([State(0, 0.0, working=working)], 0, 0, 10, 3600)
    assert capsys.readouterr().err.splitlines() == [
        f"ground: 0%, 0 pairs, 10 s elapsed, {working}",
        f"ground: 0%, 0 pairs, 1 h 00 min elapsed, {working}",
    ]


def test_the_pace_starts_when_it_is_known_what_earlier_runs_did(capsys: pytest.CaptureFixture[str]) -> None:
    unknown, first = State(0, 0.0, earlier=None, working="counting pairs"), State(6, 0.6, total=10, earlier=6)
    watched([unknown, unknown, first, State(7, 0.7, total=10, earlier=6)], 0, 0, 100, 110, 120)
    assert capsys.readouterr().err.splitlines() == [
        "ground: 0%, 0 pairs, 1 min 40 s elapsed, counting pairs",
        "ground: resuming: 6 of 10 pairs are done",
        "ground: 60%, 6 of 10 pairs, 1 min 50 s elapsed",
        "ground: 70%, 7 of 10 pairs, 0.1/s, 30 s left",
    ]


def test_what_is_done_never_falls_and_is_all_only_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    watched([State(9, 0.5), State(4, 0.25), State(999, 0.999)], 0, 0, 10, 20)
    shown = [line.partition("%")[0] for line in capsys.readouterr().err.splitlines()]
    assert shown == ["ground: 50", "ground: 99"]


class Notes:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str]] = []

    def note(self, event: str, text: str) -> None:
        self.notes.append((event, text))


def test_a_quiet_run_with_a_log_says_nothing_and_logs_what_is_new(capsys: pytest.CaptureFixture[str]) -> None:
    log, news = Notes(), iter([[("range", "one")], [("range", "two")]])
    state = lambda: State(3, 0.3, total=10, earlier=3)  # noqa: E731
    with show_progress("ground", "pairs", state, True, log=cast(Any, log), news=lambda: next(news, [])):
        pass
    assert capsys.readouterr() == ("", "")
    assert log.notes == [("resume", "ground: 3 of 10 pairs are done"), ("range", "one"), ("range", "two")]


def test_a_state_and_news_that_cannot_be_had_fail_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    log = Notes()
    with show_progress("ground", "pairs", lambda: State(1 // 0, 0.0), log=cast(Any, log), news=lambda: [][0]):
        pass
    assert (capsys.readouterr(), log.notes) == (("", ""), [])


def test_a_worker_names_its_chunk_from_start_to_end(tmp_path: Path) -> None:
    now = [100.0]
    worker = WorkerProgress(str(tmp_path), clock=lambda: now[0])
    worker.begin("00000/00000-00003", 256, None)
    said = chunks_in_work(str(tmp_path))
    assert said == [ChunkInWork(0, "00000/00000-00003", 256, 100.0, next=None)]
    assert describe_silent(said, 170.0) == "chunk 00000/00000-00003 (256 pairs) in work for 1 min 10 s"
    now[0] = 160.0  # an earlier stage took a minute
    with worker.loading("boxes"):
        assert describe_silent(chunks_in_work(str(tmp_path)), 162.0) == "loading the model of boxes for 2 s"
    assert chunks_in_work(str(tmp_path)) == said
    worker._last = 0.0
    worker(7)
    said = chunks_in_work(str(tmp_path))
    assert (said[0].pairs, describe_silent(said, 170.0)) == (7, "")
    worker.end()
    said = chunks_in_work(str(tmp_path))
    assert (said, describe_silent(said, 170.0)) == ([ChunkInWork(0)], "")


def test_a_line_of_a_process_without_standard_error_goes_nowhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr", None)
    tell("ground", "loading libraries and models", False)
    assert capsys.readouterr().out == ""


def test_of_several_silent_chunks_the_oldest_is_named() -> None:
    chunks = [ChunkInWork(0, "b", 2, 20.0), ChunkInWork(0, "a", 1000, 10.0), ChunkInWork(3, "c", 2, 5.0)]
    assert describe_silent(chunks, 70.0) == "chunk a (1,000 pairs) and 1 more in work for 1 min 00 s"
    assert describe_silent(chunks, 0.0).endswith("for 0 s")  # the clock was set back


def test_the_bar_starts_where_earlier_runs_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr(progress.Progress, "update", lambda _, __, **fields: shown.append(fields))
    bar = progress._Bar("ground", "pairs")
    ended = threading.Event()
    ended.set()
    progress._Watch("ground", "pairs", lambda: State(5, 0.5, total=10, earlier=5), None, tuple, bar).run(ended, 1.0)
    assert shown == [{"total": 1.0, "completed": 0.5, "text": "50%, 5 of 10 pairs"}]


def test_a_quiet_run_says_nothing_and_asks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def state() -> State:
        raise AssertionError("asked")

    with show_progress("ground", "pairs", state, quiet=True):
        pass
    assert capsys.readouterr() == ("", "")


def test_the_thread_ends_with_the_block_also_after_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.001)
    with pytest.raises(ValueError, match="stop"), show_progress("ground", "pairs", lambda: State(0, 0.0)):
        raise ValueError("stop")
    assert "progress" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 00 s"), (61, "1 min 01 s"), (3600, "1 h 00 min"), (100_000, "27 h 46 min")],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert progress._duration(seconds) == text


def test_without_standard_error_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    with show_progress("ground", "pairs", lambda: State(0, 0.0)):
        assert "progress" not in [thread.name for thread in threading.enumerate()]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_lines_only_a_terminal_gets_something(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (io.StringIO(), Terminal()):
        monkeypatch.setattr("sys.stderr", stream)
        with show_progress("validate", "samples", lambda: State(1, 0.5, 2), lines=False):
            pass
        assert ("validate" in stream.getvalue()) == stream.isatty()


@pytest.mark.parametrize("printed_to", [io.StringIO, Terminal])
def test_what_is_printed_below_a_bar_goes_to_a_file_unchanged(
    monkeypatch: pytest.MonkeyPatch, printed_to: type[io.StringIO]
) -> None:
    """rich would move it to standard error, where it can stay above the bar: only if both are the terminal."""
    stdout, stderr = printed_to(), Terminal()
    monkeypatch.setattr("sys.stdout", stdout)
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    with show_progress("validate", "samples", lambda: State(1, 0.5, 2)):
        while "validate" not in stderr.getvalue():
            time.sleep(0.01)
        print("00000.tar: a fault")
    assert ("00000.tar: a fault" in stderr.getvalue()) == stdout.isatty()
    assert stdout.getvalue() == ("" if stdout.isatty() else "00000.tar: a fault\n")


def test_an_interrupt_while_a_bar_starts_leaves_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.stderr", stream := Terminal())
    monkeypatch.setattr("threading.Thread.start", interrupt)
    monkeypatch.setenv("TERM", "xterm")
    with pytest.raises(KeyboardInterrupt), show_progress("validate", "samples", lambda: State(1, 0.5, 2)):
        pass
    assert stream.getvalue().count("\x1b[?25h") == stream.getvalue().count("\x1b[?25l")  # the cursor
    assert sys.stderr is stream
