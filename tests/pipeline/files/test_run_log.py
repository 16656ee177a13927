import threading
from pathlib import Path

import pytest

from pipeline.faults import CallError
from pipeline.files import run_log
from pipeline.files.run_log import Caller, RunLog, caller, record
from tests import fake_object_store


def lines(folder: Path) -> list[str]:
    return (folder / "run.log").read_text().splitlines()


def opened(folder: Path) -> RunLog:
    log = RunLog(str(folder), clock=lambda: 1_700_000_000.0)
    log.open()
    return log


def test_a_line_is_a_time_in_utc_an_event_and_a_text(tmp_path: Path) -> None:
    opened(tmp_path).note("plan", "2 sources")
    assert (tmp_path / "run.log").read_bytes() == b"2023-11-14T22:13:20Z plan 2 sources\n"


def test_each_line_is_in_the_file_at_once_and_calls_append(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.note("plan", "one")
    assert len(lines(tmp_path)) == 1
    opened(tmp_path).note("plan", "two")
    assert [line[-3:] for line in lines(tmp_path)] == ["one", "two"]


def test_lines_wait_until_the_run_may_write_into_its_folder(tmp_path: Path) -> None:
    log = RunLog(str(tmp_path))
    log.note("start", "x")
    assert not list(tmp_path.iterdir())
    log.open()
    assert len(lines(tmp_path)) == 1


def test_a_refused_call_leaves_nothing_in_an_empty_folder_and_its_reason_in_a_log(tmp_path: Path) -> None:
    def refused() -> None:
        with pytest.raises(CallError), record(str(tmp_path), "ground", "grit"):
            raise CallError("--input: x: no such file")

    refused()
    assert not list(tmp_path.iterdir())
    opened(tmp_path).note("end", "x")
    refused()
    start, error = lines(tmp_path)[1:]
    assert start.endswith(": gritmill.ground from Python; configuration grit")
    assert error.endswith("Z error --input: x: no such file")


def test_an_interrupt_is_an_event_and_goes_on(tmp_path: Path) -> None:
    opened(tmp_path).note("plan", "x")
    with pytest.raises(KeyboardInterrupt), record(str(tmp_path), "ground", "grit"):
        raise KeyboardInterrupt
    assert lines(tmp_path)[-1].endswith("Z error interrupted")


def test_the_start_has_the_words_of_the_command_line_without_secrets(tmp_path: Path) -> None:
    words = (
        *("run", "demo", "--input", "a b.tar", "--input", "https://u:pw@host/x.tar?sp=r&sig=def", "--set"),
        *("detector.token=abc", "--", "--s3_secret_access_key=a b", "--azure_connection_string", "a b;AccountKey=xyz"),
        *("--region=x", "--set=a=s3://host/?.tar", "--set=detector.token=a=b"),
    )
    token = caller.set(Caller(words, "demo"))
    try:
        with record(str(tmp_path), "run", "demo") as log:
            log.open()
    finally:
        caller.reset(token)
    (line,) = lines(tmp_path)
    assert line.endswith(
        "gritmill run demo --input 'a b.tar' --input 'https://...@host/x.tar?...' --set detector.token=... -- "
        "--s3_secret_access_key=... --azure_connection_string ... --region=x '--set=a=s3://host/?.tar' "
        "--set=detector.token=...; "
        "configuration demo"
    )


def test_no_line_has_the_user_or_the_signature_of_a_uri(tmp_path: Path) -> None:
    opened(tmp_path).note("plan", "2 sources; https://u:p@host/a.tar?sig=1&x=y, https://host/b.tar")
    assert lines(tmp_path)[0].endswith(" plan 2 sources; https://...@host/a.tar?... https://host/b.tar")


@pytest.mark.parametrize("name", ["run.log", "run.log.1"])
@pytest.mark.parametrize("where", ["disk", "store"])
def test_a_file_of_the_user_stays_and_there_is_no_log(
    tmp_path: Path, shelf: Path, name: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "MAX_BYTES", 100)
    folder, uri = (tmp_path / "disk", str(tmp_path / "disk")) if where == "disk" else (shelf, "shelf://out")
    folder.mkdir(parents=True)
    (folder / name).write_text("epoch 1: loss 0.5\n")
    for _ in range(10):
        log = RunLog(uri)
        log.open()
        log.note("plan", "2 sources")
        log.close()
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).read_text() == "epoch 1: loss 0.5\n"


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[2J", "a\rb", "\u202ename"])
def test_a_text_stays_in_its_line_and_moves_no_terminal(tmp_path: Path, text: str) -> None:
    opened(tmp_path).note("fault", text)
    (line,) = lines(tmp_path)
    assert line.isprintable()


def test_a_long_line_is_cut_between_two_characters(tmp_path: Path) -> None:
    opened(tmp_path).note("start", "ä" * run_log.MAX_LINE)
    data = (tmp_path / "run.log").read_bytes()
    assert run_log.MAX_LINE - 8 < len(data) <= run_log.MAX_LINE
    assert data.decode().endswith("ä ...\n")


def test_two_files_of_a_limited_size_and_the_newest_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "MAX_BYTES", 1000)
    log = opened(tmp_path)
    for number in range(200):
        log.note("range", f"{number:05}")
    old, new = ((tmp_path / name).read_text() for name in ("run.log.1", "run.log"))
    numbers = [int(line[-5:]) for line in (old + new).splitlines()]
    assert numbers == list(range(numbers[0], 200))
    assert max(len(old), len(new)) <= 1000 < len(old + new)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.log", "run.log.1"]


