"""The job of a driver that ends early writes nothing more; another command refuses its folder, or takes it over."""

import json
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

import gritmill
from tests import interrupts, job_service, sample_pairs

GRITMILL = [sys.executable, "-m", "gritmill"]
RESULTS = ("detections/plan.json", "detections/0*/*", "shards/*", "manifest.json", "statistics.json")


@pytest.fixture(scope="module")
def engine():
    with job_service.running() as options:
        yield options


@pytest.fixture(scope="module")
def data(tmp_path_factory, parser, grounding_dino):
    """The words of a command, and the results of an undisturbed run on this machine."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "own.yaml").write_text(json.dumps(sample_pairs.settings(parser, grounding_dino)))
    pattern = sample_pairs.as_tars(sample_pairs.drawn(400), folder / "in")
    gritmill.run(str(folder / "own.yaml"), inputs=[pattern], output=str(folder / "out"))
    return [str(folder / "own.yaml"), "--input", pattern], results(folder / "out")


def results(out):
    return {name: data for pattern in RESULTS for name, data in sample_pairs.files_of(out, pattern).items()}


def started(words, out, *options, engine=()):
    command = [
        *GRITMILL,
        "run",
        *words,
        "--output",
        str(out),
        "--quiet",
        *options,
        *(["--", *engine] if engine else []),
    ]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=interrupts.hear
    )


def ended(process):
    _, said = process.communicate(timeout=600)
    return process.returncode, said


def until(condition):
    """Waits for an event, five minutes at most: machines may be busy."""
    end = time.monotonic() + 300
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def signalled(process, out, number):
    """Ends a driver when the first chunk is committed."""
    until(lambda: list(out.glob("detections/0*/[!.]*.parquet")) or process.poll() is not None)
    process.send_signal(number)
    return ended(process)


def rows(out):
    return sample_pairs.files_of(out, "detections/0*/[!.]*")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_written_after_the_end_of_an_interrupted_driver(tmp_path, data, engine, number):
    words, expected = data
    out = tmp_path / "out"
    status, said = signalled(started(words, out, engine=engine), out, number)
    assert (status, said) == (130, "gritmill: interrupted; run the same command to resume\n")
    written = rows(out)
    until(lambda: not list(out.glob("heartbeats/*/*")))  # its worker has noticed
    assert rows(out) == written
    assert len(written) < sum("detections/0" in name for name in expected)
    assert ended(started(words, out, engine=engine)) == (0, "")
    assert results(out) == expected
    assert not (out / "heartbeats").exists()
    assert [path.name for path in (out / "lease").iterdir()] == ["000004.json"]


@pytest.mark.slow
def test_the_job_of_a_killed_driver_is_refused_and_taken_over(tmp_path, data, engine):
    words, expected = data
    out = tmp_path / "out"
    assert signalled(started(words, out, engine=engine), out, signal.SIGKILL)[0] == -signal.SIGKILL
    for other in ([], engine):  # this command, on this machine too
        status, said = ended(started(words, out, engine=other))
        assert status == 2
        refused = (
            rf"gritmill: --output: {re.escape(str(out))}: job gritmill-\w+ on PortableRunner \(gritmill run, begun "
        )
        assert re.match(rf"{refused}\S+ on host \S+\) uses this folder: its worker on host \S+ .*--take-over\n\Z", said)
    assert ended(started(words, out, "--take-over", engine=engine)) == (0, "")
    assert results(out) == expected


@pytest.mark.slow
def test_a_driver_that_lives_is_taken_over_and_says_so(tmp_path, data, engine):
    words, expected = data
    out = tmp_path / "out"
    first = started(words, out, engine=engine)
    until(lambda: list(out.glob("detections/0*/[!.]*.parquet")) or first.poll() is not None)
    assert ended(started(words, out, "--take-over")) == (0, "")
    status, said = ended(first)
    assert status == 3
    assert said == f"gritmill: {out}: another command has taken over this folder; check the result of that command\n"
    assert results(out) == expected


@pytest.mark.slow
def test_a_job_that_does_nothing_is_cancelled(tmp_path, data, engine):
    """Beam's job service waits for ever for a worker that does not start: at this pool, nobody answers."""
    words, expected = data
    out = tmp_path / "out"
    with socket.create_server(("localhost", 0)) as silent:
        pool = f"--environment_config=localhost:{silent.getsockname()[1]}"
        settings = ("--set", "engine.start_minutes=0.2")
        status, said = ended(started(words, out, *settings, engine=[*engine[:-1], pool]))
    assert status == 3
    assert said.startswith("gritmill: no worker has started within 0.2 minutes (engine.start_minutes); check on the ")
    assert ended(started(words, out, engine=engine)) == (0, "")
    assert results(out) == expected
