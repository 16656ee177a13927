"""Several local workers share the work and write nothing to standard output. `test_sameness.py` compares bytes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import gritmill
from pipeline.engines import local_workers, placement
from tests import interrupts, sample_pairs

GRITMILL = [sys.executable, "-m", "gritmill"]
TWO = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [sample_pairs.as_parquet, sample_pairs.as_jsonl])
def test_one_table_is_worked_on_by_two_workers(tmp_path, parser, kind):
    config = sample_pairs.settings(parser, "tests.plugin_detectors:factory", chunk={"pairs": 100})
    table = kind(sample_pairs.drawn(3000), tmp_path / "in")
    gritmill.ground(config, inputs=[table], output=str(tmp_path / "out"), beam=TWO)
    timings = [json.loads(path.read_text()) for path in (tmp_path / "out/detections/timings").glob("*/*.json")]
    pairs = {}
    for timing in timings:
        pairs[timing["worker"]] = pairs.get(timing["worker"], 0) + timing["pairs"]
    assert sum(pairs.values()) == 3000
    assert len(pairs) == 2
    assert min(pairs.values()) >= 1000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "how"),
    [
        ([], signal.SIGINT),
        (["--", *TWO], signal.SIGINT),
        (["--", *TWO], signal.SIGTERM),
    ],
)
def test_an_interrupt_is_status_130_and_the_next_run_goes_on(tmp_path, parser, grounding_dino, words, how):
    (tmp_path / "own.yaml").write_text(json.dumps(sample_pairs.settings(parser, grounding_dino)))
    pattern = sample_pairs.as_tars(sample_pairs.drawn(200), tmp_path / "in")
    out = tmp_path / "out"
    command = [
        *GRITMILL,
        "run",
        str(tmp_path / "own.yaml"),
        "--input",
        pattern,
        "--output",
        str(out),
        "--quiet",
        *words,
    ]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=interrupts.hear, start_new_session=True
    )
    while not list(out.glob("detections/*/[!.]*.parquet")) and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, how)  # Ctrl-C and schedulers signal the whole group
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert said == "gritmill: interrupted; run the same command to resume\n"
    assert not (out / "manifest.json").exists()
    committed = sample_pairs.files_of(out, "detections/0*/[!.]*.parquet")
    assert 0 < len(committed) < 26
    gritmill.run(str(tmp_path / "own.yaml"), inputs=[pattern], output=str(out))
    assert sample_pairs.files_of(out, "detections/0*/[!.]*.parquet").items() >= committed.items()
    assert json.loads((out / "manifest.json").read_text())["ledger"]["read"] == 200


@pytest.mark.slow
def test_a_dead_worker_ends_the_run_and_the_next_one_goes_on(tmp_path, parser, grounding_dino):
    (tmp_path / "own.yaml").write_text(json.dumps(sample_pairs.settings(parser, grounding_dino)))
    pattern = sample_pairs.as_tars(sample_pairs.drawn(200), tmp_path / "in")
    out = tmp_path / "out"
    call = ["run", str(tmp_path / "own.yaml"), "--input", pattern, "--output", str(out), "--quiet", "--", *TWO]
    process = subprocess.Popen([*GRITMILL, *call], stderr=subprocess.PIPE, text=True)
    while not list(out.glob("detections/*/[!.]*.parquet")) and process.poll() is None:
        time.sleep(0.02)
    timing = next(path for path in iter(lambda: next(out.glob("detections/timings/*/*.json"), None), 1) if path)
    worker = int(json.loads(timing.read_text())["worker"].rpartition(":")[2])
    os.kill(worker, signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 3, said
    (line,) = said.splitlines()
    assert line.startswith("gritmill: a worker process died: ")
    gritmill.run(str(tmp_path / "own.yaml"), inputs=[pattern], output=str(out))
    assert json.loads((out / "manifest.json").read_text())["ledger"]["read"] == 200


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # from gRPC, whose peer has ended
def test_a_worker_that_is_killed_ends_the_run_in_one_line(tmp_path, parser):
    """A short version of the test above: one worker, and a detector that kills it at the third picture."""
    config = sample_pairs.settings(parser, "tests.plugin_detectors:deadly")
    pattern = sample_pairs.as_tars(sample_pairs.drawn(3), tmp_path / "in", tars=1)
    one = ["--direct_num_workers=1", "--direct_running_mode=multi_processing"]
    with pytest.raises(gritmill.EnvironmentFault) as ended:
        gritmill.ground(config, inputs=[pattern], output=str(tmp_path / "out"), beam=one)
    (line,) = str(ended.value).splitlines()
    assert line.startswith("a worker process died: ")


@pytest.mark.slow
def test_workers_are_silent_and_find_our_packages_beside_foreign_ones(tmp_path, parser):
    """Runs in a folder with a user's transforms.py and pipeline.py. The detector is a file of the user, too."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("transforms.py", "pipeline.py"):
        (home / name).write_text("raise SystemExit('not this one')\n")
    (home / "my_detector.py").write_text(
        "from gritmill import Box\n"
        "class Mine:\n"
        "    def detect(self, requests):\n"
        "        return [[Box(0, 0.1, 0.1, 0.9, 0.9, 0.5)] for _ in requests]\n"
        "def make(settings):\n"
        "    return Mine()\n"
    )
    (home / "own.yaml").write_text(json.dumps(sample_pairs.settings(parser, "my_detector:make")))
    pattern = sample_pairs.as_tars(sample_pairs.drawn(12), tmp_path / "in")
    command = [
        sys.executable,
        "-m",
        "gritmill",
        "run",
        "own.yaml",
        "--input",
        pattern,
        "--output",
        "out",
        "--quiet",
        "--",
    ]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    ended = subprocess.run([*command, *TWO], cwd=home, capture_output=True, text=True, env=environment)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert json.loads((home / "out/manifest.json").read_text())["ledger"]["written"] == 12