def test_a_line_that_was_cut_off_stays_a_line_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "run.log").write_text("2023-11-14T22:13:20Z ran")
    opened(tmp_path).note("plan", "x")
    assert lines(tmp_path)[1].endswith("Z plan x")


def test_a_log_that_cannot_be_written_fails_nothing_and_loses_nothing_if_it_can_again(tmp_path: Path) -> None:
    (tmp_path / "run.log").mkdir()
    with record(str(tmp_path), "ground", "grit") as log:
        log.open()
        log.note("plan", "x")
        (tmp_path / "run.log").rmdir()
        log.note("end", "y")
    assert [line.split()[1] for line in lines(tmp_path)] == ["start", "plan", "end"]


def test_lines_of_several_threads_are_whole(tmp_path: Path) -> None:
    log = opened(tmp_path)
    threads = [threading.Thread(target=lambda: [log.note("range", "x" * 50) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {line[-50:] for line in lines(tmp_path)} == {"x" * 50}
    assert len(lines(tmp_path)) == 200


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    fake_object_store.use(tmp_path / "shelf")
    return tmp_path / "shelf/out"


def test_on_an_object_store_it_is_published_at_intervals_and_at_the_end(shelf: Path) -> None:
    now = [1000.0]
    log = RunLog("shelf://out", clock=lambda: now[0])
    log.open()
    log.note("plan", "one")
    assert not shelf.exists()
    now[0] += run_log.PUBLISH_SECONDS
    log.note("range", "two")
    assert len(lines(shelf)) == 2
    log.note("range", "three")
    assert len(lines(shelf)) == 2
    log.close()
    assert len(lines(shelf)) == 3
    again = RunLog("shelf://out")
    again.open()
    again.note("end", "four")
    again.close()
    assert [line.split()[2] for line in lines(shelf)] == ["one", "two", "three", "four"]


def test_an_object_store_that_fails_for_a_while_loses_no_line(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.mkdir(parents=True)
    (shelf / "run.log").write_text("2023-11-14T22:13:20Z plan older\n")
    now = [1000.0]
    log = RunLog("shelf://out", clock=lambda: now[0])
    log.open()
    with monkeypatch.context() as patched:
        patched.setattr(run_log, "publish_bytes", lambda *_: 1 / 0)
        for text in ("one", "two"):
            now[0] += run_log.PUBLISH_SECONDS
            log.note("range", text)
    log.close()
    assert [line.split()[-1] for line in lines(shelf)] == ["older", "one", "two"]