@pytest.mark.slow
def test_a_large_pack_takes_a_process_a_core_and_writes_the_same_bytes(tmp_path, parser, monkeypatch):
    config = sample_pairs.settings(parser, "tests.plugin_detectors:factory", shards={"pairs": 20})
    pattern = sample_pairs.as_tars(sample_pairs.drawn(60), tmp_path / "in")
    gritmill.ground(config, inputs=[pattern], output=str(tmp_path / "out"))
    gritmill.pack(config, output=str(tmp_path / "one"), detections=str(tmp_path / "out"))
    seen = []
    monkeypatch.setattr(placement, "_PAIRS_PER_WORKER", 20)
    monkeypatch.setattr(placement, "available_cores", lambda: 2)
    monkeypatch.setattr(local_workers, "run_watched", lambda run: (seen.append(run), run()))
    gritmill.pack(config, output=str(tmp_path / "two"), detections=str(tmp_path / "out"))
    assert len(seen) == 1
    names = ("shards/*", "manifest.json", "statistics.json")
    assert sample_pairs.files_of(tmp_path / "one", *names) == sample_pairs.files_of(tmp_path / "two", *names)


@pytest.mark.parametrize(
    ("given", "cores", "pairs", "options"),
    [
        ((), 4, 19_999, ()),
        ((), 4, 20_000, ("--direct_num_workers=2", "--direct_running_mode=multi_processing")),
        ((), 4, 10**6, ("--direct_num_workers=4", "--direct_running_mode=multi_processing")),
        ((), 64, 10**9, ("--direct_num_workers=8", "--direct_running_mode=multi_processing")),
        (("--runner=FlinkRunner",), 4, 10**6, ("--runner=FlinkRunner",)),
        (("--direct_num_workers=1",), 4, 10**6, ("--direct_num_workers=1",)),
    ],
)
def test_how_many_local_workers_a_pack_takes_unless_it_is_told(monkeypatch, given, cores, pairs, options):
    monkeypatch.setattr(placement, "available_cores", lambda: cores)
    assert placement.pack_beam_options(given, pairs) == options
